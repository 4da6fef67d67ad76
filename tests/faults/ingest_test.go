package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

// door is an ingest, and how many reports it was sent.
type door struct {
	*local.Ingest
	sent int
}

// answered is one answer: its status, whether it says when to come again, and the status of each event by its id.
type answered struct {
	code  int
	again bool
	items []item
}

type item struct {
	Status  string `json:"status"`
	EventID string `json:"event_id"`
}

// post sends n calls that no other post sends.
func (d *door) post(n int) answered {
	zero := int32(0)
	var list []event.Submitted
	for range n {
		d.sent++
		list = append(list, event.Submitted{
			Kind: "call", Subscriber: fmt.Sprintf("+4477009%05d", d.sent%40), Counterpart: "+447700999999", Direction: "out", Outcome: "answered",
			StartedAt: 1_700_000_000_000 + int64(d.sent)*1000, DurationS: int32(1 + d.sent%600), UTCOffsetS: &zero,
		})
	}
	raw, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	resp, err := http.Post(d.URL, "application/json", bytes.NewReader(raw))
	if err != nil {
		return answered{}
	}
	defer resp.Body.Close()
	var body struct{ Items []item }
	_ = json.NewDecoder(resp.Body).Decode(&body) // a refusal has none
	return answered{resp.StatusCode, resp.Header.Get("Retry-After") != "", body.Items}
}

// log is the facts of the log by id, each with how often it is there, and as they are folded.
func (s *site) log() map[string]int {
	s.Helper()
	decoder, err := avrowire.NewDecoder(nil)
	if err != nil {
		s.Fatal(err)
	}
	s.Facts = nil
	times := map[string]int{}
	for _, r := range s.Read(s.Reports) {
		e, err := decoder.Decode(r.Value)
		if err != nil {
			s.Fatal(err)
		}
		times[e.Envelope().ID.String()]++
		s.Facts = append(s.Facts, e)
	}
	return times
}

// TestTooFewReplicas: nothing that the brokers refuse for want of replicas is answered with 202, and what failed in one partition of a request
// is told item by item.
//
//fault:k2 NOT_ENOUGH_REPLICAS from every partition: 503 with Retry-After; 202 when it is over
//fault:h3 the same from one of two partitions: 503, accepted and unknown side by side; what was accepted is in the log
func TestTooFewReplicas(t *testing.T) {
	t.Parallel()
	b, broker := backend.Faulty(t)
	s := newSite(t, b, local.Options{Env: []string{"SWITCHBOARD_INGEST_REQUEST_DEADLINE=500ms", "SWITCHBOARD_INGEST_INBOX=off"}})
	s.Start()
	d := &door{Ingest: s.Ingest(nil)}
	accepted := map[string]bool{}
	for _, c := range []struct {
		faulty []int32
		want   []string
	}{
		{nil, []string{"accepted"}}, {[]int32{0, 1}, []string{"unknown"}}, {[]int32{1}, []string{"accepted", "unknown"}},
		{nil, []string{"accepted"}}, // and with it, in each partition, whatever waited before it
	} {
		fault := broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.Reports, Partitions: c.faulty, Err: kerr.NotEnoughReplicas, Count: -1})
		if c.faulty == nil {
			fault.Remove()
		}
		a := d.post(40)
		fault.Remove()
		if wants := c.faulty != nil; wants != (a.code == http.StatusServiceUnavailable && a.again) || !wants && a.code != http.StatusAccepted {
			t.Errorf("faulty partitions %v: %d, Retry-After %t", c.faulty, a.code, a.again)
		}
		got := map[string]int{}
		for _, item := range a.items {
			got[item.Status]++
			if item.Status == "accepted" {
				accepted[item.EventID] = true
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("faulty partitions %v: %v, want each of %v", c.faulty, got, c.want)
		}
		for _, status := range c.want {
			if got[status] == 0 {
				t.Errorf("faulty partitions %v: %v, want each of %v", c.faulty, got, c.want)
			}
		}
	}
	s.CaughtUp()
	log := s.log()
	for id := range accepted {
		if log[id] == 0 {
			t.Errorf("%s was accepted, and is not in the log", id)
		}
	}
	s.Exact()
	s.Halt()
}

// valve is a network that lets nothing out while it is closed.
type valve struct {
	mu   sync.Mutex
	open *sync.Cond
	shut bool
}

type valveConn struct {
	net.Conn
	valve *valve
}

func newValve() *valve {
	v := &valve{}
	v.open = sync.NewCond(&v.mu)
	return v
}

func (v *valve) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	return &valveConn{conn, v}, err
}

func (v *valve) turn(shut bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shut = shut
	v.open.Broadcast()
}

func (c *valveConn) Write(b []byte) (int, error) {
	c.valve.mu.Lock()
	for c.valve.shut {
		c.valve.open.Wait()
	}
	c.valve.mu.Unlock()
	return c.Conn.Write(b)
}

