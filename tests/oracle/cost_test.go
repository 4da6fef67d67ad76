package oracle

import (
	"context"
	"fmt"
	"math"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/tests/backend"
)

// cost is what Redis was asked for.
type cost struct {
	commands     map[string]int64 // of a real Redis
	micros       int64            // likewise
	sent, gotten int64            // bytes on the processor's connections
}

func (c cost) calls() (n int64) {
	for _, calls := range c.commands {
		n += calls
	}
	return n
}

// meter counts the bytes on connections, and asks Redis what it did.
type meter struct{ sent, gotten atomic.Int64 }

func (m *meter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	return &metered{conn, m}, err
}

type metered struct {
	net.Conn
	m *meter
}

func (c *metered) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.m.gotten.Add(int64(n))
	return n, err
}

func (c *metered) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.m.sent.Add(int64(n))
	return n, err
}

func (m *meter) read(t *testing.T, in *installation, rdb *redis.Client) cost {
	t.Helper()
	c := cost{sent: m.sent.Load(), gotten: m.gotten.Load(), commands: map[string]int64{}}
	if in.b.Name == "embedded" {
		return c
	}
	text, err := rdb.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		var calls, micros int64
		name, stats, found := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
		if !found || name == "info" {
			continue
		}
		if _, err := fmt.Sscanf(stats, "calls=%d,usec=%d", &calls, &micros); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		c.commands[name], c.micros = calls, c.micros+micros
	}
	return c
}

func (c cost) since(before cost) cost {
	d := cost{sent: c.sent - before.sent, gotten: c.gotten - before.gotten, micros: c.micros - before.micros, commands: map[string]int64{}}
	for name, calls := range c.commands {
		if n := calls - before.commands[name]; n > 0 {
			d.commands[name] = n
		}
	}
	return d
}

// TestCostOfAnEvent holds the cost of an event of a subscriber with very many contacts to that of one with ten.
func TestCostOfAnEvent(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		contacts, events := 100_000, 400
		switch {
		case b.Name == "embedded":
			contacts = 20_000
		case long():
			contacts = 1_000_000
		}
		in := install(t, b, "partitions: 1")
		few, many := &talker{"costs-little", 10, 0}, &talker{"costs-a-lot", contacts, 0}
		in.importFacts(few.history(200))
		in.importFacts(many.history(contacts))
		in.growing(t, many)
		for _, c := range []struct {
			name  string
			cache string
			of    int // contacts that the measured events are about; of 0 every tenth is new
		}{
			{"nothing cached, one contact in ten new", "0", 0},
			{"cached", "256MiB", 10},
		} {
			t.Run(c.name, func(t *testing.T) {
				m := &meter{}
				one := []string{"SWITCHBOARD_PROCESSOR_BATCH_LIVE_EVENTS=1", "SWITCHBOARD_PROCESSOR_BATCH_CATCHUP_EVENTS=1"} // each event is a batch
				p := in.processDialing(m.dial, append(one, "SWITCHBOARD_PROCESSOR_CACHE_BYTES="+c.cache)...)
				defer p.stop()
				in.measure(m, p, few, c.of, 50) // warms up
				in.measure(m, p, many, c.of, 50)
				small, large := in.measure(m, p, few, c.of, events), in.measure(m, p, many, c.of, events)
				compareCosts(t, events, small, large)
			})
		}
	})
}

// talker is a subscriber with so many contacts, whose names are of one length.
type talker struct {
	subject  event.Subject
	contacts int
	said     int64
}

// history is n reports, with each contact in turn.
func (s *talker) history(n int) []event.Event {
	list := make([]event.Event, n)
	for i := range list {
		list[i] = s.call(i % s.contacts)
	}
	return list
}

// call is the next call: every second one in another of ten weeks.
func (s *talker) call(contact int) event.Event {
	s.said++
	e := &event.CallReported{
		Common:      event.Common{Subject: s.subject, OccurredAt: 1_500_000_000_000 + s.said/2%10*7*86_400_000 + s.said%600_000*1000},
		Report:      event.Report{Counterpart: fmt.Sprintf("contact-%09d", contact), Direction: event.Out, Outcome: event.Answered, AntennaID: "7"},
		CallDetails: event.CallDetails{DurationS: 61},
	}
	e.ID = event.IDOf(e)
	return e
}

