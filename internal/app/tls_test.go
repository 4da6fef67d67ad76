package app

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"switchboard/config"
	"switchboard/internal/kafkalog"
	"switchboard/tests/backend"
)

// authority signs a certificate for a server on 127.0.0.1 and one for its client. The server's asks for the client's.
type authority struct {
	ca, cert, key string // PEM of the client's files
	server        *tls.Config
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	sign := func(c *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, c, ca, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	caKey := newKey()
	leaf := func(use x509.ExtKeyUsage) (der []byte, key *ecdsa.PrivateKey) {
		key = newKey()
		return sign(&x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}, key, caKey), key
	}
	armour := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	a := &authority{ca: armour("CERTIFICATE", sign(ca, caKey, caKey))}
	der, key := leaf(x509.ExtKeyUsageClientAuth)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, a.key = armour("CERTIFICATE", der), armour("PRIVATE KEY", private)
	der, key = leaf(x509.ExtKeyUsageServerAuth)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(a.ca))
	a.server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}
	return a
}

// tlsFiles are the files of a client, and the server that it talks to.
type tlsFiles struct {
	*testing.T
	dir    string
	server atomic.Pointer[tls.Config] // for connections that begin now
	log    bytes.Buffer
	logger *slog.Logger
}

func newTLSFiles(t *testing.T, a *authority) *tlsFiles {
	f := &tlsFiles{T: t, dir: t.TempDir()}
	f.logger = slog.New(slog.NewTextHandler(&f.log, nil))
	f.renew(a)
	return f
}

func (f *tlsFiles) renew(a *authority) {
	f.server.Store(a.server)
	f.write("ca.pem", a.ca)
	f.write("cert.pem", a.cert)
	f.write("key.pem", a.key)
}

func (f *tlsFiles) path(name string) string { return filepath.Join(f.dir, name) }

func (f *tlsFiles) write(name, text string) {
	f.Helper()
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
}

func (f *tlsFiles) serving() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.server.Load(), nil }}
}

func (f *tlsFiles) config() config.TLS {
	return config.TLS{Enabled: true, CAFile: f.path("ca.pem"), CertFile: f.path("cert.pem"), KeyFile: f.path("key.pem")}
}

func (f *tlsFiles) logged(what string, times int) {
	f.Helper()
	if n := strings.Count(f.log.String(), what); n != times {
		f.Errorf("%q was logged %d times, want %d:\n%s", what, n, times, f.log.String())
	}
}

// redis is a server that asks for TLS in front of one that does not. hangUp ends the connections that it has.
func (f *tlsFiles) redis() (addr string, hangUp func()) {
	behind := backend.EmbeddedRedis(f)
	l, err := tls.Listen("tcp", "127.0.0.1:0", f.serving())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		for {
			front, err := l.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", behind)
			if err != nil {
				front.Close()
				continue
			}
			mu.Lock()
			open = append(open, front)
			mu.Unlock()
			go func() { defer back.Close(); _, _ = io.Copy(back, front) }()
			go func() { defer front.Close(); _, _ = io.Copy(front, back) }()
		}
	}()
	return l.Addr().String(), func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	}
}

// ping speaks over a connection, which tells whether the server took our certificate, too.
func ping(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, "*1\r\n$4\r\nPING\r\n"); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, len("+PONG\r\n")))
	return err
}

const (
	taken   = "TLS files were renewed"
	refused = "renewed TLS files cannot be used"
)

// TestRenewedTLSFiles: what the files hold when a connection begins is what it uses; broken ones change nothing.
//
//fault:k17 certificate, key and authorities renewed under a running client: new connections have the new ones, open ones go on
func TestRenewedTLSFiles(t *testing.T) {
	first, second, third := newAuthority(t, "first"), newAuthority(t, "second"), newAuthority(t, "third")
	f := newTLSFiles(t, first)
	addr, _ := f.redis()
	dial, err := tlsDialer("redis.tls", f.config(), f.logger)
	if err != nil {
		t.Fatal(err)
	}
	try := func() (net.Conn, error) {
		c, err := dial(t.Context(), "tcp", addr)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { c.Close() })
		return c, ping(c)
	}
	connect := func() net.Conn {
		t.Helper()
		c, err := try()
		if err != nil {
			t.Fatalf("%v\n%s", err, f.log.String())
		}
		return c
	}
	open := connect()
	f.logged("TLS files", 0)

	f.server.Store(second.server)
	if _, err := try(); err == nil {
		t.Error("a server of an unknown authority was accepted")
	}
	f.renew(second)
	connect()
	connect()
	f.logged(taken, 2) // the authorities, and the pair
	if err := ping(open); err != nil {
		t.Errorf("a connection that was open: %v", err)
	}

	f.write("cert.pem", third.cert[:len(third.cert)/2])
	connect()
	connect()
	f.logged(refused, 1)
	f.write("cert.pem", third.cert) // whose key is still that of the second
	connect()
	connect()
	f.logged(refused, 2)
	f.write("ca.pem", "")
	connect()
	f.logged(refused, 3)
	if err := os.Remove(f.path("key.pem")); err != nil {
		t.Fatal(err)
	}
	connect()
	connect()
	f.logged(refused, 4)
	f.logged(taken, 2)
	f.renew(third)
	connect()
	f.logged(refused, 4)
	f.logged(taken, 4)
	if err := ping(open); err != nil {
		t.Errorf("a connection that was open: %v", err)
	}
}

// TestTLSFilesMustBeGoodAtFirst: a role does not start with files that it cannot use.
func TestTLSFilesMustBeGoodAtFirst(t *testing.T) {
	good := newAuthority(t, "good")
	for name, key := range map[string]string{"ca.pem": "redis.tls.ca_file", "cert.pem": "redis.tls.cert_file", "key.pem": "redis.tls.cert_file"} {
		f := newTLSFiles(t, good)
		f.write(name, "")
		if _, err := tlsDialer("redis.tls", f.config(), f.logger); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is empty: %v, want an error about %s", name, err, key)
		}
	}
}

// TestClientsRenewTLS: the clients of Kafka and Redis, made once, reach servers whose certificates were replaced.
func TestClientsRenewTLS(t *testing.T) {
	f := newTLSFiles(t, newAuthority(t, "first"))
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(f.serving()))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	redis, hangUp := f.redis()
	cfg, err := config.Load(config.Options{Roles: []config.Role{config.RoleProcessor}, Environ: []string{
		"SWITCHBOARD_KAFKA_BROKERS=" + cluster.ListenAddrs()[0], "SWITCHBOARD_REDIS_ADDRS=" + redis,
	}})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Kafka.TLS, cfg.Redis.TLS = f.config(), f.config()
	options, err := kafkaOptions(cfg, f.logger, nil)
	if err != nil {
		t.Fatal(err)
	}
	models, err := newRedis(cfg, nil, f.logger)
	if err != nil {
		t.Fatal(err)
	}
	defer models.Close()
	for _, name := range []string{"first", "second"} {
		if name == "second" {
			f.renew(newAuthority(t, name))
			hangUp()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		log, err := kafkalog.NewLog(options) // a client of its own, as every part of a role makes one
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Reach(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		log.Close()
		if err := models.Ping(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
