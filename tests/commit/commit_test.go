// Package commit tries the commit of COMMIT.md: one partition at a time against a Redis, and the whole processor
// under attack.
package commit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
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

func TestMain(m *testing.M) { backend.Main(m) }

var partition = event.Partition{Topic: "calls.reports", Number: 0}

// encode and decode stand for Avro here: the commit does not care.
func encode(e event.Event) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return append([]byte(e.Type()+" "), b...)
}

func decode(value []byte) (event.Event, *pipeline.Poison) {
	name, body, _ := strings.Cut(string(value), " ")
	for _, e := range event.Types() {
		if e.Type() == name && json.Unmarshal([]byte(body), e) == nil {
			return e, nil
		}
	}
	return nil, &pipeline.Poison{Class: pipeline.ClassBadAvro, Reason: "no event"}
}

// reports is random reports of a few subscribers; with noise also duplicates and amendments, before and after their originals.
func reports(r *rand.Rand, n, subscribers int, noise bool) []event.Event {
	var list []event.Event
	add := func(e event.Event) event.ID {
		e.Envelope().ID = event.IDOf(e)
		list = append(list, e)
		return e.Envelope().ID
	}
	for len(list) < n {
		c := event.Common{Subject: event.Subject(fmt.Sprint("s", r.IntN(subscribers))), OccurredAt: 1_700_000_000_000 + r.Int64N(40*86400)*1000}
		rep := event.Report{Counterpart: fmt.Sprint("c", r.IntN(8)), Direction: event.Direction(1 + r.IntN(2)), Outcome: event.Answered, AntennaID: fmt.Sprint(r.IntN(3))}
		d := event.CallDetails{DurationS: int32(r.IntN(300))}
		id := add(&event.CallReported{Common: c, Report: rep, CallDetails: d})
		if noise && r.IntN(10) == 0 {
			d.DurationS = int32(r.IntN(3)) * 10
			add(&event.CallReportAmended{Common: c, Report: rep, CallDetails: d, Kind: event.Call, Amends: id, Revision: int32(1 + r.IntN(3))})
		}
		if noise && r.IntN(20) == 0 {
			list = append(list, list[r.IntN(len(list))])
		}
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

var allViews, _ = view.NewSet(view.Names())

func limits(batch int) pipeline.Limits {
	return pipeline.Limits{
		LiveEvents: max(1, batch/3), CatchupEvents: batch, SubjectEvents: 100, ChunkCommands: 40, ChunkBytes: 1 << 20, ChunkDeadline: 5 * time.Second,
		Tick: 50 * time.Millisecond, Panics: 10, Gather: 10 * time.Millisecond,
	}
}

func newDeps(log *memlog, c *redisview.Client, l pipeline.Limits, set view.Set) pipeline.Deps {
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("DEBUG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return pipeline.Deps{
		Log: log, Models: c, Generations: c, DeadLetters: log.bury, Decode: decode,
		NewSubject: view.NewSubject,
		Watermark:  log.watermark, Served: func(event.Partition) (pipeline.Generation, time.Time) { return "", time.Time{} },
		Cache: pipeline.NewCacheBudget(100_000), Turns: pipeline.NewTurns(l.CatchupEvents), Views: set, Limits: l, Version: "test", Run: fmt.Sprint("run", rand.Uint32()), Logger: logger,
	}
}

// run folds the log with a lane until the read models have reached its end.
func run(t testing.TB, log *memlog, c *redisview.Client, set view.Set, l pipeline.Limits) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	stats := pipeline.NewStats()
	lane := pipeline.NewLane(newDeps(log, c, l, set), pipeline.Assignment{Partition: log.partition, GroupOffset: -1}, &source{log: log, next: -1}, log, stats)
	done := make(chan error, 1)
	go func() { done <- lane.Run(ctx) }()
	for stats.Snapshot().Next < log.end {
		select {
		case err := <-done:
			t.Fatalf("the lane ended: %v", err)
		case <-time.After(2 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestBatchesDoNotMatter: batches of 1, 7 and 1,000 events, duplicates, disorder, holes and a restart give the same read models.
//
//fault:k10 holes between the offsets, batches of 1, 7 and 1,000 events
//fault:k14 duplicates and disorder
func TestBatchesDoNotMatter(t *testing.T) {
	for name, addr := range map[string]func(testing.TB) string{
		"embedded": func(t testing.TB) string { return backend.EmbeddedRedis(t) },
		"real":     func(t testing.TB) string { return backend.RealRedis(t).Addr },
	} {
		t.Run(name, func(t *testing.T) {
			at := addr(t)
			c, err := redisview.New(redisview.Options{Addrs: []string{at}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			rdb := redis.NewClient(&redis.Options{Addr: at})
			defer rdb.Close()
			for name, set := range map[string]view.Set{"subscribers": allViews, "devices": deviceViews} {
				t.Run(name, func(t *testing.T) { batchesDoNotMatter(t, c, rdb, set) })
			}
		})
	}
}

func batchesDoNotMatter(t *testing.T, c *redisview.Client, rdb *redis.Client, set view.Set) {
	r := rand.New(rand.NewPCG(1, 2))
	list := factsFor(set, r, 3000, 20, true)
	for _, batch := range []int{1, 7, 1000} {
		rdb.FlushAll(t.Context())
		log := newMemlog(partition)
		for i, e := range list {
			id := e.Envelope().ID
			log.add(id[:], encode(e), r.Int64N(2))
			if i == len(list)/2 {
				run(t, log, c, set, limits(batch))
			}
		}
		run(t, log, c, set, limits(batch))
		got, err := reference.Dump(t.Context(), rdb, reference.Serving(t.Context(), rdb, partition))
		if err != nil {
			t.Fatal(err)
		}
		if diff := reference.Diff(got, reference.Of(set, list)); diff != nil {
			t.Fatalf("batches of %d:\n%s", batch, strings.Join(diff, "\n"))
		}
	}
}
