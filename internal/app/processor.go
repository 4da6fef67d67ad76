package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/config"
	"switchboard/internal/daemon"
	"switchboard/internal/event"
	"switchboard/internal/kafkalog"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/topology"
)

// Dialer reaches a server; tests put faults there. nil is the ordinary network.
type Dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// Processor folds the facts into the read models. It is the program of cmd/processor as a value.
type Processor struct {
	Config    *config.Config
	Logger    *slog.Logger
	Version   string
	KafkaDial Dialer
	RedisDial Dialer

	consumer atomic.Pointer[kafkalog.Consumer] // nil until the start-up checks have passed
	watch    atomic.Pointer[watch]

	mu    sync.Mutex
	lanes map[event.Partition]*pipeline.Stats
}

// Lanes is the statistics of every partition that the processor has now.
func (p *Processor) Lanes() map[event.Partition]pipeline.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[event.Partition]pipeline.Snapshot, len(p.lanes))
	for partition, stats := range p.lanes {
		out[partition] = stats.Snapshot()
	}
	return out
}

// HeldUp is how many offsets of a partition an open transaction keeps from being read, while the end of what can be read stands still; as
// asked for every three seconds.
func (p *Processor) HeldUp(of event.Partition) int64 {
	if w := p.watch.Load(); w != nil {
		return w.heldUp(of)
	}
	return 0
}

// Ready is nil when the processor is a member of the group and folds every partition that it has; else it says which not, and why. A
// member without partitions is ready: it stands by.
func (p *Processor) Ready() error {
	c := p.consumer.Load()
	switch {
	case c == nil:
		return errors.New("starting: the servers and topics are being checked")
	case c.Trouble() != nil:
		return c.Trouble()
	case !c.Joined():
		return errors.New("joining the consumer group")
	}
	for partition, s := range p.Lanes() {
		switch {
		case s.Stopped != nil:
			return s.Stopped
		case s.Decision.Action == pipeline.Refuse:
			return fmt.Errorf("%w: %s: %s; %s", daemon.ErrDegraded, partition, s.Decision.Why, s.Decision.Hint)
		case s.State == pipeline.Claiming:
			return fmt.Errorf("%s is being claimed", partition)
		case s.DeadLettersLate:
			return fmt.Errorf("%s waits: the topic of dead letters does not take them", partition)
		}
	}
	return nil
}

// Run folds until ctx ends, then finishes the chunks in flight and leaves the group.
func (p *Processor) Run(ctx context.Context) error {
	cfg := p.Config
	top, err := LoadTopology(cfg)
	if err != nil {
		return err
	}
	options, err := kafkaOptions(cfg, p.Logger, p.KafkaDial)
	if err != nil {
		return err
	}
	if err := checkTopology(ctx, cfg, options, top); err != nil {
		return err
	}
	models, err := connectRedis(ctx, cfg, p.RedisDial, p.Logger)
	if err != nil {
		return err
	}
	defer models.Close()
	log, err := kafkalog.NewLog(options)
	if err != nil {
		return err
	}
	defer log.Close()
	appender, err := kafkalog.NewAppender(kafkalog.AppenderOptions{Options: options})
	if err != nil {
		return err
	}
	defer closeAppender(appender, cfg)

	kinds, err := foldedKinds(cfg, top)
	if err != nil {
		return err
	}
	w := &watch{serving: models.ServingAll, ends: func(ctx context.Context) (map[event.Partition]int64, error) {
		return log.HighWatermarks(ctx, kinds.topics()...)
	}, unstable: log.Unstable}
	p.watch.Store(w)
	shared, err := p.deps(top, kinds, log, models, appender)
	if err != nil {
		return err
	}
	shared.Watermark, shared.Counted, shared.Served = w.watermark, w.counted, w.served
	snapshots, err := OpenSnapshots(cfg, p.Logger)
	if err != nil {
		return err
	}
	defer snapshots.Close()
	shared.Snapshots = &restoring{snapshots: snapshots}
	consumer, err := p.newConsumer(options, kinds.topics())
	if err != nil {
		return err
	}
	p.consumer.Store(consumer)
	return p.fold(ctx, w, consumer, kinds, shared, models)
}

