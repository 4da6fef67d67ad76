package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"switchboard/internal/fold"
	"switchboard/internal/view"
)

// create lets the newest usable generation serve or, when there is none, makes one that serves at once. The lane then decides again.
func (l *Lane) create(ctx context.Context, o *Observed, d *Decision) error {
	id := LaneID{Partition: l.partition}
	var err error
	if d.Rule != 1 { // what an operator has adopted begins anew
		if id.Generation, err = l.Generations.Newest(ctx, id.Partition); err != nil {
			return fmt.Errorf("look for a generation: %w", err)
		}
	}
	if id.Generation == "" {
		if id.Generation, err = l.make(ctx, o, d, Line{State: Served, Reason: d.Why}); err != nil {
			return err
		}
	}
	over := LaneID{Partition: l.partition}
	if d.Rule == 1 { // adopted: what was folded from the old topic is over
		over.Generation = o.Serving
	}
	served, err := l.Generations.Serve(ctx, id, over)
	if err != nil {
		return fmt.Errorf("let generation %s serve: %w", id.Generation, err)
	}
	if served {
		l.stats.generations.Add(1)
		l.log.Info("a generation serves", "generation", id.Generation, "because", d.Why)
	}
	return errLookAgain
}

// makeBeside makes a generation beside the serving one, before anything is committed to the group: a crash must not forget
// what the operator has asked for.
func (l *Lane) makeBeside(ctx context.Context, o *Observed, d *Decision) error {
	asked := int64(-1)
	if d.Rule == 8 {
		asked = o.Group.GroupOffset
	}
	g, err := l.make(ctx, o, d, Line{State: Building, Asked: asked, Beside: o.Serving, Reason: d.Why})
	if err != nil {
		return err
	}
	l.stats.generations.Add(1)
	if d.Rule == 4 {
		l.log.Error("the log has lost records that were folded", "what", d.Why)
	}
	l.log.Info("building a generation beside the serving one", "generation", g, "serving", o.Serving, "rule", d.Rule, "because", d.Why)
	return errLookAgain
}

// errNowhere: there is no place at which the wanted generation could begin.
var errNowhere = errors.New("no snapshot covers it")

// make makes a generation that begins where the decision wants it, or is errNowhere.
func (l *Lane) make(ctx context.Context, o *Observed, d *Decision, line Line) (Generation, error) {
	from, ok, err := l.beginning(ctx, o, &d.Want)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", errNowhere
	}
	now := time.Now()
	if line.Generation == "" {
		line.Generation, line.MadeAtMs = NewGeneration(now), now.UnixMilli()
	}
	line.SinceMs = now.UnixMilli()
	pos := Pos{
		Next: -1, Seed: from.String(), TopicID: o.Log.TopicID, ClusterID: o.Log.ClusterID, Partitions: o.Log.Partitions,
		Fold: fold.Version, Views: l.Views.String(), LeaderEpoch: -1,
	}
	if err := l.Generations.Make(ctx, l.partition, line, pos); err != nil {
		return "", fmt.Errorf("make generation %s: %w", line.Generation, err)
	}
	return line.Generation, nil
}

// beginning is where a new generation begins: the newest usable snapshot, or the start of the log.
func (l *Lane) beginning(ctx context.Context, o *Observed, w *Want) (Beginning, bool, error) {
	if l.Snapshots != nil {
		b, ok, err := l.Snapshots.Newest(ctx, l.partition, o.Log, l.Views.String(), w.Least, w.Most)
		if err != nil {
			return Beginning{}, false, fmt.Errorf("look for a snapshot: %w", err)
		}
		if ok {
			return b, true, nil
		}
	}
	return fromStart(&o.Log), w.Start, nil
}

// takeBuilder claims the generation that is built; one that is only wanted is made first.
func (l *Lane) takeBuilder(ctx context.Context, o *Observed, d *Decision, s *stores) (*tenure, error) {
	b := o.Builder
	if !b.Found {
		line := b.Line
		line.State = Building
		d.Want = Want{Least: o.Log.Start, Most: o.Log.End, Start: o.Log.Start == 0 || line.Asked == Incomplete}
		d.Hint = "the log has lost its head and no snapshot covers it; to fold what is left: switchboard replay run --incomplete"
		_, err := l.make(ctx, o, d, line)
		if errors.Is(err, errNowhere) {
			l.log.Error("the wanted generation cannot be built", "generation", line.Generation, "hint", d.Hint)
			return nil, l.mark(ctx, line, Discarded)
		}
		if err != nil {
			return nil, err
		}
		return nil, errLookAgain
	}
	beside := &build{beside: o.Serving, line: stateOf(b.Line, Building), alone: d.Still}
	t, err := l.take(ctx, o, d, &s.builder, b.Line.Generation, &b.Pos, l.Direct(l.partition), beside)
	if err != nil {
		return nil, err
	}
	if b.Line.State == Wanted { // a rollback: it has been served before
		if err := l.Generations.Mark(ctx, l.partition, stateOf(b.Line, Building)); err != nil {
			t.close()
			return nil, fmt.Errorf("mark generation %s: %w", b.Line.Generation, err)
		}
	}
	return t, nil
}

// Incomplete is what Line.Asked holds when an operator has asked for a generation of what is left of the log.
const Incomplete = -2

// seedFailed takes a generation away whose snapshot is gone: another one is made.
func (l *Lane) seedFailed(ctx context.Context, id LaneID, err error) error {
	if !errors.Is(err, ErrSeedGone) {
		return err
	}
	l.log.Warn("a generation is given up", "generation", id.Generation, "because", err)
	if err := l.Generations.Delete(ctx, id.Partition, id.Generation); err != nil {
		return fmt.Errorf("delete generation %s: %w", id.Generation, err)
	}
	return errLookAgain
}

