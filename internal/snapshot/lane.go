package snapshot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
)

// Limits say when a snapshot is made, and how.
type Limits struct {
	Events    int           // a snapshot after this many events,
	Every     time.Duration // and after this time, if anything has come,
	TailBytes func() int64  // and when the tail takes this much: the share of a partition now
	Bits      uint8         // of the number of buckets of a first snapshot
	Policy    Policy
	Watch     time.Duration // how often the start of the log is asked for
	Retention time.Duration // of the facts
	Warn      int           // percent of the retention
}

// Deps is what the lanes of a process share.
type Deps struct {
	Log        pipeline.Log
	Source     Source // of the partition of the topic of snapshots
	Append     Append
	Decode     func(value []byte) (event.Event, *pipeline.Poison)
	NewSubject func(id event.Subject, set view.Set) view.Subject
	Views      view.Set
	Limits     Limits
	Now        func() time.Time
	// Turn is taken while a snapshot is made, so that one bucket at a time is in the memory of the process. nil: nobody else is there.
	Turn chan struct{}
	// Final is the context of one last snapshot when the process ends, and whether it does. nil: it is not known.
	Final  func() (context.Context, bool)
	Logger *slog.Logger
}

// Lane snapshots one partition. Its goroutine owns everything it has. It holds no state that is not in a manifest but the tail behind it.
type Lane struct {
	Deps
	of      event.Partition
	source  pipeline.Source
	group   pipeline.Membership
	stats   *Stats
	refused map[int64]error
	cleaner *Cleaner
	scratch []byte
	log     *slog.Logger
}

// NewLane is the lane of a partition that the group has given us.
func NewLane(d Deps, of event.Partition, s pipeline.Source, g pipeline.Membership, stats *Stats) *Lane {
	return &Lane{
		Deps: d, of: of, source: s, group: g, stats: stats, refused: make(map[int64]error), log: d.Logger.With("partition", of.String()),
		cleaner: &Cleaner{Source: d.Source, Append: d.Append, Of: of, Policy: d.Limits.Policy, Now: d.Now},
	}
}

// Run snapshots until the partition is released. The group's offset plays no part: it is told, and never asked.
func (l *Lane) Run(ctx context.Context) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		h, err := l.begin(ctx)
		if err == nil {
			began := l.Now()
			err = h.run(ctx)
			if l.Now().Sub(began) > time.Minute {
				pause = 100 * time.Millisecond
			}
		}
		if ctx.Err() != nil || errors.Is(err, pipeline.ErrReleased) {
			if h != nil {
				h.last()
			}
			return
		}
		var damaged *Damaged
		if errors.As(err, &damaged) {
			l.refused[damaged.Offset] = damaged.What
		}
		l.stats.failed()
		l.log.Warn("looking for the newest snapshot again", "cause", err)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// holding is a snapshot and the tail behind it.
type holding struct {
	lane     *Lane
	base     *Manifest
	tail     *Tail
	progress Progress
	since    time.Time // the tail began
	retry    time.Time // no snapshot before
	watched  time.Time
	builder  *Builder
}

