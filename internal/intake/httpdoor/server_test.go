package httpdoor

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// start runs a real server; what it logs must never hold what clients send.
func start(t *testing.T, l *memoryLog, change func(*Options, *http.Server)) (addr string, seen chan Observation, logged func() string) {
	t.Helper()
	seen = make(chan Observation, 100)
	out := &lockedBuffer{}
	server := NewServer(nil, log.New(out, "", 0))
	server.Handler = newDoor(t, l, func(o *Options) {
		o.Observe = func(s Observation) { seen <- s }
		if change != nil {
			change(o, server)
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(Limit(listener, 4)) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String(), seen, out.String
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

const head = "POST /v1/reports HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

func outcome(t *testing.T, seen chan Observation) Observation {
	t.Helper()
	select {
	case s := <-seen:
		return s
	case <-time.After(10 * time.Second):
		t.Fatal("the request was never served")
		return Observation{}
	}
}

// Bodies and headers that come byte by byte are cut off.
//
//fault:h6 headers and bodies that trickle: cut
func TestSlowClients(t *testing.T) {
	l := &memoryLog{}
	addr, seen, _ := start(t, l, func(_ *Options, s *http.Server) {
		s.ReadHeaderTimeout, s.ReadTimeout = 200*time.Millisecond, 300*time.Millisecond
	})
	body := dial(t, addr)
	fmt.Fprint(body, head+"Content-Length: 5000\r\n\r\n[")
	go func() {
		for range 100 {
			if _, err := io.WriteString(body, " "); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	answer, err := http.ReadResponse(bufio.NewReader(body), nil)
	if err != nil || answer.StatusCode != http.StatusRequestTimeout {
		t.Errorf("slow body: %v, %v", answer, err)
	}
	if s := outcome(t, seen); s.Outcome != "slow_body" {
		t.Errorf("slow body: %+v", s)
	}
	header := dial(t, addr)
	fmt.Fprint(header, head)
	if rest, _ := io.ReadAll(header); strings.Contains(string(rest), "202") {
		t.Errorf("slow header: %s", rest)
	}
	if l.len() != 0 {
		t.Errorf("%d appended", l.len())
	}
}

//fault:h6 huge headers: refused
func TestHugeHeader(t *testing.T) {
	addr, _, _ := start(t, &memoryLog{}, nil)
	c := dial(t, addr)
	fmt.Fprint(c, head+"X: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
	if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v, %v", answer, err)
	}
}

// Who goes away in the middle of a body has sent nothing; the server serves on.
//
//fault:h2 gone while it sent: nothing is appended
func TestClientGoneInTheMiddle(t *testing.T) {
	l := &memoryLog{}
	addr, seen, logged := start(t, l, nil)
	c := dial(t, addr)
	fmt.Fprintf(c, head+"Content-Length: %d\r\n\r\n[%s", len(good)+2, good)
	_ = c.Close()
	if s := outcome(t, seen); s.Outcome != "client_gone" || l.len() != 0 {
		t.Errorf("%+v, %d appended", s, l.len())
	}
	c = dial(t, addr)
	fmt.Fprint(c, head+"Transfer-Encoding: chunked\r\n\r\n")
	for _, b := range []byte("[" + good + "]") { // chunks of one byte are slow, but fair
		fmt.Fprintf(c, "1\r\n%c\r\n", b)
	}
	fmt.Fprint(c, "0\r\n\r\n")
	if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != http.StatusAccepted {
		t.Errorf("%v, %v", answer, err)
	}
	if strings.Contains(logged(), "7946") {
		t.Errorf("the server logs numbers: %s", logged())
	}
}

// More connections than allowed wait, and are served when one is closed.
//
//fault:h6 more connections than allowed
func TestConnectionLimit(t *testing.T) {
	addr, _, _ := start(t, &memoryLog{}, nil)
	var open []net.Conn
	for range 4 {
		c := dial(t, addr)
		fmt.Fprintf(c, head+"Content-Length: 2\r\n\r\n[]")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	fifth := dial(t, addr)
	fmt.Fprintf(fifth, head+"Content-Length: 2\r\n\r\n[]")
	_ = fifth.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := fifth.Read(make([]byte, 1)); err == nil {
		t.Error("a fifth connection is served")
	}
	_ = open[0].Close()
	_ = fifth.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := http.ReadResponse(bufio.NewReader(fifth), nil); err != nil {
		t.Errorf("a waiting connection: %v", err)
	}
}
