package httpdoor

import (
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// NewServer makes the server of a door with the limits of RELIABILITY.md 6.5: who sends headers or
// bodies slowly, or too much of them, is cut off. errorLog gets what net/http has to say about
// connections; nil is log's own.
func NewServer(h http.Handler, errorLog *log.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100},
		Protocols:         &protocols,
		ErrorLog:          errorLog,
	}
}

// Limit makes a listener that has at most so many connections open; others wait in the kernel's queue.
func Limit(l net.Listener, connections int) net.Listener {
	return netutil.LimitListener(l, connections)
}
