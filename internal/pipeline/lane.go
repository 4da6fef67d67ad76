// Package pipeline takes one partition of the log into the read models: load, fold, project, commit. It is the
// protocol of COMMIT.md, over ports that internal/kafkalog and internal/redisview implement.
//
// A lane is one generation of one partition. Its goroutine owns everything it has: the connection,
// the cache, the batch. A tenure is the time between two claims of a lane.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// Limits bound a lane in events, bytes and time.
type Limits struct {
	LiveEvents    int           // a batch while the lane is at the head of the log
	CatchupEvents int           // a batch while it is behind
	SubjectEvents int           // of one subject in a batch
	Gather        time.Duration // how long a batch that is behind may wait to grow
	ChunkCommands int
	ChunkBytes    int
	ChunkDeadline time.Duration // below half the rebalance timeout
	Tick          time.Duration // an idle lane commits nothing this often
	Panics        int           // that a lane survives in a minute; more is a bug, not a bad record
}

// Deps is what the lanes of a process share.
type Deps struct {
	Log         Log
	Models      Models
	Generations Generations
	Snapshots   Snapshots // nil: generations are folded from the start of the log
	// Direct is a source of a partition beside the group, for a lane that builds a generation.
	Direct      func(p event.Partition) Source
	DeadLetters DeadLetters
	Decode      func(value []byte) (event.Event, *Poison)         // safe for concurrent use
	NewSubject  func(id event.Subject, set view.Set) view.Subject // of the set's kind; view.NewSubject
	// Watermark is the end of a partition as last asked for, once a second per process, and when the question
	// was sent (Unix milliseconds); 0 when there was no answer yet.
	Watermark func(p event.Partition) (end, checkedMs int64)
	// Served is the generation that v:serving named when it was last read, once a second per process; the zero time
	// when it could not be read yet.
	Served func(p event.Partition) (g Generation, readAt time.Time)

	// Counted is how many partitions a topic has, as last asked for with Watermark; 0: no answer yet. nil: nobody asks.
	Counted func(topic string) int32

	Cache      *CacheBudget
	Turns      *Turns
	Partitions int32 // of the topic, by the topology; 0: whatever it has

	Views   view.Set      // for generations that are made, of the kind that the topic is about; afterwards the position decides
	Keep    time.Duration // how long a generation that serves no more is kept
	Limits  Limits
	Version string // of the program
	Run     string // random id of the process, part of every token
	Logger  *slog.Logger
}

// Lane takes one partition into its serving generation, and builds another one beside it when that is asked for.
type Lane struct {
	Deps
	limits     Limits
	decode     func(value []byte) (event.Event, *Poison)
	newSubject func(id event.Subject, set view.Set) view.Subject
	partition  event.Partition
	source     Source
	group      Membership
	assignment Assignment
	stats      *Stats
	log        *slog.Logger

	topicID   event.TopicID // as last observed
	claimed   bool          // a claim was tried since the assignment
	certified bool          // the group's offset is ours
	pause     *backoff.ExponentialBackOff
	applied   atomic.Bool // something was applied since the pause began to grow

	mu        sync.Mutex // the serving lane and a builder are two goroutines
	panics    []time.Time
	reporter  Generation // whose position the group is told
	reporting bool
	builder   Generation // that is built, or left alone
}

// NewLane is a lane of a partition that the group has given us.
func NewLane(d Deps, a Assignment, s Source, m Membership, stats *Stats) *Lane {
	return &Lane{
		Deps: d, limits: d.Limits, decode: d.Decode, newSubject: d.NewSubject, partition: a.Partition,
		source: s, group: m, assignment: a, stats: stats, log: d.Logger.With("partition", a.Partition.String()),
	}
}

// Stopped is why a partition is not consumed until somebody has acted. Its text says what was seen and what to do.
type Stopped struct {
	Partition event.Partition
	Rule      int // of DESIGN.md 6; 0: none of them
	Why, Hint string
	Final     bool // what was done about it is not looked for: the partition waits for another lane
}

func (s *Stopped) Error() string {
	return fmt.Sprintf("%s is stopped: %s; %s", s.Partition, s.Why, s.Hint)
}