// measure is what n more events cost. It waits by the processor's own figures, so that waiting asks Redis nothing.
func (in *installation) measure(m *meter, p *processor, s *talker, of, n int) cost {
	in.Helper()
	var list []event.Event
	for i := range n {
		contact := i * 7919 % s.contacts
		switch {
		case of > 0:
			contact = i % of
		case i%10 == 0:
			contact = s.contacts + int(s.said) // never heard of
		}
		list = append(list, s.call(contact))
	}
	in.folded(p)
	rdb := in.redis()
	before := m.read(in.T, in, rdb)
	in.importFacts(list)
	in.folded(p)
	return m.read(in.T, in, rdb).since(before)
}

func (in *installation) folded(p *processor) {
	in.Helper()
	in.await("the end of the log", func() bool {
		s, running := p.Lanes()[in.partition(0)]
		return running && s.Next >= in.upTo.Next[0]
	})
}

func compareCosts(t *testing.T, events int, small, large cost) {
	t.Helper()
	const tolerance = 0.05 // ticks, and the question what serves, come by the clock
	hold := func(what string, a, b int64) {
		if math.Abs(float64(b)/float64(a)-1) > tolerance {
			t.Errorf("%s: %d for %d events of a subscriber with few contacts, %d with many", what, a, events, b)
		}
	}
	each := func(n int64) string { return strconv.FormatFloat(float64(n)/float64(events), 'f', 1, 64) }
	if len(small.commands) > 0 {
		hold("commands", small.calls(), large.calls())
	}
	hold("bytes sent", small.sent, large.sent)
	hold("bytes received", small.gotten, large.gotten)
	t.Logf("an event with few / many contacts: %s / %s commands, %s / %s bytes sent, %s / %s received, %s / %s us of Redis\n\t%v\n\t%v",
		each(small.calls()), each(large.calls()), each(small.sent), each(large.sent), each(small.gotten), each(large.gotten), each(small.micros), each(large.micros), small.commands, large.commands)
}

// growing folds a history with a cache of whose size a subscriber may take an eighth: what it keeps in memory must not grow with the
// history. SWITCHBOARD_LONG=1 compares with a cache that holds everything.
func (in *installation) growing(t *testing.T, many *talker) {
	t.Helper()
	small := in.folding(t, "4MiB")
	answer, err := in.console().Card(t.Context(), console.Query{Subject: many.subject})
	if err != nil || answer.Contacts != int64(many.contacts) || answer.CallsOut != many.said {
		t.Fatalf("%d contacts, %d calls, want %d, %d: %v", answer.Contacts, answer.CallsOut, many.contacts, many.said, err)
	}
	if in.b.Name == "embedded" { // whose Redis lives in our memory, too
		return
	}
	t.Logf("a history of %d events: %d KiB stay with a cache of 4 MiB", many.said, small>>10)
	if limit := int64(24 << 20); small > limit { // 39 MiB with a cache that holds it; what is above 4 MiB are buffers of the last batch
		t.Errorf("the cache holds %d KiB, want at most %d", small>>10, limit>>10)
	}
	if !long() {
		return
	}
	if err := in.redis().FlushAllAsync(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	large := in.folding(t, "900MiB")
	t.Logf("%d KiB with one that holds it", large>>10)
	if large < 2*small {
		t.Errorf("a cache that holds the subscriber has %d KiB, one that must not %d", large>>10, small>>10)
	}
}

// folding folds everything and returns by how much the memory in use has grown then.
func (in *installation) folding(t *testing.T, cache string) int64 {
	t.Helper()
	before := heap()
	p := in.process("SWITCHBOARD_PROCESSOR_CACHE_BYTES=" + cache)
	in.folded(p)
	grown := heap() - before
	p.stop()
	return grown
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
