package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
)

// drain reads the topic of facts to its end with franz-go alone.
func (t *site) drain(ctx context.Context, n int) (time.Duration, error) {
	began := time.Now()
	client, err := kgo.NewClient(kgo.SeedBrokers(t.brokers...), kgo.ConsumeTopics(t.topic()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	for n > 0 {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return 0, err
		}
		n -= fetches.NumRecords()
	}
	return time.Since(began), nil
}

// decodeAlone decodes a corpus on all cores.
func (c *corpus) decodeAlone() (time.Duration, error) {
	dec, err := avrowire.NewDecoder(nil)
	if err != nil {
		return 0, err
	}
	runtime.GC()
	began := time.Now()
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for _, list := range c.parts {
		wg.Go(func() {
			for i := range list {
				if _, err := dec.Decode(list[i].Value); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return time.Since(began), nil
}

// foldAlone takes a corpus through the lanes of the processor (decode, contract, fold, project, chunks), with a log in memory and a
// store that takes everything and holds nothing: to it every subject is new, as in an empty Redis.
func (c *corpus) foldAlone(ctx context.Context, t *site) (time.Duration, error) {
	cfg := &t.config.Processor
	dec, err := avrowire.NewDecoder(nil)
	if err != nil {
		return 0, err
	}
	set, err := view.SetFor(event.Subscribers, cfg.Views)
	if err != nil {
		return 0, err
	}
	ports := &nothing{partitions: int32(len(c.parts)), views: set.String()}
	deps := pipeline.Deps{
		Log: ports, Models: ports, Generations: ports, DeadLetters: func(context.Context, []pipeline.DeadLetter) error { return errors.New("a dead letter") },
		Decode: func(value []byte) (event.Event, *pipeline.Poison) {
			e, err := dec.Decode(value)
			if err != nil {
				return nil, &pipeline.Poison{Class: pipeline.ClassBadAvro, Reason: err.Error()}
			}
			return e, nil
		},
		NewSubject: view.NewSubject,
		Watermark:  func(p event.Partition) (int64, int64) { return int64(len(c.parts[p.Number])), 1 },
		Served:     func(event.Partition) (pipeline.Generation, time.Time) { return "", time.Time{} },
		Views:      set, Run: "bench", Logger: slog.New(slog.DiscardHandler),
		Cache: pipeline.NewCacheBudget(int(cfg.CacheBytes)), Turns: pipeline.NewTurns(cfg.Batch.BehindEvents),
		Limits: pipeline.Limits{
			LiveEvents: cfg.Batch.LiveEvents, CatchupEvents: cfg.Batch.CatchupEvents, SubjectEvents: cfg.Batch.SubjectEvents,
			Gather: cfg.Batch.MaxCommitInterval, ChunkCommands: cfg.Chunk.Commands, ChunkBytes: int(cfg.Chunk.Bytes), ChunkDeadline: cfg.Chunk.Deadline,
			Tick: cfg.Tick, Panics: 1,
		},
	}
	runtime.GC()
	began := time.Now()
	var wg sync.WaitGroup
	var folded atomic.Int64
	for p, list := range c.parts {
		wg.Go(func() {
			a := pipeline.Assignment{Partition: event.Partition{Topic: t.topic(), Number: int32(p)}, GroupOffset: -1}
			stats := pipeline.NewStats()
			_ = pipeline.NewLane(deps, a, &memory{list: list}, ports, stats).Run(ctx)
			folded.Add(stats.Snapshot().Events)
		})
	}
	wg.Wait()
	took := time.Since(began)
	if n := folded.Load(); n != int64(c.n) {
		return 0, fmt.Errorf("fold alone: folded %d of %d events", n, c.n)
	}
	return took, nil
}

// memory is a pipeline.Source over a list. A lane that has come to its end is released.
type memory struct {
	list []pipeline.Raw
	at   int
}

func (m *memory) SeekTo(next int64, _ int32) { m.at = int(next) }

func (m *memory) Take(_ context.Context, most int, _ time.Duration) ([]pipeline.Raw, int64, error) {
	if m.at == len(m.list) {
		return nil, 0, pipeline.ErrReleased
	}
	n := min(most, len(m.list)-m.at)
	records := m.list[m.at : m.at+n : m.at+n]
	m.at += n
	return records, int64(m.at), nil
}

// nothing is every other port of a lane: a log that says what is expected, a store that takes everything.
type nothing struct {
	pipeline.Generations // what is not below is not asked for
	partitions           int32
	views                string
}

func (n *nothing) List(context.Context, event.Partition) ([]pipeline.Line, error) { return nil, nil }

func (n *nothing) Adopted(context.Context, event.Partition) (event.TopicID, error) {
	return event.TopicID{}, nil
}

func (n *nothing) Observe(context.Context, event.Partition, int32) (pipeline.LogState, error) {
	return pipeline.LogState{Partitions: n.partitions, End: 1 << 40, EpochEnd: 1 << 40}, nil
}

func (n *nothing) Serving(context.Context, event.Partition) (pipeline.Generation, error) {
	return "bench", nil
}

func (n *nothing) Open(context.Context, pipeline.LaneID) (pipeline.Store, pipeline.Pos, bool, error) {
	return n, pipeline.Pos{Next: -1, Seed: pipeline.SeedStart, Partitions: n.partitions, Fold: fold.Version, Views: n.views, LeaderEpoch: -1}, true, nil
}

func (n *nothing) Claim(context.Context, string) (pipeline.Outcome, error) {
	return pipeline.Applied, nil
}
func (n *nothing) MarkBroken(context.Context, string) error { return nil }
func (n *nothing) Close()                                   {}
func (n *nothing) Report(int64, string)                     {}

func (n *nothing) Check(context.Context, int64, string) pipeline.Lease { return pipeline.LeaseHeld }

func (n *nothing) Load(_ context.Context, reads []view.Read) ([][]view.Value, error) {
	values := make([][]view.Value, len(reads))
	for i, r := range reads {
		values[i] = make([]view.Value, len(r.Fields))
	}
	return values, nil
}

func (n *nothing) Commit(context.Context, *pipeline.Chunk) (pipeline.Outcome, error) {
	return pipeline.Applied, nil
}
