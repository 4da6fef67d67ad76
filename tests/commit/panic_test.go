package commit

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
)

// brittle is a subject whose fold cannot bear events with a certain native id, as with a bug of ours.
type brittle struct {
	view.Subject
	breaks int64 // at this offset; -1: not
}

const unbearable = "unbearable"

func newBrittle(id event.Subject, set view.Set) view.Subject {
	return &brittle{Subject: view.NewSubject(id, set), breaks: -1}
}

func (b *brittle) Queue(offset int64, e event.Event) {
	if e.Envelope().NativeID == unbearable {
		b.breaks = offset
		return
	}
	b.Subject.Queue(offset, e)
}

func (b *brittle) Fold() error {
	if b.breaks >= 0 {
		return &view.Panic{Offset: b.breaks, Value: "a bug"}
	}
	return b.Subject.Fold()
}

// TestPanics: an event that the fold cannot bear is a dead letter, and those around it are folded as if it were not there; with more of them than a
// bad record explains the lane stops before it passes the next.
//
//fault:e9 few: dead letters, exact; many within a minute: stopped in front of the next, not passed
func TestPanics(t *testing.T) {
	at := backend.EmbeddedRedis(t)
	c, err := redisview.New(redisview.Options{Addrs: []string{at}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rdb := redis.NewClient(&redis.Options{Addr: at})
	defer rdb.Close()
	for _, most := range []int{10, 2} {
		rdb.FlushAll(t.Context())
		log := newMemlog(partition)
		var good []event.Event
		var bad []int64
		for i, e := range reports(rand.New(rand.NewPCG(3, 3)), 60, 5, false) {
			if i%12 == 6 {
				e.Envelope().NativeID = unbearable
				e.Envelope().ID = event.IDOf(e)
				bad = append(bad, log.end)
			} else {
				good = append(good, e)
			}
			id := e.Envelope().ID
			log.add(id[:], encode(e), 0)
		}
		l := limits(7)
		l.Panics = most
		deps := newDeps(log, c, l, allViews)
		deps.NewSubject = newBrittle
		stats := pipeline.NewStats()
		lane := pipeline.NewLane(deps, pipeline.Assignment{Partition: partition, GroupOffset: -1}, &source{log: log, next: -1}, log, stats)
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		done := make(chan error, 1)
		go func() { done <- lane.Run(ctx) }()
		if most < len(bad) {
			var stopped *pipeline.Stopped
			if err := <-done; !errors.As(err, &stopped) || !strings.Contains(err.Error(), "previous version") {
				t.Errorf("the lane ended with %v", err)
			}
			if next := stats.Snapshot().Next; next > bad[most] {
				t.Errorf("the position is %d, beyond %d", next, bad[most])
			}
			cancel()
			continue
		}
		for stats.Snapshot().Next < log.end && ctx.Err() == nil {
			time.Sleep(2 * time.Millisecond)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		reference.Holds(t, rdb, reference.Serving(t.Context(), rdb, partition), allViews, good)
		if len(log.letters) != len(bad) {
			t.Fatalf("letters %+v, want one for each of %v", log.letters, bad)
		}
		for i, letter := range log.letters {
			if letter.Class != pipeline.ClassPanic || letter.Offset != bad[i] {
				t.Errorf("letter %+v, want one for %d", letter, bad[i])
			}
		}
	}
}
