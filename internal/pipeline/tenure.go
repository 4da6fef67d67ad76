package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"switchboard/internal/view"
)

// tenure is a lane between two claims. What it knows holds only while every chunk is applied.
type tenure struct {
	lane   *Lane
	id     LaneID
	source Source
	store  Store
	log    LogState
	views  view.Set
	cache  *cache
	logger *slog.Logger

	progress  Progress    // as last sent
	totals    view.Totals // likewise
	ahead     int64       // likewise
	flight    *flight     // what was last sent, until it is acknowledged; nil: it is
	rebuildTo int64
	claimedAt time.Time
	committed time.Time
	tended    time.Time
	build     *build // nil: this is the serving generation

	rest     []Raw  // taken from the source, and not folded yet: one subject had its share of a batch
	restNext int64  // offset behind them
	cut      bool   // so it was in the last batch
	scratch  []byte // of check
	spare    memory // for the next chunk
	deferred error  // what the source said behind the records of the last batch
}

// seed writes the first position of a generation, and before it what its snapshot holds.
func (t *tenure) seed(ctx context.Context, pos *Pos) error {
	from, err := t.lane.beginningOf(ctx, pos, &t.log)
	if err != nil {
		return err
	}
	c := newPending(t)
	if from.Manifest >= 0 {
		if c.totals, err = t.restore(ctx, from); err != nil {
			return err
		}
	}
	p := t.progress
	p.Next, p.LeaderEpoch, p.Tombstones, p.AppliedAppendMs = from.Next, from.LeaderEpoch, from.Tombstones, from.AppliedAppendMs
	p.Seeding, p.HistoryFrom, p.RebuildTo = true, from.HistoryFrom, t.log.End
	t.rebuildTo = t.log.End
	if err := c.send(ctx, &batch{progress: p}, true); err != nil {
		return err
	}
	t.progress.Seeding = false
	return t.land(ctx)
}

// serve folds batch after batch, and ticks when there is nothing to fold.
func (t *tenure) serve(ctx context.Context) error {
	for {
		if err := t.step(ctx); err != nil {
			return err
		}
		if t.build != nil {
			if err := t.finish(ctx); err != nil {
				return err
			}
		}
	}
}

// step takes one batch from the log into the read models.
func (t *tenure) step(ctx context.Context) error {
	records, next, err := t.gather(ctx)
	var large *TooLarge
	switch {
	case errors.As(err, &large):
		return t.skipTooLarge(ctx, large)
	case err != nil:
		return err
	}
	if len(records) == 0 { // nothing to do meanwhile
		if err := t.land(ctx); err != nil {
			return err
		}
	}
	if len(records) == 0 && next <= t.progress.Next && time.Since(t.committed) < t.lane.limits.Tick {
		return nil
	}
	if n := len(records); n > t.lane.limits.LiveEvents {
		if err := t.takeTurn(ctx, n, next); err != nil {
			return err
		}
		defer t.lane.Turns.Return(n)
	}
	if err := t.still(ctx); err != nil {
		return err
	}
	return t.batch(ctx, records, max(next, t.progress.Next))
}

// takeTurn waits until n events up to the offset next may be folded.
func (t *tenure) takeTurn(ctx context.Context, n int, next int64) error {
	if t.lane.Turns.Try(n) {
		return nil
	}
	if err := t.land(ctx); err != nil { // a long wait is nothing to keep the group waiting for
		return err
	}
	end, _ := t.lane.Watermark(t.id.Partition)
	if !t.lane.Turns.Take(ctx, n, max(0, end-next)) {
		return ErrReleased
	}
	return nil
}

// gather takes the records of the next batch: what is there, and while the lane is behind a little more.
func (t *tenure) gather(ctx context.Context) (records []Raw, next int64, err error) {
	limit, behind, end := t.pace()
	if len(t.rest) > 0 {
		return t.takeRest(limit)
	}
	if err := t.deferred; err != nil {
		t.deferred = nil
		return nil, 0, err
	}
	wait := max(time.Millisecond, t.lane.limits.Tick-time.Since(t.committed))
	deadline := time.Now().Add(t.lane.limits.Gather)
	for {
		more, n, err := t.source.Take(ctx, limit-len(records), wait)
		if err != nil {
			if len(records) == 0 {
				return nil, 0, err
			}
			t.deferred = err
			return records, next, nil
		}
		if len(records) == 0 {
			records = more[:len(more):len(more)]
		} else {
			records = append(records, more...)
		}
		next = max(next, n)
		wait = time.Until(deadline)
		if !behind || len(more) == 0 || len(records) >= limit || next >= end || wait <= 0 {
			return records, next, nil
		}
	}
}

