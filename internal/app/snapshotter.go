package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"sync"
	"time"

	"switchboard/config"
	"switchboard/internal/daemon"
	"switchboard/internal/event"
	"switchboard/internal/kafkalog"
	"switchboard/internal/pipeline"
	"switchboard/internal/snapshot"
	"switchboard/internal/view"
	"switchboard/topology"
)

// Snapshotter folds the facts into snapshots. It is the program of cmd/snapshotter as a value. It never reads Redis.
type Snapshotter struct {
	Config    *config.Config
	Logger    *slog.Logger
	KafkaDial Dialer

	mu    sync.Mutex
	lanes map[event.Partition]*snapshot.Stats
	final context.Context // of the last snapshots, once the process ends
}

// Lanes is the statistics of every partition that the snapshotter has now.
func (s *Snapshotter) Lanes() map[event.Partition]snapshot.Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[event.Partition]snapshot.Seen, len(s.lanes))
	for p, stats := range s.lanes {
		out[p] = stats.See()
	}
	return out
}

// Ready is nil when every partition that the snapshotter has knows from where it goes on. A snapshot that the start of the log nears is
// degraded.
func (s *Snapshotter) Ready() error {
	lanes := s.Lanes()
	for p, seen := range lanes {
		if !seen.Known {
			return fmt.Errorf("%s: looking for the newest snapshot", p)
		}
	}
	for p, seen := range lanes {
		if seen.Near {
			return fmt.Errorf("%w: %s: the start of the log, %d, nears the newest snapshot, at %d", daemon.ErrDegraded, p, seen.Margin.Start, seen.Margin.Position)
		}
	}
	return nil
}

// Run snapshots until ctx ends, then makes a last snapshot of each partition and leaves the group.
func (s *Snapshotter) Run(ctx context.Context) error {
	cfg := s.Config
	top, err := LoadTopology(cfg)
	if err != nil {
		return err
	}
	options, err := kafkaOptions(cfg, s.Logger, s.KafkaDial)
	if err != nil {
		return err
	}
	if err := checkTopology(ctx, cfg, options, top); err != nil {
		return err
	}
	log, err := kafkalog.NewLog(options)
	if err != nil {
		return err
	}
	defer log.Close()
	// What is appended is packed already.
	appender, err := kafkalog.NewAppender(kafkalog.AppenderOptions{Options: options, Compression: "none"})
	if err != nil {
		return err
	}
	defer closeAppender(appender, cfg)
	lane, topics, err := s.lane(ctx, top, log, appender)
	if err != nil {
		return err
	}
	consumer, err := kafkalog.NewConsumer(kafkalog.ConsumerOptions{
		Options: options, Group: cfg.Kafka.TopicPrefix + cfg.Snapshot.Group, Topics: topics,
		SessionTimeout: cfg.Snapshot.SessionTimeout, RebalanceTimeout: cfg.Snapshot.RebalanceTimeout,
	})
	if err != nil {
		return err
	}
	return consumer.Run(ctx, lane)
}

// lane is what runs in the goroutine of each partition, and the topics that are folded.
func (s *Snapshotter) lane(ctx context.Context, top topology.Topology, log *kafkalog.Log, appender *kafkalog.Appender) (func(context.Context, *kafkalog.Partition), []string, error) {
	cfg := s.Config
	decode, err := newDecode(cfg)
	if err != nil {
		return nil, nil, err
	}
	target, err := snapshotsTopic(top)
	if err != nil {
		return nil, nil, err
	}
	group := cfg.Kafka.TopicPrefix + cfg.Snapshot.Group
	kinds, err := foldedKinds(cfg, top)
	if err != nil {
		return nil, nil, err
	}
	kinds = kinds.readBy(top, group)
	retention := make(map[string]time.Duration)
	for _, k := range kinds {
		retention[k.topic.Name] = k.topic.Retention
	}
	if len(kinds) == 0 {
		return nil, nil, &config.Error{Key: "snapshot.group", Problem: fmt.Sprintf("the topology has no topic that group %s reads", group)}
	}
	turn := make(chan struct{}, 1)
	return func(laneCtx context.Context, source *kafkalog.Partition) {
		of := source.Assignment().Partition
		at := snapshotPartition(target, of)
		stats := snapshot.NewStats()
		s.enter(of, stats)
		defer s.leave(of, stats)
		snapshot.NewLane(snapshot.Deps{
			Log: log, Source: snapshotSource{log, at}, Append: snapshotAppend(appender, at), Decode: decode,
			NewSubject: view.NewSubject,
			Views:      kinds.views(of.Topic), Limits: s.limits(retention[of.Topic]), Now: time.Now, Turn: turn, Logger: s.Logger,
			Final: func() (context.Context, bool) { return s.ending(ctx) },
		}, of, source, source, stats).Run(laneCtx)
	}, kinds.topics(), nil
}

