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
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"switchboard/internal/event"
	"switchboard/internal/fold"
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
	CacheBytes    int
	Panics        int // that a lane survives in a minute; more is a bug, not a bad record
}

// Deps is what the lanes of a process share.
type Deps struct {
	Log         Log
	Models      Models
	Generations Generations
	DeadLetters DeadLetters
	Decode      func(value []byte) (event.Event, *Poison)
	NewSubject  func(id event.Subject, set view.Set) view.Subject
	// Watermark is the end of a partition as last asked for, once a second per process, and when the question
	// was sent (Unix milliseconds); 0 when there was no answer yet.
	Watermark func(p event.Partition) (end, checkedMs int64)
	// Served is the generation that v:serving named when it was last read, once a second per process; the zero time
	// when it could not be read yet.
	Served func(p event.Partition) (g Generation, readAt time.Time)

	Views   view.Set // for generations that are made; afterwards the position decides
	Limits  Limits
	Version string // of the program
	Run     string // random id of the process, part of every token
	Logger  *slog.Logger
}

// Lane takes one partition into its serving generation.
type Lane struct {
	Deps
	limits     Limits
	decode     func(value []byte) (event.Event, *Poison)
	newSubject func(id event.Subject, set view.Set) view.Subject
	id         LaneID
	source     Source
	group      Membership
	assignment Assignment
	topicID    event.TopicID // as last observed
	claimed    bool          // a claim was tried since the assignment
	certified  bool          // committed to the group since the assignment
	pause      *backoff.ExponentialBackOff
	stats      *Stats
	panics     []time.Time
	scratch    []byte // of check
	log        *slog.Logger
}

// NewLane is a lane of a partition that the group has given us.
func NewLane(d Deps, a Assignment, s Source, m Membership, stats *Stats) *Lane {
	return &Lane{
		Deps: d, limits: d.Limits, decode: d.Decode, newSubject: d.NewSubject, id: LaneID{Partition: a.Partition},
		source: s, group: m, assignment: a, stats: stats, log: d.Logger.With("partition", a.Partition.String()),
	}
}

// Stopped is why a partition is not consumed until somebody has acted. Its text says what was seen and what to do.
type Stopped struct {
	Partition event.Partition
	Rule      int // of DESIGN.md 6; 0: none of them
	Why, Hint string
}

func (s *Stopped) Error() string {
	return fmt.Sprintf("%s is stopped: %s; %s", s.Partition, s.Why, s.Hint)
}

// Run folds until the partition is released (nil) or cannot be folded (*Stopped). It must be called from the lane's
// own goroutine; every wait in it ends when ctx is done.
func (l *Lane) Run(ctx context.Context) error {
	l.pause = backoff.NewExponentialBackOff()
	l.pause.InitialInterval, l.pause.MaxInterval = 20*time.Millisecond, 2*time.Second
	for {
		if l.claimed && !l.leaseHeld(ctx) {
			return nil
		}
		l.stats.setState(Claiming)
		err := l.hold(ctx)
		var stopped *Stopped
		switch {
		case errors.As(err, &stopped):
			l.stats.stop(stopped)
			l.log.Error("partition stopped", "rule", stopped.Rule, "why", stopped.Why, "hint", stopped.Hint)
			return stopped
		case ctx.Err() != nil, errors.Is(err, ErrReleased):
			return nil
		case errors.Is(err, errLookAgain):
			continue
		}
		l.log.Warn("claiming again", "cause", err)
		if !sleep(ctx, l.pause.NextBackOff()) {
			return nil
		}
	}
}

// leaseHeld asks the group whether the partition is still ours, until it knows; false ends the lane.
func (l *Lane) leaseHeld(ctx context.Context) bool {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, time.Second
	for {
		l.stats.leaseChecks.Add(1)
		next, metadata := l.lastReport()
		switch l.group.Check(ctx, next, metadata) {
		case LeaseHeld:
			l.certified = true
			return true
		case LeaseLost:
			return false
		}
		if !sleep(ctx, pause.NextBackOff()) {
			return false
		}
	}
}

// hold claims the lane and folds for as long as every chunk is applied. The error says why that ended.
func (l *Lane) hold(ctx context.Context) error {
	t, err := l.claim(ctx)
	if err != nil {
		return err
	}
	defer t.store.Close()
	return t.serve(ctx)
}

var counter atomic.Int64

// newToken is a token that no claim has used: <run>.<counter>.
func (l *Lane) newToken() string { return l.Deps.Run + "." + strconv.FormatInt(counter.Add(1), 10) }

// NewGeneration is a name that is new for ever, also after FLUSHALL: seconds since 2025 in base 36 and four random characters.
func NewGeneration(now time.Time) Generation {
	seconds := now.Unix() - time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	name := []byte(strconv.FormatInt(seconds, 36))
	for range 4 {
		name = append(name, letters[rand.IntN(len(letters))])
	}
	return Generation(name)
}

// claim looks, decides, and takes the lane over (COMMIT.md 3).
func (l *Lane) claim(ctx context.Context) (*tenure, error) {
	serving, err := l.Models.Serving(ctx, l.id.Partition)
	if err != nil {
		return nil, fmt.Errorf("read v:serving: %w", err)
	}
	o := Observed{Group: l.assignment, Certified: l.certified, Serving: serving}
	var store Store
	if serving != "" {
		l.id.Generation = serving
		if store, o.Pos, o.Found, err = l.Models.Open(ctx, l.id); err != nil {
			return nil, fmt.Errorf("open generation %s: %w", serving, err)
		}
	}
	t, err := l.take(ctx, &o, store)
	if err != nil && store != nil {
		store.Close()
	}
	return t, err
}

