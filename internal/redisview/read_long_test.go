package redisview

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/tests/backend"
	"switchboard/tests/fixture"
)

// TestReadAHundredThousand: a long timeline comes in order, once each, in bounded memory.
func TestReadAHundredThousand(t *testing.T) {
	c := connect(t, backend.RealRedis(t).Addr)
	l := fixture.Open(t, c, 0, 1, "g")
	const n = 100_000 // about 20 weeks of 5,000: some are pages, some are not
	for i := 0; i < n; i += 2500 {
		var list []event.Event
		for k := i; k < i+2500; k++ {
			list = append(list, fixture.Call("alice", fmt.Sprint("c", k%20_000), k*2, 1))
		}
		l.Fold(list...)
	}
	r := c.Reader(fixture.Topic, 1)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got, last, most := 0, int64(0), uint64(0)
	reading, err := r.Timeline(t.Context(), "alice", nil, func(_ fold.EntryID, e *fold.Entry) error {
		if e.StartMs <= last {
			t.Fatalf("report %d is out of order", got)
		}
		last = e.StartMs
		if got++; got%20_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
		return nil
	}, nil)
	if err != nil || got != n || reading.At != n-1 || reading.AtEnd != n-1 || reading.Moving() {
		t.Fatalf("%d reports, %+v (%v)", got, reading.Cut, err)
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("%d MiB held while streaming", grown>>20)
	}
	contacts := map[string]bool{}
	if _, err := r.Contacts(t.Context(), "alice", func(name string, _ *fold.Contact) error {
		if contacts[name] {
			t.Errorf("%s twice", name)
		}
		contacts[name] = true
		return nil
	}, nil); err != nil || len(contacts) != 20_000 {
		t.Errorf("%d contacts (%v)", len(contacts), err)
	}
}

// TestReadHostileCard: reports in thousands of weeks make a card that is no short record.
func TestReadHostileCard(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		l := fixture.Open(t, c, 0, 1, "g")
		const n = longFields + 1500
		for i := 0; i < n; i += 500 {
			var list []event.Event
			for k := i; k < i+500; k++ {
				list = append(list, fixture.Call("mallory", "bob", -k*7*24*60, 1))
			}
			l.Fold(list...)
		}
		r := c.Reader(fixture.Topic, 1)
		card, err := r.Card(t.Context(), "mallory")
		if err != nil || len(card.Weeks) != n || card.Card.CallsIn != n || card.At != n-1 {
			t.Fatalf("%d weeks, %+v (%v)", len(card.Weeks), card.Card, err)
		}
		got := 0
		if _, err := r.Timeline(t.Context(), "mallory", nil, func(fold.EntryID, *fold.Entry) error { got++; return nil }, nil); err != nil || got != n {
			t.Errorf("%d reports (%v)", got, err)
		}
	})
}

// TestReadMovingSubject: a long answer about a subject that never stands still names both positions, at the third attempt.
func TestReadMovingSubject(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		l := fixture.Open(t, c, 0, 1, "g")
		minute := 0
		more := func(n int) {
			var list []event.Event
			for range n {
				list = append(list, fixture.Call("alice", "bob", minute, 1))
				minute += 30
			}
			l.Fold(list...)
		}
		for range 13 {
			more(1000)
		}
		r := c.Reader(fixture.Topic, 1)
		got, anew := 0, 0
		reading, err := r.Timeline(t.Context(), "alice", nil, func(fold.EntryID, *fold.Entry) error {
			if got++; got == 1 {
				more(1)
			}
			return nil
		}, func() { got = 0; anew++ })
		if err != nil || anew != attempts-1 || reading.AtEnd != reading.At+1 || !reading.Moving() || got < 13_000 {
			t.Errorf("%d reports, %d times anew, at %d to %d (%v)", got, anew, reading.At, reading.AtEnd, err)
		}
		got = 1 // stands still
		reading, err = r.Timeline(t.Context(), "alice", nil, func(fold.EntryID, *fold.Entry) error { got++; return nil }, nil)
		if err != nil || reading.AtEnd != reading.At || reading.Moving() || got != 1+13_003 {
			t.Errorf("%d reports, at %d to %d (%v)", got-1, reading.At, reading.AtEnd, err)
		}
	})
}

// TestReadConsistentCuts: while one goroutine writes, every answer about one subject agrees with itself.
func TestReadConsistentCuts(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		l := fixture.Open(t, c, 0, 1, "g")
		l.Fold(fixture.Call("alice", "c0", 0, 1))
		r := c.Reader(fixture.Topic, 1)
		var stop atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 1; !stop.Load(); i++ {
				// another contact and, now and then, another week
				l.Fold(fixture.Call("alice", fmt.Sprint("c", i%60), i*40, 2), fixture.Call("alice", fmt.Sprint("c", i%60), i*40+1, 3))
			}
		}()
		answers := 0
		for end := time.Now().Add(time.Second); time.Now().Before(end); answers++ {
			var n, seconds int64
			reset := func() { n, seconds = 0, 0 }
			reading, err := r.Timeline(t.Context(), "alice", nil, func(_ fold.EntryID, e *fold.Entry) error {
				n++
				seconds += e.Seconds
				return nil
			}, reset)
			if err != nil {
				t.Fatal(err)
			}
			if n != reading.Card.CallsIn || seconds != reading.Card.SecondsIn || reading.At != reading.Next-1 || n != reading.Next {
				if reading.AtEnd == reading.At {
					t.Fatalf("the timeline has %d reports of %d s, the card at %d (next %d) %d of %d s", n, seconds, reading.At, reading.Next, reading.Card.CallsIn, reading.Card.SecondsIn)
				}
			}
			var contacts int64
			reset()
			reading, err = r.Contacts(t.Context(), "alice", func(_ string, c *fold.Contact) error {
				contacts++
				n += c.CallsIn
				seconds += c.SecondsIn
				return nil
			}, func() { contacts = 0; reset() })
			if err != nil {
				t.Fatal(err)
			}
			if n != reading.Card.CallsIn || seconds != reading.Card.SecondsIn || contacts != reading.Card.Contacts {
				t.Fatalf("%d contacts of %d calls, the card %+v", contacts, n, reading.Card)
			}
		}
		stop.Store(true)
		<-done
		if answers < 20 {
			t.Logf("only %d answers", answers)
		}
	})
}