// TestKafkaIsSilent: brokers that take nothing and say nothing. What was sent is unknown at the deadline, what finds no room is refused, nothing is
// accepted; afterwards everything that was sent is in the log, once.
//
//fault:h1 connections to the brokers stand still: 503 with Retry-After, no 202, not ready, no more waits than the buffer takes; once in the log later
func TestKafkaIsSilent(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		const most = 100
		s := newSite(t, b, local.Options{Env: []string{"SWITCHBOARD_INGEST_REQUEST_DEADLINE=300ms", "SWITCHBOARD_INGEST_INBOX=off", fmt.Sprint("SWITCHBOARD_INGEST_MAX_BUFFERED_RECORDS=", most), "SWITCHBOARD_INGEST_MAX_EVENTS=100"}})
		v := newValve()
		d := &door{Ingest: s.Ingest(v.dial)}
		t.Cleanup(func() { v.turn(false) }) // before the ingest is to end
		if a := d.post(20); a.code != http.StatusAccepted {
			t.Fatalf("%+v", a)
		}
		v.turn(true)
		got := map[string]int{}
		sent := map[string]bool{}
		for range 8 {
			a := d.post(20)
			if a.code != http.StatusServiceUnavailable || !a.again {
				t.Errorf("%d, Retry-After %t", a.code, a.again)
			}
			for _, item := range a.items {
				got[item.Status]++
				if item.Status == "unknown" {
					sent[item.EventID] = true
				}
			}
		}
		if got["accepted"] > 0 || got["unknown"] == 0 || got["unknown"] > most || got["not_sent"] == 0 {
			t.Errorf("items %v, want at most %d unknown, the others not sent", got, most)
		}
		if err := d.Ready(); err == nil {
			t.Error("the ingest says that all is well")
		}
		v.turn(false)
		s.Until("it is ready again", func() bool { return d.Ready() == nil })
		s.Until("it accepts again", func() bool { return d.post(20).code == http.StatusAccepted })
		log := s.log()
		for id := range sent {
			if log[id] != 1 {
				t.Errorf("%s was sent, and is %d times in the log", id, log[id])
			}
		}
		s.Start()
		s.CaughtUp()
		s.Exact()
		s.Halt()
	})
}

// TestBrokersDie kills the leader of a partition under load, then two of three brokers, and starts them again.
//
//fault:k1 one of three brokers killed under load (SWITCHBOARD_LONG=1): what was accepted is in the log, once
//fault:k2 two of three killed (SWITCHBOARD_LONG=1): no 202 until they are back
func TestBrokersDie(t *testing.T) {
	if os.Getenv("SWITCHBOARD_LONG") == "" {
		t.Skip("three brokers: only with SWITCHBOARD_LONG=1 (make test-long)")
	}
	servers := backend.OwnKafka(t, 3)
	b := backend.Backend{Name: "three brokers", Brokers: servers.Brokers, Redis: []string{backend.RealRedis(t).Addr}, Prefix: backend.Prefix()}
	s := newSite(t, b, local.Options{Copies: 3, Env: []string{"SWITCHBOARD_INGEST_REQUEST_DEADLINE=3s", "SWITCHBOARD_INGEST_INBOX=off"}})
	s.Start()
	d := &door{Ingest: s.Ingest(nil)}

	var mu sync.Mutex
	accepted, codes := map[string]bool{}, map[int]int{}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() {
		for ctx.Err() == nil {
			a := d.post(20)
			mu.Lock()
			codes[a.code]++
			for _, item := range a.items {
				if item.Status == "accepted" {
					accepted[item.EventID] = true
				}
			}
			mu.Unlock()
		}
	})
	count := func(code int) int { mu.Lock(); defer mu.Unlock(); return codes[code] }
	more := func(what string, code int) {
		t.Helper()
		before := count(code)
		s.Until(what, func() bool { return count(code) > before+3 })
	}
	more("accepted by three", http.StatusAccepted)
	leader := s.leader(0)
	servers.Kill(t, leader)
	more("accepted by two", http.StatusAccepted)
	other := leader%3 + 1
	servers.Kill(t, other)
	more("refused by one", http.StatusServiceUnavailable)
	before := count(http.StatusAccepted)
	more("still refused", http.StatusServiceUnavailable)
	if n := count(http.StatusAccepted); n != before {
		t.Errorf("%d requests were accepted by one broker of three", n-before)
	}
	servers.Start(t)
	more("accepted again", http.StatusAccepted)
	stop()
	load.Wait()
	if codes[0] > 0 {
		t.Errorf("%d requests were not answered", codes[0])
	}
	s.CaughtUp()
	log := s.log()
	for id := range accepted {
		if log[id] != 1 {
			t.Errorf("%s was accepted, and is %d times in the log", id, log[id])
		}
	}
	t.Logf("%d accepted, %d in the log, answers %v", len(accepted), len(log), codes)
	s.Exact()
	s.noLetters()
	s.Halt()
}

// leader is the broker that leads a partition, counted from 1.
func (s *site) leader(p int32) int {
	s.Helper()
	topics, err := s.Admin.ListTopics(s.Context(), s.Reports)
	if err != nil {
		s.Fatal(err)
	}
	var found kadm.PartitionDetail
	topics.EachPartition(func(d kadm.PartitionDetail) {
		if d.Partition == p {
			found = d
		}
	})
	return int(found.Leader)
}
