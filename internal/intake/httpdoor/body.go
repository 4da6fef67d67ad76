package httpdoor

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"switchboard/internal/intake"
)

func framingOf(r *http.Request) (intake.Framing, bool) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || len(r.Header.Values("Content-Type")) != 1 {
		return 0, false
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return 0, false
		}
	}
	switch media {
	case "application/json":
		return intake.Array, true
	case "application/x-ndjson":
		return intake.NDJSON, true
	}
	return 0, false
}

// encodingOf is gzip, zstd or "".
func encodingOf(r *http.Request) (string, bool) {
	values := r.Header.Values("Content-Encoding")
	if len(values) > 1 {
		return "", false
	}
	switch e := strings.ToLower(strings.TrimSpace(strings.Join(values, ""))); e {
	case "", "identity":
		return "", true
	case "gzip", "zstd":
		return e, true
	}
	return "", false
}

// read reads and decompresses the body.
func (d *Door) read(w http.ResponseWriter, r *http.Request, encoding string) ([]byte, *answer) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, d.o.MaxBodyBytes))
	if err == nil {
		if encoding == "zstd" {
			if !d.bytes.take(zstdWindow) {
				a := noRoom()
				return nil, &a
			}
			defer d.bytes.give(zstdWindow)
		}
		body, err = unzip(body, encoding, d.o.MaxBodyBytes, d.o.MaxRatio)
	}
	var a answer
	var large *http.MaxBytesError
	var timeout net.Error
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &large) || errors.Is(err, errTooLarge):
		a = d.tooLarge()
	case errors.Is(err, errRatio):
		a = refuse(http.StatusRequestEntityTooLarge, "too_large", "the body is compressed too well to be believed: send it with less compression, or in parts")
	case errors.Is(err, errWindow):
		a = refuse(http.StatusRequestEntityTooLarge, "too_large", "the zstd window is larger than 8 MiB: compress without --long")
	case errors.Is(err, errEncoding):
		a = refuse(http.StatusBadRequest, "bad_request", "the body is not what Content-Encoding says")
	case errors.As(err, &timeout) && timeout.Timeout():
		a = refuse(http.StatusRequestTimeout, "slow_body", "the body came too slowly").with("Connection", "close")
	default:
		a = refuse(http.StatusBadRequest, "client_gone", "the body ended too early").with("Connection", "close")
	}
	return nil, &a
}

var (
	errTooLarge = errors.New("too large")
	errRatio    = errors.New("suspicious compression")
	errWindow   = errors.New("too large a window")
	errEncoding = errors.New("broken compression")
)

// ratioFrom is the size below which no compression is suspicious.
const ratioFrom = 64 << 10

// zstdWindow is what every zstd decoder must support (RFC 8878, 3.1.1.1.2), and what zstd -19 and
// streams of klauspost/compress ask for, however short they are.
const zstdWindow = 8 << 20

// unzip decompresses a body, to at most most bytes and, above 64 KiB, at most ratio times its size.
// It stops at the first byte beyond that.
func unzip(body []byte, encoding string, most, ratio int64) ([]byte, error) {
	if encoding == "" {
		return body, nil
	}
	believed := min(most, max(ratioFrom, int64(len(body))*ratio))
	var from io.Reader
	if encoding == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, errEncoding
		}
		from = z
	} else {
		// As a stream: DecodeAll writes to stderr when its limit is passed.
		z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(zstdWindow), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, errEncoding
		}
		defer z.Close()
		from = z
	}
	out, err := io.ReadAll(io.LimitReader(from, believed+1))
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, errWindow
	case err != nil:
		return nil, errEncoding
	case int64(len(out)) <= believed:
		return out, nil
	case believed < most:
		return nil, errRatio
	}
	return nil, errTooLarge
}

// bytesInFlight bounds the memory of all requests together.
type bytesInFlight struct {
	mu        sync.Mutex
	used, max int64
}

// weight is what a request of so many bytes may take while it is served: as read, as reports and
// as events, and some for the connection.
func weight(bodyBytes int64) int64 { return 4*bodyBytes + 16<<10 }

func (b *bytesInFlight) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n > b.max {
		return false
	}
	b.used += n
	return true
}

func (b *bytesInFlight) give(n int64) {
	b.mu.Lock()
	b.used -= n
	b.mu.Unlock()
}