func (l *Lane) take(ctx context.Context, o *Observed, store Store) (*tenure, error) {
	epoch := int32(-1)
	if o.Found {
		epoch = o.Pos.LeaderEpoch
	}
	var err error
	if o.Log, err = l.Log.Observe(ctx, l.id.Partition, epoch); err != nil {
		return nil, fmt.Errorf("observe the log: %w", err)
	}
	l.topicID = o.Log.TopicID
	d := Decide(o)
	switch d.Action {
	case Stop:
		return nil, &Stopped{Partition: l.id.Partition, Rule: d.Rule, Why: d.Why, Hint: d.Hint}
	case Create:
		return nil, l.create(ctx, o)
	}
	if d.Rollback {
		l.stats.rollbacks.Add(1)
		l.log.Warn("redis_rollback: the read models are behind what the group had reported", "next", o.Pos.Next, "group", o.Group.GroupOffset)
	}
	views, err := view.ParseSet(o.Pos.Views)
	if err != nil {
		return nil, &Stopped{Partition: l.id.Partition, Why: fmt.Sprintf("position of generation %s: views: %v", o.Serving, err), Hint: "this program is older than the one that made the generation"}
	}
	if views.String() != l.Views.String() {
		l.log.Info("the generation keeps the views it was made with", "generation", o.Serving, "has", views.String(), "configured", l.Views.String())
	}
	l.claimed = true
	outcome, err := store.Claim(ctx, l.newToken())
	l.stats.claimed(outcome)
	if outcome != Applied {
		return nil, fmt.Errorf("claim generation %s: %s: %w", o.Serving, outcome, orNone(err))
	}
	return l.begin(ctx, o, d, store, views)
}

// begin reads the totals and asks for records from the position on.
func (l *Lane) begin(ctx context.Context, o *Observed, d Decision, store Store, views view.Set) (*tenure, error) {
	values, err := store.Load(ctx, []view.Read{{Key: view.TotalsKey, Fields: view.TotalsFields()}})
	if err != nil {
		return nil, fmt.Errorf("read totals: %w", err)
	}
	totals, err := view.ParseTotals(values[0])
	if err != nil {
		return nil, &Stopped{Partition: l.id.Partition, Why: err.Error(), Hint: "delete the keys of this generation: it is then folded again from the log"}
	}
	p := &o.Pos
	t := &tenure{
		lane: l, store: store, log: o.Log, views: views, totals: totals, ahead: p.Ahead, cache: newCache(l.limits.CacheBytes),
		rebuildTo: p.RebuildTo, claimedAt: time.Now(), logger: l.log.With("generation", o.Serving),
		progress: Progress{Next: p.Next, LeaderEpoch: p.LeaderEpoch, Tombstones: p.Tombstones, AppliedAppendMs: p.AppliedAppendMs, HighWatermark: p.HighWatermark, CheckedMs: p.CheckedMs},
	}
	t.logger.Info("claimed", "rule", d.Rule, "why", d.Why, "next", p.Next, "log_start", o.Log.Start, "log_end", o.Log.End)
	if d.Action == Seed {
		if err := t.seed(ctx, o); err != nil {
			return nil, err
		}
		if o.Pos.Seed == SeedStart { // otherwise an earlier attempt may have left subjects
			t.cache = newCompleteCache(l.limits.CacheBytes)
		}
	}
	l.source.SeekTo(t.progress.Next, t.progress.LeaderEpoch)
	t.report()
	return t, nil
}

// create lets the newest usable generation serve or, when there is none, makes one. The lane then decides again.
func (l *Lane) create(ctx context.Context, o *Observed) error {
	id := LaneID{Partition: l.id.Partition}
	var err error
	if id.Generation, err = l.Generations.Newest(ctx, id.Partition); err != nil {
		return fmt.Errorf("look for a generation: %w", err)
	}
	if id.Generation == "" {
		id.Generation = NewGeneration(time.Now())
		pos := Pos{
			Next: -1, Seed: SeedStart, TopicID: o.Log.TopicID, ClusterID: o.Log.ClusterID, Partitions: o.Log.Partitions,
			Fold: fold.Version, Views: l.Views.String(), LeaderEpoch: -1,
		}
		if err := l.Generations.Make(ctx, id, pos, "the position was missing", o.Group.GroupOffset); err != nil {
			return fmt.Errorf("make generation %s: %w", id.Generation, err)
		}
	}
	served, err := l.Generations.Serve(ctx, id)
	if err != nil {
		return fmt.Errorf("let generation %s serve: %w", id.Generation, err)
	}
	if served {
		l.stats.generations.Add(1)
		l.log.Info("a generation serves", "generation", id.Generation, "because", "there was no position")
	}
	return errLookAgain
}

// errLookAgain: the read models have changed by what the lane has decided; it decides again from what is there now.
var errLookAgain = errors.New("look again")

// lastReport is what a lease check commits: the position as last acknowledged; before there is one, what the group
// already had, so that an operator's reset is not forgotten.
func (l *Lane) lastReport() (int64, string) {
	next := l.stats.lastReport()
	if next < 0 && l.assignment.GroupOffset >= 0 {
		return l.assignment.GroupOffset, l.assignment.Metadata
	}
	next = max(next, 0)
	return next, l.certificate(next)
}

func (l *Lane) certificate(next int64) string {
	return Certificate{TopicID: l.topicID, Next: next, Generation: l.id.Generation, Run: l.Deps.Run, Version: l.Version}.String()
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
