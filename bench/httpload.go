package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// httpLoad is requests over HTTP/1.1, by a client of its own: net/http's would take more of the cores than the server.
type httpLoad struct {
	addr     string
	requests [][]byte // whole, header and body; taken in turn
	events   int      // of each
	conns    int
	rate     float64 // requests a second, due by the clock; 0: as fast as they are answered
	duration time.Duration
	most     int // requests; 0: as many as there is time for
}

// loadResult is what came of it.
type loadResult struct {
	Requests, Accepted, Refused, Failed int64 // Refused: 429 and 503; Failed: anything else, and time-outs
	Late                                int64 // were due, and no connection was free for them until the end
	RequestsPerSecond, EventsPerSecond  float64
	AcceptedEvents                      int64
	P50Ms, P99Ms                        float64 // of accepted ones, from when they were due
	Seconds                             float64
}

func (l *httpLoad) run(ctx context.Context) (loadResult, error) {
	ctx, cancel := context.WithTimeout(ctx, l.duration+10*time.Second)
	defer cancel()
	var r loadResult
	var turn, requests, accepted, refused, failed atomic.Int64
	var mu sync.Mutex
	var took []float64
	began := time.Now()
	end := began.Add(l.duration)
	// next is when a request is due: now, or by the clock.
	next := func() (n int64, due time.Time, ok bool) {
		n = turn.Add(1) - 1
		due = time.Now()
		if l.rate > 0 {
			due = began.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
		}
		return n, due, due.Before(end) && time.Now().Before(end) && (l.most == 0 || n < int64(l.most))
	}
	var wg sync.WaitGroup
	var broken atomic.Pointer[error]
	for range l.conns {
		wg.Go(func() {
			var mine []float64
			defer func() {
				mu.Lock()
				took = append(took, mine...)
				mu.Unlock()
			}()
			var conn *httpConn
			for {
				n, due, ok := next()
				if !ok {
					break
				}
				if wait := time.Until(due); wait > 0 {
					time.Sleep(wait)
				}
				if conn == nil {
					var err error
					if conn, err = dialHTTP(ctx, l.addr); err != nil {
						broken.Store(&err)
						return
					}
					defer conn.Close()
				}
				status, err := conn.do(l.requests[int(n)%len(l.requests)])
				requests.Add(1)
				switch {
				case err != nil:
					failed.Add(1)
					conn = nil
				case status == 202:
					accepted.Add(1)
					mine = append(mine, float64(time.Since(due).Microseconds())/1000)
				case status == 429 || status == 503:
					refused.Add(1)
				default:
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if err := broken.Load(); err != nil {
		return r, *err
	}
	seconds := time.Since(began).Seconds()
	r.Requests, r.Accepted, r.Refused, r.Failed = requests.Load(), accepted.Load(), refused.Load(), failed.Load()
	if l.rate > 0 {
		r.Late = max(0, int64(l.rate*l.duration.Seconds())-r.Requests)
	}
	r.Seconds = seconds
	r.RequestsPerSecond = float64(r.Accepted) / seconds
	r.AcceptedEvents = r.Accepted * int64(l.events)
	r.EventsPerSecond = float64(r.AcceptedEvents) / seconds
	slices.Sort(took)
	if len(took) == 0 {
		return r, fmt.Errorf("of %d requests none was accepted: %d refused, %d failed", r.Requests, r.Refused, r.Failed)
	}
	r.P50Ms, r.P99Ms = quantile(took, 50), quantile(took, 99)
	return r, nil
}

// httpConn is a connection that keeps alive, with one request at a time.
type httpConn struct {
	net.Conn
	r *bufio.Reader
}

func dialHTTP(ctx context.Context, addr string) (*httpConn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &httpConn{conn, bufio.NewReaderSize(conn, 16<<10)}, nil
}

func post(path string, body []byte) []byte {
	return append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", path, len(body)), body...)
}

// do sends a request and reads the whole answer.
func (c *httpConn) do(request []byte) (status int, err error) {
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	length, chunked, last := 0, false, false
	for n := 0; ; n++ {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if n == 0 {
			if len(line) < 12 {
				return 0, errors.New("no HTTP answer")
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, err
			}
			continue
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, err = strconv.Atoi(string(value))
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		case bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
		if err != nil {
			return 0, err
		}
	}
	if chunked {
		err = c.skipChunks()
	} else {
		_, err = c.r.Discard(length)
	}
	if err == nil && last {
		err = errors.New("the server closes")
	}
	return status, err
}

func (c *httpConn) skipChunks() error {
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if _, err := c.r.Discard(int(n) + 2); err != nil || n == 0 {
			return err
		}
	}
}
