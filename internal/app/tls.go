package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"switchboard/config"
)

// tlsDialer reaches a server over TLS; nil when the section turns it off. Every connection begins with the certificate, the key and the
// authorities that the files hold then, so that renewing them needs no restart; an open connection goes on with what it began with.
// section is the key, for messages.
func tlsDialer(section string, c config.TLS, log *slog.Logger) (Dialer, error) {
	if !c.Enabled {
		return nil, nil
	}
	authorities, err := readRenewed(section+".ca_file", log, readAuthorities, c.CAFile)
	if err != nil {
		return nil, err
	}
	own, err := readRenewed(section+".cert_file", log, readPair, c.CertFile, c.KeyFile)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := tls.Dialer{
			NetDialer: &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second},
			Config:    &tls.Config{ServerName: c.ServerName, MinVersion: tls.VersionTLS12, RootCAs: authorities.now(), Certificates: own.now()},
		}
		return d.DialContext(ctx, network, addr)
	}, nil
}

func readAuthorities(files []string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("holds no certificate in PEM form")
	}
	return pool, nil
}

func readPair(files []string) ([]tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(files[0], files[1])
	if err != nil {
		return nil, err
	}
	return []tls.Certificate{pair}, nil
}

// renewed is what files hold, read again when one of them has changed. While they cannot be used, such as a certificate whose key is not
// there yet, it stays what they held last.
type renewed[T any] struct {
	key   string // of the config, for messages
	log   *slog.Logger
	files []string
	read  func(files []string) (T, error)

	mu    sync.Mutex
	seen  []stamp // of the files when they were last read, well or not
	value T
}

// stamp tells one content of a file from another; the zero value: it cannot be looked at.
type stamp struct{ modifiedNs, size int64 }

// readRenewed reads files for the first time, when they must be good. Without a name it is the zero value of T for ever.
func readRenewed[T any](key string, log *slog.Logger, read func([]string) (T, error), files ...string) (*renewed[T], error) {
	r := &renewed[T]{key: key, log: log, files: files, read: read}
	if files[0] == "" {
		r.files = nil
		return r, nil
	}
	r.seen = r.stamps()
	var err error
	if r.value, err = read(files); err != nil {
		return nil, &config.Error{Key: key, Problem: err.Error()}
	}
	return r, nil
}

func (r *renewed[T]) stamps() []stamp {
	var list []stamp
	for _, file := range r.files {
		var s stamp
		if info, err := os.Stat(file); err == nil {
			s = stamp{info.ModTime().UnixNano(), info.Size()}
		}
		list = append(list, s)
	}
	return list
}

// now is what the files hold now, or held when they were last good. Each change is logged once.
func (r *renewed[T]) now() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	stamps := r.stamps() // before reading: what changes meanwhile is seen the next time
	if slices.Equal(stamps, r.seen) {
		return r.value
	}
	r.seen = stamps
	value, err := r.read(r.files)
	if err != nil {
		r.log.Warn("renewed TLS files cannot be used: going on with the last good ones", "key", r.key, "files", r.files, "error", err)
		return r.value
	}
	r.log.Info("TLS files were renewed: new connections use them", "key", r.key, "files", r.files)
	r.value = value
	return r.value
}
