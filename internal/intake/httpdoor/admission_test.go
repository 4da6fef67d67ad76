package httpdoor

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestKeys(t *testing.T) {
	l := &memoryLog{}
	d := newDoor(t, l, func(o *Options) {
		o.Anonymous = false
		o.Keys = []Key{{ID: "phones", SHA256: []string{hash("old"), strings.ToUpper(hash("new"))}}, {ID: "other", SHA256: []string{hash("third")}}}
	})
	for _, c := range []struct {
		authorization string
		status        int
	}{
		{"Bearer phones.old", 202}, {"Bearer phones.new", 202}, {"bearer other.third", 202},
		{"", 401}, {"Bearer", 401}, {"Bearer phones", 401}, {"Bearer phones.", 401}, {"Bearer .old", 401}, {"Bearer phones.third", 401},
		{"Bearer nobody.old", 401}, {"Basic phones.old", 401}, {"Bearer phones.old ", 401}, {"phones.old", 401},
		{"Bearer phones." + strings.Repeat("\x00", 32), 401}, {"Bearer phones." + hash("old"), 401},
	} {
		w, _ := serve(t, d, post("["+good+"]", "Authorization", c.authorization))
		if w.Code != c.status {
			t.Errorf("%q: %d, want %d", c.authorization, w.Code, c.status)
		}
		if c.status == 401 && w.Header().Get("WWW-Authenticate") != `Bearer realm="switchboard"` {
			t.Errorf("%q: %v", c.authorization, w.Header())
		}
	}
	if e := l.events[0].Envelope(); e.Actor != "key:phones" {
		t.Errorf("actor %q", e.Actor)
	}
	w, _ := serve(t, d, post("["+good+"]"))
	if w.Code != 401 || l.len() != 3 {
		t.Errorf("without a key: %d, %d appended", w.Code, l.len())
	}
	if w.Header().Get("Content-Type") != "application/problem+json" {
		t.Error(w.Header())
	}
}

// The quota counts events, per key, and fills up again.
func TestQuota(t *testing.T) {
	clock := now
	d := newDoor(t, &memoryLog{}, func(o *Options) {
		o.Anonymous, o.Now = false, func() time.Time { return clock }
		o.Keys = []Key{
			{ID: "a", SHA256: []string{hash("x")}, EventsPerSecond: 100, Burst: 1},
			{ID: "b", SHA256: []string{hash("x")}, EventsPerSecond: 100},
			{ID: "c", SHA256: []string{hash("x")}},
		}
	})
	full := "[" + strings.Repeat("1,", 999) + "1]"
	send := func(key, body string) (int, int) {
		w, _ := serve(t, d, post(body, "Authorization", "Bearer "+key+".x"))
		wait, _ := strconv.Atoi(w.Header().Get("Retry-After"))
		return w.Code, wait
	}
	for i, want := range []int{422, 429, 429} {
		if code, wait := send("a", full); code != want || (want == 429) != (wait > 0) {
			t.Fatalf("request %d: %d, retry after %d", i, code, wait)
		}
	}
	if code, _ := send("b", full); code != 422 {
		t.Errorf("another key suffers: %d", code)
	}
	for range 5 {
		if code, _ := send("c", full); code != 422 {
			t.Errorf("a key without quota: %d", code)
		}
	}
	clock = clock.Add(-time.Hour) // set back: nothing is won or lost
	if code, _ := send("a", full); code != 429 {
		t.Errorf("clock set back: %d", code)
	}
	clock = clock.Add(time.Second)
	if code, _ := send("a", full); code != 422 {
		t.Errorf("a second later: %d", code) // 100 events are there again, and one request may go into debt
	}
	if code, wait := send("a", full); code != 429 || wait < 9 {
		t.Errorf("in debt: %d, retry after %d", code, wait)
	}
}

// What is full refuses without reading, and takes again when there is room.
func TestCapacity(t *testing.T) {
	l := &memoryLog{gate: make(chan struct{})}
	body := "[" + good + "]"
	d := newDoor(t, l, func(o *Options) { o.MaxInFlightBytes = weight(1<<20) + zstdWindow })
	inFlight := func() int64 {
		d.bytes.mu.Lock()
		defer d.bytes.mu.Unlock()
		return d.bytes.used
	}
	small := weight(int64(len(body)))
	fits := int(d.bytes.max / small)
	done := make(chan int, fits)
	for range fits {
		go func() {
			w, _ := serve(t, d, post(body))
			done <- w.Code
		}()
	}
	for inFlight() != int64(fits)*small {
		time.Sleep(time.Millisecond)
	}
	unread := &countingReader{}
	r := post("")
	r.Body, r.ContentLength = unread, 1<<20
	w, _ := serve(t, d, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || unread.reads > 0 {
		t.Errorf("full: %d %v, %d reads", w.Code, w.Header(), unread.reads)
	}
	close(l.gate)
	for range fits {
		if code := <-done; code != http.StatusAccepted {
			t.Errorf("one of those inside: %d", code)
		}
	}
	if n := inFlight(); n != 0 {
		t.Errorf("%d bytes are still reserved", n)
	}
	for _, encoding := range []string{"gzip", "zstd"} {
		if w, _ := serve(t, d, post(zipped(t, encoding, body), "Content-Encoding", encoding)); w.Code != http.StatusAccepted {
			t.Errorf("room again, %s: %d", encoding, w.Code)
		}
	}
	for _, bad := range []string{"", "[", "[]"} {
		serve(t, d, post(bad))
		serve(t, d, post(bad, "Content-Encoding", "zstd"))
	}
	if n := inFlight(); n != 0 {
		t.Errorf("%d bytes are still reserved after refusals", n)
	}
}

type countingReader struct{ reads int }

func (c *countingReader) Read(p []byte) (int, error) { c.reads++; return 0, fmt.Errorf("read") }
func (c *countingReader) Close() error               { return nil }

// The client that goes away does not take back what was handed to the log.
//
//fault:h2 appended all the same
func TestClientGoneAfterSending(t *testing.T) {
	l := &memoryLog{gate: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int)
	d := newDoor(t, l, nil)
	go func() {
		w, _ := serve(t, d, post("["+good+"]").WithContext(ctx))
		done <- w.Code
	}()
	cancel()
	close(l.gate)
	if code := <-done; code != http.StatusAccepted || l.len() != 1 {
		t.Errorf("%d, %d appended", code, l.len())
	}
}