// pace tells how many events a batch may have: few at the head of the log, so that each is soon visible; many when
// behind, so that a subject touched often is written once.
func (t *tenure) pace() (limit int, behind bool, end int64) {
	limits := &t.lane.limits
	end, _ = t.lane.Watermark(t.id.Partition)
	if end-t.progress.Next <= 10*int64(limits.LiveEvents) {
		t.setState(Live)
		return limits.LiveEvents, false, end
	}
	t.setState(CatchingUp)
	if t.committed.IsZero() { // the first batch after a claim is soon there, however far behind
		return limits.LiveEvents, false, end
	}
	if t.cut { // the next one will be, too: nothing is gained by a larger one
		return min(2*limits.SubjectEvents, limits.CatchupEvents), false, end
	}
	return limits.CatchupEvents, true, end
}

func (t *tenure) takeRest(limit int) (records []Raw, next int64, err error) {
	n := min(len(t.rest), limit)
	records, t.rest = t.rest[:n:n], t.rest[n:]
	if len(t.rest) > 0 {
		return records, t.rest[0].Offset, nil
	}
	t.rest = nil // an empty one keeps the records
	return records, t.restNext, nil
}

// batch folds records and commits the position next, in as many rounds as there are events that the fold cannot bear.
func (t *tenure) batch(ctx context.Context, records []Raw, next int64) error {
	var skip map[int64]*Poison
	for {
		b := t.decode(records, next, skip)
		if end, checked := t.lane.Watermark(t.id.Partition); checked > 0 {
			b.progress.HighWatermark, b.progress.CheckedMs = end, checked
		}
		if err := t.load(ctx, b); err != nil {
			return err
		}
		if err := b.fold(); err != nil {
			p, ok := asPanic(err)
			if !ok {
				return err
			}
			if err := t.survive(p); err != nil {
				return err
			}
			if skip == nil {
				skip = make(map[int64]*Poison)
			}
			skip[p.Offset] = &Poison{ClassPanic, "the fold panicked: a bug of ours"}
			continue
		}
		if err := t.lane.bury(ctx, b.letters); err != nil {
			return err
		}
		if err := t.write(ctx, b); err != nil {
			return err
		}
		if t.cut = len(b.rest) > 0; t.cut {
			if len(t.rest) == 0 {
				t.restNext = next
			}
			t.rest = append(b.rest, t.rest...)
		}
		t.cache.trim()
		t.committed = time.Now()
		if b.events <= t.lane.limits.LiveEvents { // at the head of the log what comes meanwhile makes the next batch larger
			return t.land(ctx)
		}
		return nil
	}
}

// survive decides whether a panic of the fold is one bad event or a bug that spoils everything. The subjects
// known so far are forgotten: one of them is half folded.
func (t *tenure) survive(p *view.Panic) error {
	l := t.lane
	t.logger.Error("the fold panicked; the event goes to the dead letters", "offset", p.Offset, "panic", fmt.Sprintf("%T", p.Value))
	t.cache.close()
	t.cache = newCache(l.Cache)
	l.mu.Lock()
	defer l.mu.Unlock()
	recent := l.panics[:0]
	for _, at := range l.panics {
		if time.Since(at) < time.Minute {
			recent = append(recent, at)
		}
	}
	if l.panics = append(recent, time.Now()); len(l.panics) > l.limits.Panics {
		return &Stopped{Partition: l.partition, Why: fmt.Sprintf("the fold panicked %d times within a minute, last at offset %d", len(l.panics), p.Offset), Hint: "this is a bug, not a bad record: go back to the previous version of the program", Final: true}
	}
	return nil
}