// begin finds the newest usable snapshot, and asks for what comes behind it.
func (l *Lane) begin(ctx context.Context) (*holding, error) {
	state, err := l.Log.Observe(ctx, l.of, -1)
	if err != nil {
		return nil, fmt.Errorf("observe the log: %w", err)
	}
	id := Identity{ClusterID: state.ClusterID, TopicID: state.TopicID, Of: l.of, Partitions: state.Partitions, Fold: fold.Version, Views: l.Views.String()}
	want := Want{Identity: id, Start: state.Start, End: state.End, Refused: l.refused, EpochEnd: EpochEnd(l.Log, l.of)}
	base, refused, err := Newest(ctx, l.Source, want)
	if err != nil {
		return nil, fmt.Errorf("look for snapshots: %w", err)
	}
	for _, r := range refused {
		l.log.Warn("snapshot refused", "position", r.Next, "reason", string(r.Reason), "why", r.Why)
	}
	l.stats.refusals(refused)
	if base == nil {
		base = Empty(id, state.Start, l.Limits.Bits)
		if state.Start > 0 {
			l.log.Warn("no usable snapshot: folding begins at the start of the log, what lay before is lost to snapshots", "log_start", state.Start)
		}
	}
	if want := l.Limits.Bits; base.Bits != want {
		l.log.Info("the snapshots keep the number of buckets that the first one had", "has", 1<<base.Bits, "configured", 1<<want)
	}
	h := &holding{lane: l, base: base, since: l.Now(), builder: &Builder{
		Source: l.Source, Append: l.Append, NewSubject: l.NewSubject, Now: l.Now,
		Decode: func(value []byte) (event.Event, error) {
			e, poison := l.Decode(value)
			if poison != nil {
				return nil, poison
			}
			return e, nil
		},
	}}
	h.reset()
	l.source.SeekTo(base.Next, base.LeaderEpoch)
	l.log.Info("snapshots go on", "position", base.Next, "manifest", base.Offset, "log_start", state.Start, "log_end", state.End)
	h.watch(&state)
	l.report(base)
	return h, nil
}

// EpochEnd asks a log where an epoch ends, for Want.
func EpochEnd(log pipeline.Log, p event.Partition) func(ctx context.Context, epoch int32) (int64, error) {
	return func(ctx context.Context, epoch int32) (int64, error) {
		state, err := log.Observe(ctx, p, epoch)
		return state.EpochEnd, err
	}
}

// reset begins an empty tail behind the base.
func (h *holding) reset() {
	h.tail = NewTail(h.base.Bits)
	h.progress = Progress{Next: h.base.Next, LeaderEpoch: h.base.LeaderEpoch, AppliedAppendMs: h.base.AppliedAppendMs, Tombstones: h.base.Tombstones, Skipped: h.base.Skipped}
	h.since, h.retry = h.lane.Now(), time.Time{}
	h.lane.stats.based(h.base)
	h.lane.stats.tail(h)
}

// takeRecords is how many records are taken at a time.
const takeRecords = 5000

// run takes in what comes, and makes snapshots, until something fails or the partition is released.
func (h *holding) run(ctx context.Context) error {
	l := h.lane
	wait := min(time.Second, max(l.Limits.Every/4, time.Millisecond))
	for {
		if trigger := h.trigger(); trigger != "" {
			if err := h.snapshot(ctx, trigger); err != nil {
				return err
			}
		}
		if l.Now().Sub(h.watched) >= l.Limits.Watch {
			state, err := l.Log.Observe(ctx, l.of, -1)
			if err == nil {
				h.watch(&state)
			}
		}
		if h.full() { // a snapshot has failed: nothing more is taken before there is one
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-timer.C:
			}
			continue
		}
		records, next, err := l.source.Take(ctx, takeRecords, wait)
		var large *pipeline.TooLarge
		switch {
		case errors.As(err, &large):
			h.progress.Skipped++
			h.progress.Next = large.Next
			l.source.SeekTo(large.Next, h.progress.LeaderEpoch)
			continue
		case err != nil:
			return err
		}
		for i := range records {
			h.take(&records[i])
		}
		h.progress.Next = next
		l.stats.tail(h)
	}
}

// take puts one record into the tail, if it is a fact that can be folded.
func (h *holding) take(raw *pipeline.Raw) {
	h.progress.LeaderEpoch, h.progress.AppliedAppendMs = raw.LeaderEpoch, raw.AppendedMs
	if raw.Value == nil {
		h.progress.Tombstones++
		return
	}
	l := h.lane
	e, poison := l.Decode(raw.Value)
	if poison == nil {
		poison = pipeline.Check(raw, e, l.of.Number, h.base.Partitions, &l.scratch)
	}
	if poison != nil { // the processor has written its dead letter
		h.progress.Skipped++
		return
	}
	h.tail.Add(e.Envelope().Subject, raw.Offset, raw.Value)
}

func (h *holding) full() bool { return h.tail.Bytes() >= h.lane.Limits.TailBytes() }

