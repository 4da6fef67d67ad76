package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewHTTPServer is a server with the limits that every one of ours has: slow and endless requests are cut. What it has to
// complain about goes to log.
func NewHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // profiles may take longer: net/http/pprof extends it for its own
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// Listen listens on a TCP address. If its port is taken, it takes a free one on the same host and says so by fellBack.
func Listen(addr string) (l net.Listener, fellBack bool, err error) {
	l, err = net.Listen("tcp", addr)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return l, false, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, false, err
	}
	l, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	return l, true, err
}

// Handler serves /healthz (the process runs), /readyz (it can do its work), /metrics and /debug/pprof.
func (p *Process) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "/healthz\n/readyz\n/readyz?format=json\n/metrics\n/debug/pprof/\n")
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", p.health.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(p.Logger.Handler(), slog.LevelWarn), Registry: p.registry, MaxRequestsInFlight: 4,
	}))
	// Without cmdline: what a command line holds is nobody's business.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// Server serves a Process until it is closed.
type Server struct {
	listener net.Listener
	server   *http.Server
	served   chan struct{} // closed when the serving goroutine has ended
}

// Serve serves the Handler of p on addr, or on a free port of the same host if that one is taken, and logs it then.
func (p *Process) Serve(addr string) (*Server, error) {
	l, fellBack, err := Listen(addr)
	if err != nil {
		return nil, fmt.Errorf("listen for observability: %w", err)
	}
	if fellBack {
		p.Logger.Warn("observability port is taken, using a free one", "wanted", addr, "address", l.Addr().String())
	}
	s := &Server{listener: l, server: NewHTTPServer(p.Handler(), p.Logger), served: make(chan struct{})}
	go func() {
		defer close(s.served)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.Logger.Error("observability stopped", "err", err)
		}
	}()
	return s, nil
}

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close gives answers in work a second to finish, then ends them.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close()
	}
	<-s.served
}