// bury appends dead letters, and blocks the partition until they are acknowledged: the position must
// not pass a record that nobody knows of.
func (l *Lane) bury(ctx context.Context, letters []DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	l.stats.burying.Store(time.Now().UnixNano())
	defer l.stats.burying.Store(0)
	// A log that takes nothing at the moment makes no error: the client goes on trying.
	late := time.AfterFunc(buryingIsLate, func() {
		l.log.Error("dead letters are not acknowledged; the partition waits", "letters", len(letters))
	})
	defer late.Stop()
	for {
		err := l.DeadLetters(ctx, letters)
		if err == nil {
			l.stats.buried(letters)
			return nil
		}
		l.log.Error("dead letters cannot be written; the partition waits", "letters", len(letters), "error", err)
		if !sleep(ctx, time.Second) {
			return ErrReleased
		}
	}
}

// buryingIsLate is when a partition that waits for its dead letters says so.
const buryingIsLate = 5 * time.Second

// skipTooLarge dead-letters a batch of the log that decompresses to more than is accepted, and goes on behind it.
func (t *tenure) skipTooLarge(ctx context.Context, large *TooLarge) error {
	l := t.lane
	letter := DeadLetter{
		Partition: l.partition, TopicID: t.log.TopicID, Offset: large.Offset, LeaderEpoch: t.progress.LeaderEpoch, Class: ClassTooLarge,
		Reason: fmt.Sprintf("a record batch decompresses to more than is accepted; the offsets before %d were skipped", large.Next),
	}
	if err := l.bury(ctx, []DeadLetter{letter}); err != nil {
		return err
	}
	if err := t.batch(ctx, nil, large.Next); err != nil {
		return err
	}
	t.source.SeekTo(large.Next, t.progress.LeaderEpoch)
	return nil
}

// close gives back what the tenure held.
func (t *tenure) close() {
	t.end()
	t.store.Close()
}

// end waits for what is under way, and forgets what is known.
func (t *tenure) end() {
	if err := t.land(context.Background()); err != nil {
		t.logger.Warn("the last chunk was not applied", "cause", err)
	}
	t.cache.close()
}

// still ends the tenure when v:serving or the list of generations has changed, as they are looked at each second.
func (t *tenure) still(ctx context.Context) error {
	serving := t.id.Generation
	if t.build != nil {
		serving = t.build.beside
	}
	if g, readAt := t.lane.Served(t.id.Partition); readAt.After(t.claimedAt) && g != serving {
		return fmt.Errorf("v:serving names generation %q, not %q", g, serving)
	}
	if counted := t.lane.Counted; counted != nil {
		if n := counted(t.id.Partition.Topic); n != 0 && n != t.log.Partitions {
			return fmt.Errorf("the topic has %d partitions, it had %d", n, t.log.Partitions)
		}
	}
	if t.build != nil || time.Since(t.tended) < t.lane.limits.Tick {
		return nil
	}
	t.tended = time.Now()
	return t.tend(ctx)
}

// damage tells a record of the read models that is not ours from a connection that failed.
func (t *tenure) damage(ctx context.Context, err error) error {
	var d *damaged
	if errors.As(err, &d) || errors.Is(err, ErrDamaged) {
		return t.breakDown(ctx, err)
	}
	return fmt.Errorf("load: %w", err)
}

// breakDown marks the generation as broken and stops the lane.
func (t *tenure) breakDown(ctx context.Context, cause error) error {
	return t.lane.breakDown(ctx, t.store, t.id.Generation, cause)
}

func (l *Lane) breakDown(ctx context.Context, store Store, g Generation, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.limits.ChunkDeadline)
	defer cancel()
	if err := store.MarkBroken(ctx, cause.Error()); err != nil {
		l.log.Error("the generation is broken, and could not be marked so", "generation", g, "error", err)
	}
	return &Stopped{Partition: l.partition, Rule: 3, Why: fmt.Sprintf("generation %s is broken: %v", g, cause), Hint: "start the processor again: another generation is then built beside this one, from the log", Final: true}
}

// report tells the group how far the read models are, unless those of another generation are what it is told about.
func (t *tenure) report(next int64) {
	l := t.lane
	l.stats.reached(t.id.Generation, next, t.build != nil)
	l.mu.Lock()
	ours := l.reporting && l.reporter == t.id.Generation
	l.mu.Unlock()
	if !ours {
		return
	}
	l.stats.report(next)
	l.group.Report(next, l.certificate(next))
}

// setState shows what the serving lane does; a builder is seen by its position.
func (t *tenure) setState(s State) {
	if t.build == nil {
		t.lane.stats.setState(s)
	}
}