func (s *Snapshotter) enter(of event.Partition, stats *snapshot.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lanes == nil {
		s.lanes = make(map[event.Partition]*snapshot.Stats)
	}
	s.lanes[of] = stats
}

func (s *Snapshotter) leave(of event.Partition, stats *snapshot.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lanes[of] == stats {
		delete(s.lanes, of)
	}
}

// ending is whether the process ends, and then the context of its last snapshots: they have most of the time to drain.
func (s *Snapshotter) ending(ctx context.Context) (context.Context, bool) {
	if ctx.Err() == nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.final == nil {
		var cancel context.CancelFunc
		s.final, cancel = context.WithTimeout(context.WithoutCancel(ctx), s.Config.Shutdown.DrainDeadline*8/10)
		context.AfterFunc(s.final, cancel)
	}
	return s.final, true
}

func (s *Snapshotter) limits(retention time.Duration) snapshot.Limits {
	c := &s.Config.Snapshot
	return snapshot.Limits{
		Events: c.EveryEvents, Every: c.Every, Bits: uint8(bits.TrailingZeros(uint(c.Buckets))), Retention: retention, Warn: c.WarnPercent,
		Watch:  min(30*time.Second, c.Every),
		Policy: snapshot.Policy{Last: c.KeepLast, Hourly: c.KeepHourly, Daily: c.KeepDaily, Grace: c.Grace},
		TailBytes: func() int64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return int64(c.MaxTailBytes) / int64(max(len(s.lanes), 1))
		},
	}
}

// snapshotsTopic is the topic of the snapshots.
func snapshotsTopic(t topology.Topology) (topology.Topic, error) {
	topics := t.OfKind(topology.Snapshots)
	if len(topics) != 1 {
		return topology.Topic{}, fmt.Errorf("topology: want one topic of kind %s, there are %d", topology.Snapshots, len(topics))
	}
	return topics[0], nil
}

// snapshotPartition is where the snapshots of a partition of facts stand: in that of the same number.
func snapshotPartition(target topology.Topic, of event.Partition) event.Partition {
	return event.Partition{Topic: target.Name, Number: of.Number}
}

// snapshotSource is a partition of the topic of snapshots as a snapshot.Source.
type snapshotSource struct {
	log *kafkalog.Log
	at  event.Partition
}

func (s snapshotSource) Bounds(ctx context.Context) (start, end int64, err error) {
	state, err := s.log.Observe(ctx, s.at, -1)
	return state.Start, state.End, err
}

func (s snapshotSource) Read(ctx context.Context, from, to int64, f func(snapshot.Record) error) error {
	return s.log.ReadRange(ctx, s.at, from, to, func(r pipeline.Raw) error {
		return f(snapshot.Record{Offset: r.Offset, AppendedMs: r.AppendedMs, Key: r.Key, Value: r.Value})
	})
}

// snapshotAppend appends to a partition of the topic of snapshots, so much at a time that the appender's buffer holds it.
func snapshotAppend(a *kafkalog.Appender, at event.Partition) snapshot.Append {
	const atOnce = 16 << 20
	return func(ctx context.Context, list []snapshot.Record) ([]int64, error) {
		offsets := make([]int64, 0, len(list))
		for len(list) > 0 {
			n, bytes := 0, 0
			var records []kafkalog.Record
			for n < len(list) && (n == 0 || bytes+len(list[n].Value) <= atOnce) {
				records = append(records, kafkalog.Record{Partition: at, Key: list[n].Key, Value: list[n].Value})
				bytes += len(list[n].Value)
				n++
			}
			var err error
			for _, r := range a.Append(ctx, records) {
				offsets = append(offsets, r.Offset)
				err = errors.Join(err, r.Err)
			}
			if err != nil {
				return nil, fmt.Errorf("append %d records to %s: %w", n, at, err)
			}
			list = list[n:]
		}
		return offsets, nil
	}
}
