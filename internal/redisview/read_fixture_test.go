package redisview

import (
	"context"
	"fmt"
	"testing"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
	"switchboard/tests/backend"
)

func TestMain(m *testing.M) { backend.Main(m) }

const topic = "calls.reports"

var topicID = event.TopicID{1, 2, 3}

// servers runs a test on miniredis and on a real redis-server.
func servers(t *testing.T, f func(t *testing.T, c *Client)) {
	t.Run("embedded", func(t *testing.T) { f(t, connect(t, backend.EmbeddedRedis(t))) })
	t.Run("real", func(t *testing.T) { f(t, connect(t, backend.RealRedis(t).Addr)) })
}

func connect(t testing.TB, addrs ...string) *Client {
	t.Helper()
	c, err := New(Options{Addrs: addrs, Cluster: len(addrs) > 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// writer folds events into one generation of one partition as a lane does: whole subjects, the position last.
type writer struct {
	t      testing.TB
	store  pipeline.Store
	lane   pipeline.LaneID
	set    view.Set
	next   int64
	totals view.Totals
	known  map[event.Subject]*view.Subscriber
	state  view.State
}

// newWriter makes a generation that serves a partition, unless another one does.
func newWriter(t testing.TB, c *Client, partition, partitions int32, generation string, views ...string) *writer {
	t.Helper()
	ctx := t.Context()
	if views == nil {
		views = view.Names()
	}
	set, err := view.NewSet(views)
	if err != nil {
		t.Fatal(err)
	}
	lane := pipeline.LaneID{Partition: event.Partition{Topic: topic, Number: partition}, Generation: pipeline.Generation(generation)}
	pos := pipeline.Pos{Seed: pipeline.SeedStart, TopicID: topicID, ClusterID: "c", Partitions: partitions, Fold: fold.Version, Views: set.String()}
	if err := c.Make(ctx, lane, pos, "test", -1); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Serve(ctx, lane); err != nil {
		t.Fatal(err)
	}
	store, _, found, err := c.Open(ctx, lane)
	if err != nil || !found {
		t.Fatal(err, found)
	}
	t.Cleanup(store.Close)
	if outcome, err := store.Claim(ctx, "run.1"); outcome != pipeline.Applied {
		t.Fatal(outcome, err)
	}
	w := &writer{t: t, store: store, lane: lane, set: set, next: -1, known: map[event.Subject]*view.Subscriber{}, state: view.State{}}
	w.commit(0, nil)
	return w
}

// fold folds events at the offsets that follow.
func (w *writer) fold(ctx context.Context, events ...event.Event) {
	w.t.Helper()
	var order []*view.Subscriber
	queued := map[event.Subject]bool{}
	offset := max(w.next, 0)
	for _, e := range events {
		id := e.Envelope().Subject
		s := w.known[id]
		if s == nil {
			s = view.NewSubscriber(id, w.set)
			w.known[id] = s
		}
		if !queued[id] {
			queued[id] = true
			order = append(order, s)
		}
		s.Queue(offset, e)
		offset++
	}
	for _, s := range order {
		for reads := s.Reads(nil); len(reads) > 0; reads = s.Reads(nil) {
			values, err := w.store.Load(ctx, reads)
			if err == nil {
				err = s.Fill(values)
			}
			if err != nil {
				w.t.Fatal(err)
			}
		}
	}
	var mutations []view.Mutation
	totals := w.totals
	for _, s := range order {
		if err := s.Fold(); err != nil {
			w.t.Fatal(err)
		}
		mutations = s.Project(mutations)
		totals.Add(s.Change())
	}
	if w.set.Has(view.TotalsOf) {
		mutations = totals.Project(mutations, w.totals)
	}
	w.totals = totals
	w.commit(offset, mutations)
	for _, s := range order {
		s.Settle()
	}
}

func (w *writer) commit(next int64, mutations []view.Mutation) {
	w.t.Helper()
	now := time.Now().UnixMilli()
	chunk := &pipeline.Chunk{Mutations: mutations, Before: w.next, Ahead: next, Progress: pipeline.Progress{
		Next: next, LeaderEpoch: 0, HighWatermark: next, CheckedMs: now, AppliedAppendMs: now, Seeding: w.next < 0,
	}}
	if outcome, err := w.store.Commit(context.Background(), chunk); outcome != pipeline.Applied {
		w.t.Fatal(outcome, err)
	}
	for i := range mutations {
		w.state.Apply(&mutations[i])
	}
	w.next = next
}

const monday = 1_709_510_400_000 // 2024-03-04T00:00:00Z

// call is an incoming call of a subscriber, at a minute after monday.
func call(subscriber, counterpart string, minute int, seconds int32) event.Event {
	e := &event.CallReported{
		Common:      event.Common{Subject: event.Subject(subscriber), OccurredAt: monday + int64(minute)*60_000},
		Report:      event.Report{Counterpart: counterpart, Direction: event.In, Outcome: event.Answered, AntennaID: "a"},
		CallDetails: event.CallDetails{DurationS: seconds},
	}
	e.ID = event.IDOf(e)
	return e
}

// subjectsOf are names that fall into a partition.
func subjectsOf(partition, partitions int32, n int) []string {
	var list []string
	for i := 0; len(list) < n; i++ {
		if name := fmt.Sprint("s", i); event.PartitionOf(event.Subject(name), partitions) == partition {
			list = append(list, name)
		}
	}
	return list
}