// Run folds until the partition is released (nil) or is stopped for good (*Stopped, Final). A lane that is stopped by what it has seen looks again
// from time to time, and goes on when somebody has acted. It must be called from the lane's own goroutine; every wait in it ends when ctx is done.
func (l *Lane) Run(ctx context.Context) error {
	l.pause = backoff.NewExponentialBackOff()
	l.pause.InitialInterval, l.pause.MaxInterval = 20*time.Millisecond, 2*time.Second
	for {
		if l.claimed && !l.leaseHeld(ctx) {
			return nil
		}
		l.stats.claiming()
		err := l.hold(ctx)
		var stopped *Stopped
		switch {
		case errors.As(err, &stopped):
			if l.stats.stop(stopped) {
				l.log.Error("partition stopped", "rule", stopped.Rule, "why", stopped.Why, "hint", stopped.Hint)
			}
			if stopped.Final {
				return stopped
			}
			if !sleep(ctx, stoppedTicks*l.limits.Tick) {
				return nil
			}
			continue
		case ctx.Err() != nil, errors.Is(err, ErrReleased):
			return nil
		case errors.Is(err, errLookAgain):
			continue
		}
		if l.applied.Swap(false) {
			l.pause.Reset()
		}
		l.log.Warn("claiming again", "cause", err)
		if !sleep(ctx, l.pause.NextBackOff()) {
			return nil
		}
	}
}

// stoppedTicks is how many ticks a lane that is stopped waits before it looks again: it asks Kafka three times and Redis a few.
const stoppedTicks = 5

// errLookAgain: the read models have changed by what the lane has decided; it decides again from what is there now.
var errLookAgain = errors.New("look again")

// leaseHeld asks the group whether the partition is still ours, until it knows; false ends the lane.
func (l *Lane) leaseHeld(ctx context.Context) bool {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, time.Second
	for {
		l.stats.leaseChecks.Add(1)
		next, metadata, certificate := l.lastReport()
		switch l.group.Check(ctx, next, metadata) {
		case LeaseHeld:
			l.certified = l.certified || certificate
			return true
		case LeaseLost:
			return false
		}
		if !sleep(ctx, pause.NextBackOff()) {
			return false
		}
	}
}

// hold looks, decides, and folds for as long as every chunk is applied. The error says why that ended.
func (l *Lane) hold(ctx context.Context) error {
	o, stores, err := l.look(ctx)
	defer stores.close()
	if err != nil {
		return err
	}
	d := Decide(o)
	l.stats.decided(&d)
	switch d.Action {
	case Stop:
		return &Stopped{Partition: l.partition, Rule: d.Rule, Why: d.Why, Hint: d.Hint}
	case Create:
		return l.create(ctx, o, &d)
	case Beside:
		if err := l.makeBeside(ctx, o, &d); !errors.Is(err, errNowhere) {
			return err
		}
		if d.Action = d.Want.Otherwise; d.Action == Stop {
			return &Stopped{Partition: l.partition, Rule: d.Rule, Why: d.Why, Hint: d.Hint}
		}
		l.stats.decided(&d)
		l.log.Warn("refused", "rule", d.Rule, "why", d.Why, "hint", d.Hint)
	case Discard:
		l.log.Warn("build given up", "why", d.Why)
		return l.mark(ctx, o.Builder.Line, Discarded)
	}
	return l.fold(ctx, o, &d, stores)
}

var counter atomic.Int64

// newToken is a token that no claim has used: <run>.<counter>.
func (l *Lane) newToken() string { return l.Deps.Run + "." + strconv.FormatInt(counter.Add(1), 10) }

// fold runs the tenure of the serving generation and, beside it, of a builder, until one of them ends.
func (l *Lane) fold(ctx context.Context, o *Observed, d *Decision, s *stores) error {
	if group := max(o.Group.GroupOffset, l.reportedOf(o.Serving)); d.Rollback || l.reportedOf(o.Serving) > o.Pos.Next {
		l.stats.rollbacks.Add(1)
		l.log.Warn("redis_rollback: the read models are behind what the group had reported", "next", o.Pos.Next, "group", group)
	}
	l.setReporter(o, d)
	var tenures []*tenure
	if !d.Still {
		t, err := l.take(ctx, o, d, &s.serving, o.Serving, &o.Pos, l.source, nil)
		if err != nil {
			return err
		}
		tenures = append(tenures, t)
	}
	if d.Action == Build {
		b, err := l.takeBuilder(ctx, o, d, s)
		if err != nil {
			closeAll(tenures)
			return err
		}
		tenures = append(tenures, b)
	}
	defer closeAll(tenures)
	return serveAll(ctx, tenures)
}

func closeAll(tenures []*tenure) {
	for _, t := range tenures {
		t.close()
	}
}