// mark writes a new state into a line, and decides again.
func (l *Lane) mark(ctx context.Context, line Line, s GenerationState) error {
	if err := l.Generations.Mark(ctx, l.partition, stateOf(line, s)); err != nil {
		return fmt.Errorf("mark generation %s: %w", line.Generation, err)
	}
	return errLookAgain
}

func stateOf(line Line, s GenerationState) Line {
	line.State, line.SinceMs = s, time.Now().UnixMilli()
	return line
}

// build is what a tenure that builds a generation has to do at its end.
type build struct {
	beside   Generation
	line     Line
	alone    bool // the serving generation is folded no further, so that there is nothing to compare with
	compared bool
}

// finish compares and flips, when the builder has reached the head of the log. After the flip the lane decides again: the new
// generation is then claimed on the group's reader.
func (t *tenure) finish(ctx context.Context) error {
	b := t.build
	end, checked := t.lane.Watermark(t.id.Partition)
	if checked == 0 || t.progress.Next < max(end, t.rebuildTo) || time.Since(time.UnixMilli(checked)) > 3*time.Second {
		return nil
	}
	if err := t.land(ctx); err != nil {
		return err
	}
	if !b.compared && !b.alone {
		b.compared = true
		c, err := t.lane.Generations.Compare(ctx, t.id.Partition, b.beside, t.id.Generation)
		if err != nil {
			return fmt.Errorf("compare with generation %s: %w", b.beside, err)
		}
		t.logger.Info("compared with the serving generation", "subjects", c.Subjects, "different", c.Different, "moving", c.Moving)
		b.line.Reason += fmt.Sprintf("; compared: %d of %d subjects differ", c.Different, c.Subjects)
		return nil // it has fallen behind meanwhile
	}
	if err := t.lane.Generations.Mark(ctx, t.id.Partition, stateOf(b.line, Ready)); err != nil {
		return fmt.Errorf("mark generation %s: %w", t.id.Generation, err)
	}
	flipped, err := t.lane.Generations.Flip(ctx, t.id.Partition, b.beside, t.id.Generation)
	if err != nil || !flipped {
		return err
	}
	t.logger.Info("flipped: the new generation serves", "before", b.beside)
	t.lane.stats.flips.Add(1)
	return t.lane.retire(ctx, b)
}

// retire notes that the builder serves, and that the other generation does no more: it is kept for an hour.
func (l *Lane) retire(ctx context.Context, b *build) error {
	lines, err := l.Generations.List(ctx, l.partition)
	if err != nil {
		return fmt.Errorf("list generations: %w", err)
	}
	for _, line := range lines {
		if line.Generation != b.beside {
			continue
		}
		state := Served
		if b.line.MadeAtMs < line.MadeAtMs { // an older one serves again
			state = RolledBack
		}
		if err := l.Generations.Mark(ctx, l.partition, stateOf(line, state)); err != nil {
			return fmt.Errorf("mark generation %s: %w", line.Generation, err)
		}
	}
	return l.mark(ctx, b.line, Served)
}

// tend looks at the list of generations: a build that was asked for begins, one whose time is over is deleted.
func (t *tenure) tend(ctx context.Context) error {
	lines, err := t.lane.Generations.List(ctx, t.id.Partition)
	if err != nil {
		return nil // the next commit says what is wrong with Redis
	}
	if i := slices.IndexFunc(lines, func(l Line) bool { return l.Generation == t.id.Generation && l.State == Ready }); i >= 0 && t.build == nil {
		// It was flipped to with other partitions, or by somebody who died before saying so.
		return t.lane.retire(ctx, &build{beside: lines[i].Beside, line: lines[i]})
	}
	building := t.lane.building()
	for _, line := range lines {
		switch {
		case line.Generation == t.id.Generation:
			if line.State == Discarded || line.State == Deleting {
				return fmt.Errorf("generation %s is %s", line.Generation, line.State)
			}
		case line.Beside == t.id.Generation && (line.State == Wanted || line.State == Building || line.State == Ready):
			if line.Generation != building {
				return errLookAgain
			}
		case line.State == Deleting, line.State != Wanted && line.Generation != building && time.Since(time.UnixMilli(line.SinceMs)) > t.lane.Keep:
			if err := t.lane.Generations.Delete(ctx, t.id.Partition, line.Generation); err != nil {
				t.logger.Warn("a generation could not be deleted; it is tried again", "old", line.Generation, "error", err)
			}
		}
	}
	return nil
}

// restore writes what a snapshot holds, in fenced chunks; only the last one, which seed writes, has totals and position.
func (t *tenure) restore(ctx context.Context, b Beginning) (view.Totals, error) {
	var totals view.Totals
	c := newPending(t)
	none := &batch{progress: t.progress}
	err := t.lane.Snapshots.Restore(ctx, t.id.Partition, b, func(key string, fields []string) error {
		before := len(c.mutations)
		var add view.Totals
		var err error
		if c.mutations, add, err = view.Restore(c.mutations, t.views, b.Next-1, key, fields); err != nil {
			return err
		}
		totals.Add(add)
		c.size += sizeOf(c.mutations[before:])
		if len(c.mutations) < t.lane.limits.ChunkCommands && c.size < t.lane.limits.ChunkBytes {
			return nil
		}
		return c.send(ctx, none, false)
	})
	if err != nil {
		return view.Totals{}, err
	}
	return totals, c.send(ctx, none, false)
}
