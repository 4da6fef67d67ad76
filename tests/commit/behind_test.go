package commit

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
)

// TestLanesThatAreBehindTakeTurns: of two lanes that are behind, with memory for one batch, the one that comes second waits until the first
// has written its batch, though it has written a first small one.
func TestLanesThatAreBehindTakeTurns(t *testing.T) {
	c, err := redisview.New(redisview.Options{Addrs: []string{backend.EmbeddedRedis(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l := limits(100)
	l.LiveEvents = 10
	turns := pipeline.NewTurns(100)
	gate := &gated{Models: c, arrived: make(chan event.Partition), open: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	lanes := map[event.Partition]*pipeline.Stats{}
	done := make(chan error, 2)
	const events = 210 // 10, and two large batches
	for _, topic := range []string{"a", "b"} {
		log := newMemlog(event.Partition{Topic: topic})
		for _, e := range factsFor(allViews, rand.New(rand.NewPCG(1, 2)), events, 20, false)[:events] {
			id := e.Envelope().ID
			log.add(id[:], encode(e), 0)
		}
		deps := newDeps(log, c, l, allViews)
		deps.Models, deps.Turns = gate, turns
		stats := pipeline.NewStats()
		lanes[log.partition] = stats
		lane := pipeline.NewLane(deps, pipeline.Assignment{Partition: log.partition, GroupOffset: -1}, &source{log: log, next: -1}, log, stats)
		go func() { done <- lane.Run(ctx) }()
	}
	wait := func(what string, ok func() bool) {
		t.Helper()
		for limit := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("not within 20 s: %s", what)
			}
		}
	}
	first := <-gate.arrived
	wait("the other lane waits", func() bool { return turns.Waiting() == 1 })
	for p, stats := range lanes {
		if got := stats.Snapshot().Next; got != 10 {
			t.Errorf("%s is at %d while a large batch is written, want 10", p, got)
		}
	}
	close(gate.open)
	if second := <-gate.arrived; second == first {
		t.Errorf("%s had two turns, though the other lane was further behind", first)
	}
	go func() {
		for range gate.arrived {
		}
	}()
	for p, stats := range lanes {
		wait(p.Topic+" is folded", func() bool { return stats.Snapshot().Next == events })
	}
	stop()
	for range lanes {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if !turns.Take(t.Context(), 100, 0) {
		t.Error("a lane has kept its share")
	}
}

// gated holds whoever writes a large batch.
type gated struct {
	pipeline.Models
	arrived chan event.Partition
	open    chan struct{}
}

func (g *gated) Open(ctx context.Context, id pipeline.LaneID) (pipeline.Store, pipeline.Pos, bool, error) {
	store, pos, found, err := g.Models.Open(ctx, id)
	if err == nil {
		store = &gatedStore{store, g, id.Partition}
	}
	return store, pos, found, err
}

type gatedStore struct {
	pipeline.Store
	gate *gated
	p    event.Partition
}

func (s *gatedStore) Commit(ctx context.Context, c *pipeline.Chunk) (pipeline.Outcome, error) {
	if c.Progress.Next-c.Before > 10 && c.Part == 1 {
		s.gate.arrived <- s.p
		<-s.gate.open
	}
	return s.Store.Commit(ctx, c)
}