// serveAll runs tenures side by side; the first that ends ends the others, and says why.
func serveAll(ctx context.Context, tenures []*tenure) error {
	if len(tenures) == 1 {
		return tenures[0].serve(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, t := range tenures {
		running.Go(func() {
			if err := t.serve(ctx); ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// setReporter decides which generation the group is told about: while one is built the group shows its progress.
func (l *Lane) setReporter(o *Observed, d *Decision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reporter, l.reporting = o.Serving, d.Action != Refuse
	l.builder = ""
	if o.Builder != nil {
		l.builder = o.Builder.Line.Generation
	}
	if d.Action == Build {
		l.reporter = l.builder
	}
}

// reportedOf is what this lane has told the group of a generation, -1 when nothing: the group's offset that came with the assignment is older.
func (l *Lane) reportedOf(g Generation) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.reporting || l.reporter != g {
		return -1
	}
	return l.stats.lastReport()
}

// take claims a generation (COMMIT.md 3). The store is the tenure's from here on.
func (l *Lane) take(ctx context.Context, o *Observed, d *Decision, store *Store, g Generation, p *Pos, source Source, b *build) (*tenure, error) {
	views, err := view.ParseSet(p.Views)
	if err != nil {
		return nil, &Stopped{Partition: l.partition, Why: fmt.Sprintf("position of generation %s: views: %v", g, err), Hint: "this program is older than the one that made the generation"}
	}
	if views.About() != l.Views.About() {
		return nil, &Stopped{Partition: l.partition, Why: fmt.Sprintf("generation %s keeps read models of %s, and the topic is about %s", g, views.About(), l.Views.About()), Hint: "empty the read models of this topic"}
	}
	if views.String() != l.Views.String() {
		l.log.Info("the generation keeps the views it was made with", "generation", g, "has", views.String(), "configured", l.Views.String())
	}
	l.claimed = true
	outcome, err := (*store).Claim(ctx, l.newToken())
	l.stats.claimed(outcome)
	if outcome != Applied {
		return nil, fmt.Errorf("claim generation %s: %s: %w", g, outcome, orNone(err))
	}
	t, err := l.begin(ctx, o, d, *store, LaneID{l.partition, g}, p, views, source, b)
	if err != nil {
		return nil, err
	}
	*store = nil
	return t, nil
}

// begin reads the totals and asks for records from the position on.
func (l *Lane) begin(ctx context.Context, o *Observed, d *Decision, store Store, id LaneID, p *Pos, views view.Set, source Source, b *build) (*tenure, error) {
	values, err := store.Load(ctx, []view.Read{{Key: view.TotalsKey, Fields: view.TotalsFields()}})
	if errors.Is(err, ErrDamaged) {
		return nil, l.breakDown(ctx, store, id.Generation, fmt.Errorf("read totals: %w", err))
	}
	if err != nil {
		return nil, fmt.Errorf("read totals: %w", err)
	}
	totals, err := view.ParseTotals(values[0])
	if err != nil {
		return nil, l.breakDown(ctx, store, id.Generation, err)
	}
	t := &tenure{
		lane: l, id: id, source: source, store: store, log: o.Log, build: b, views: views, totals: totals, ahead: p.Ahead, cache: newCache(l.Cache),
		rebuildTo: p.RebuildTo, claimedAt: time.Now(), logger: l.log.With("generation", id.Generation),
		progress: Progress{Next: p.Next, LeaderEpoch: p.LeaderEpoch, Tombstones: p.Tombstones, AppliedAppendMs: p.AppliedAppendMs, HighWatermark: p.HighWatermark, CheckedMs: p.CheckedMs},
	}
	t.logger.Info("claimed", "rule", d.Rule, "why", d.Why, "next", p.Next, "log_start", o.Log.Start, "log_end", o.Log.End)
	if p.Next < 0 {
		if err := t.seed(ctx, p); err != nil {
			t.end()
			return nil, l.seedFailed(ctx, id, err)
		}
		if p.Seed == SeedStart { // otherwise an earlier attempt, or the snapshot, has left subjects
			t.cache.close()
			t.cache = newCompleteCache(l.Cache)
		}
	}
	source.SeekTo(t.progress.Next, t.progress.LeaderEpoch)
	t.report(t.progress.Next)
	return t, nil
}

// lastReport is what a lease check commits: the position as last acknowledged; before there is one, what the group
// already had, so that an operator's reset is not forgotten. certificate tells that it is ours.
func (l *Lane) lastReport() (next int64, metadata string, certificate bool) {
	next = l.stats.lastReport()
	if next < 0 && l.assignment.GroupOffset >= 0 {
		return l.assignment.GroupOffset, l.assignment.Metadata, false
	}
	next = max(next, 0)
	return next, l.certificate(next), true
}

func (l *Lane) certificate(next int64) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Certificate{TopicID: l.topicID, Next: next, Generation: l.reporter, Run: l.Deps.Run, Version: l.Version}.String()
}

func orNone(err error) error {
	if err == nil {
		return errors.New("no further error")
	}
	return err
}

// sleep waits, and is false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