// TestReadOnACluster: subjects of three nodes.
func TestReadOnACluster(t *testing.T) {
	c := connect(t, backend.RealRedisCluster(t).Addrs...)
	hashIsThatOfTheState(t, c)
	if err := c.shared.(*redis.ClusterClient).ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
		return node.FlushAll(ctx).Err()
	}); err != nil {
		t.Fatal(err)
	}
	const partitions = 6
	r := c.Reader(fixture.Topic, partitions)
	nodes := map[string]bool{}
	for p := range int32(partitions) {
		name := fixture.SubjectsOf(p, partitions, 1)[0]
		fixture.Open(t, c, p, partitions, "g").Fold(fixture.Call(name, "shared", int(p), 60), fixture.Call(name, "shared", 20_000, 60))
		got := 0
		reading, err := r.Timeline(t.Context(), event.Subject(name), nil, func(fold.EntryID, *fold.Entry) error { got++; return nil }, nil)
		if err != nil || got != 2 || reading.Next != 2 {
			t.Errorf("%s: %d reports, %+v (%v)", name, got, reading.Cut, err)
		}
		place, err := r.Where(t.Context(), event.Subject(name))
		if err != nil {
			t.Fatal(err)
		}
		nodes[place.Node] = true
	}
	if len(nodes) < 2 {
		t.Errorf("all on %v", nodes)
	}
	if reach, cuts, err := r.Reach(t.Context(), "shared"); err != nil || len(reach) != partitions || len(cuts) != partitions {
		t.Errorf("reach: %v (%v)", reach, err)
	}
	if top, _, err := r.Top(t.Context(), "seconds", 0, 3); err != nil || len(top) != 3 || top[0].Score != 120 {
		t.Errorf("top: %v (%v)", top, err)
	}
	if lags, err := r.Wait(t.Context(), token(fixture.TopicID, 2, 2, 2, 2, 2, 2)); err != nil || len(lags) > 0 {
		t.Errorf("wait: %v (%v)", lags, err)
	}
	list, err := c.Check(t.Context(), CheckOptions{})
	if err != nil || list.Err() != nil || len(list) < 3 {
		t.Errorf("checks: %v (%v)", list, err)
	}
}

// TestReadAsTheConsoleMay: the Redis user of the console may read, and nothing else (RELIABILITY.md 6.2).
func TestReadAsTheConsoleMay(t *testing.T) {
	server := backend.RealRedis(t)
	admin := connect(t, server.Addr)
	l := fixture.Open(t, admin, 0, 1, "g")
	for i := range 12 {
		var list []event.Event
		for k := range 500 {
			list = append(list, fixture.Call("alice", fmt.Sprint("c", i*500+k), (i*500+k)*10, 1))
		}
		l.Fold(list...)
	}
	rules := []any{"ACL", "SETUSER", "console", "on", ">secret", "resetkeys", "%R~v:*", "resetchannels", "-@all"}
	for _, command := range []string{
		"get", "mget", "hget", "hmget", "hgetall", "hscan", "zrange", "zscore", "zcard", "exists", "type", "ttl", "ping", "hello", "multi", "exec", "client|setname",
	} {
		rules = append(rules, "+"+command)
	}
	if err := admin.shared.Do(t.Context(), rules...).Err(); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Addrs: []string{server.Addr}, Username: "console", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := c.Reader(fixture.Topic, 1)
	nothing := func(fold.EntryID, *fold.Entry) error { return nil }
	for name, read := range map[string]func() error{
		"card":     func() error { _, err := r.Card(t.Context(), "alice"); return err },
		"timeline": func() error { _, err := r.Timeline(t.Context(), "alice", nil, nothing, nil); return err },
		"contacts": func() error {
			_, err := r.Contacts(t.Context(), "alice", func(string, *fold.Contact) error { return nil }, nil)
			return err
		},
		"reach":  func() error { _, _, err := r.Reach(t.Context(), "c1"); return err },
		"top":    func() error { _, _, err := r.Top(t.Context(), "in", 0, 5); return err },
		"totals": func() error { _, _, err := r.Totals(t.Context()); return err },
		"where":  func() error { _, err := r.Where(t.Context(), "alice"); return err },
		"wait":   func() error { _, err := r.Wait(t.Context(), token(fixture.TopicID, 6000)); return err },
	} {
		if err := read(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.shared.HSet(context.Background(), ServingKey, "a", "b").Err(); err == nil || !isReply(err) {
		t.Errorf("the console may write: %v", err)
	}
	if _, err := r.VerifyHash(t.Context()); err == nil {
		t.Error("the console may scan")
	}
}