// fold runs the lanes, and what watches beside them.
func (p *Processor) fold(ctx context.Context, w *watch, consumer *kafkalog.Consumer, kinds folded, shared pipeline.Deps, models *redisview.Client) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	watching, stop := context.WithCancel(context.WithoutCancel(ctx)) // lanes ask until the last one has ended
	var background sync.WaitGroup
	w.ask(ctx)
	background.Go(func() { w.run(watching, time.Second) })
	background.Go(func() { keepChecking(watching, time.Minute, models, p.Config, fail) })
	defer background.Wait()
	defer stop()
	err := consumer.Run(ctx, func(ctx context.Context, source *kafkalog.Partition) {
		deps := shared
		topic := source.Assignment().Partition.Topic
		deps.Views, deps.Partitions = kinds.views(topic), kinds.partitionsOf(topic)
		p.lane(ctx, deps, source)
	})
	var unsafe *redisview.UnsafeRedis
	if errors.As(context.Cause(ctx), &unsafe) {
		return unsafe
	}
	return err
}

func (p *Processor) newConsumer(options kafkalog.Options, topics []string) (*kafkalog.Consumer, error) {
	cfg := &p.Config.Processor
	return kafkalog.NewConsumer(kafkalog.ConsumerOptions{
		Options: options, Group: p.Config.Kafka.TopicPrefix + cfg.Group, Topics: topics,
		SessionTimeout: cfg.SessionTimeout, RebalanceTimeout: cfg.RebalanceTimeout,
		QueueBytes: int64(cfg.QueueBytes), QueueRecords: cfg.Batch.CatchupEvents,
	})
}

// deps is what all lanes share; each topic has views of its own.
func (p *Processor) deps(top topology.Topology, kinds folded, log *kafkalog.Log, models *redisview.Client, appender *kafkalog.Appender) (pipeline.Deps, error) {
	cfg := &p.Config.Processor
	decode, err := newDecode(p.Config)
	if err != nil {
		return pipeline.Deps{}, err
	}
	letters, err := lettersTopic(top)
	if err != nil {
		return pipeline.Deps{}, err
	}
	return pipeline.Deps{
		Log: log, Models: models, Generations: models, DeadLetters: kafkalog.DeadLetters(appender, letters.Name), Decode: decode,
		NewSubject: view.NewSubject, Direct: func(p event.Partition) pipeline.Source { return log.Direct(p) },
		Cache: pipeline.NewCacheBudget(int(cfg.CacheBytes)), Turns: pipeline.NewTurns(cfg.Batch.BehindEvents), Keep: cfg.KeepGenerations, Version: p.Version, Run: rand.Text(), Logger: p.Logger,
		Limits: pipeline.Limits{
			LiveEvents: cfg.Batch.LiveEvents, CatchupEvents: cfg.Batch.CatchupEvents, SubjectEvents: cfg.Batch.SubjectEvents,
			Gather: cfg.Batch.MaxCommitInterval, ChunkCommands: cfg.Chunk.Commands, ChunkBytes: int(cfg.Chunk.Bytes), ChunkDeadline: cfg.Chunk.Deadline,
			Tick: cfg.Tick, Panics: cfg.PanicsPerMinute,
		},
	}, nil
}

// lane folds one partition, in the goroutine that the consumer gives it.
func (p *Processor) lane(ctx context.Context, deps pipeline.Deps, source *kafkalog.Partition) {
	assignment := source.Assignment()
	stats := pipeline.NewStats()
	p.mu.Lock()
	if p.lanes == nil {
		p.lanes = make(map[event.Partition]*pipeline.Stats)
	}
	p.lanes[assignment.Partition] = stats
	p.mu.Unlock()
	err := pipeline.NewLane(deps, assignment, source, source, stats).Run(ctx)
	var stopped *pipeline.Stopped
	if errors.As(err, &stopped) { // stays visible until the partition goes to somebody else
		<-ctx.Done()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lanes[assignment.Partition] == stats {
		delete(p.lanes, assignment.Partition)
	}
}