// trigger is why a snapshot is to be made now, "" if it is not.
func (h *holding) trigger() string {
	l := h.lane
	switch now := l.Now(); {
	case h.progress.Next <= h.base.Next || now.Before(h.retry):
		return ""
	case h.full():
		return "buffer"
	case h.tail.Events >= l.Limits.Events:
		return "events"
	case now.Sub(h.since) >= l.Limits.Every:
		return "time"
	}
	return ""
}

// snapshot makes one and cleans up. Its errors are those that only beginning again helps against; after others it is tried again later.
func (h *holding) snapshot(ctx context.Context, trigger string) error {
	l := h.lane
	if l.Turn != nil {
		select {
		case l.Turn <- struct{}{}:
			defer func() { <-l.Turn }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	began := time.Now()
	m, written, err := h.builder.Build(ctx, h.base, h.tail, h.progress)
	var damaged *Damaged
	switch {
	case errors.As(err, &damaged), ctx.Err() != nil:
		return err
	case err != nil:
		l.stats.failed()
		l.log.Error("the snapshot failed; it is tried again", "error", err)
		h.retry = l.Now().Add(5 * time.Second)
		return nil
	}
	l.stats.made(trigger, time.Since(began), &written)
	l.log.Info("snapshot", "position", m.Next, "manifest", m.Offset, "trigger", trigger, "events", h.tail.Events, "chunks", written.Chunks, "kept", written.Kept, "bytes", written.Bytes, "took", time.Since(began).Round(time.Millisecond))
	h.base = m
	h.reset()
	l.report(m)
	done, err := l.cleaner.Clean(ctx, m.Identity)
	l.stats.cleaned(&done)
	if err != nil && ctx.Err() == nil {
		l.log.Warn("old snapshots could not be removed; it is tried again after the next one", "error", err)
	}
	return nil
}

// last makes one last snapshot when the process ends: whoever goes on has no tail to read again.
func (h *holding) last() {
	if h.lane.Final == nil || h.progress.Next <= h.base.Next {
		return
	}
	if ctx, ending := h.lane.Final(); ending {
		if err := h.snapshot(ctx, "shutdown"); err != nil {
			h.lane.log.Warn("no snapshot at the end", "cause", err)
		}
	}
}

// watch looks how far the newest snapshot is from the start of the log.
func (h *holding) watch(state *pipeline.LogState) {
	l := h.lane
	h.watched = l.Now()
	m := Margin{Position: h.base.Next, Start: state.Start, End: state.End, Retention: l.Limits.Retention}
	if h.base.AppliedAppendMs > 0 && state.End > h.base.Next {
		m.Age = h.watched.Sub(time.UnixMilli(h.base.AppliedAppendMs))
	}
	near := m.Near(l.Limits.Warn)
	if l.stats.watch(m, near) {
		l.log.Warn("the start of the log nears the newest snapshot: what lies between them can be lost", "position", m.Position, "log_start", m.Start, "log_end", m.End, "age", m.Age.Round(time.Second), "retention", m.Retention)
	}
}

func (l *Lane) report(m *Manifest) {
	if m.Offset >= 0 {
		l.group.Report(m.Next, fmt.Sprintf("snapshot, manifest at offset %d", m.Offset))
	}
}

// Margin is how far the newest snapshot is from what the log forgets next.
type Margin struct {
	Position   int64 // of the snapshot
	Start, End int64 // of the log
	Age        time.Duration
	Retention  time.Duration
}

// Near tells whether the oldest event that no snapshot holds is older than percent of the retention or, once the log has begun to forget,
// whether less than a quarter of it lies between its start and the snapshot. Nothing can be lost behind a snapshot at the end of the log.
func (m Margin) Near(percent int) bool {
	if m.Position >= m.End {
		return false
	}
	byAge := m.Retention > 0 && m.Age*100 > m.Retention*time.Duration(percent)
	return byAge || m.Start > 0 && (m.Position-m.Start)*4 < m.End-m.Start
}
