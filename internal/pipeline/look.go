package pipeline

import (
	"context"
	"fmt"
)

// stores are the open lanes of a partition, until tenures have taken them.
type stores struct{ serving, builder Store }

func (s *stores) close() {
	for _, store := range []Store{s.serving, s.builder} {
		if store != nil {
			store.Close()
		}
	}
}

// look gathers what the decision needs; the positions are watched from here on.
func (l *Lane) look(ctx context.Context) (*Observed, *stores, error) {
	s := &stores{}
	o := &Observed{Group: l.assignment, Certified: l.certified, Expected: l.Partitions}
	var err error
	if o.Serving, err = l.Models.Serving(ctx, l.partition); err != nil {
		return nil, s, fmt.Errorf("read v:serving: %w", err)
	}
	epoch := int32(-1)
	if o.Serving != "" {
		if s.serving, o.Pos, o.Found, err = l.Models.Open(ctx, LaneID{l.partition, o.Serving}); err != nil {
			return nil, s, fmt.Errorf("open generation %s: %w", o.Serving, err)
		}
		if o.Found {
			epoch = o.Pos.LeaderEpoch
		}
	}
	if o.Log, err = l.Log.Observe(ctx, l.partition, epoch); err != nil {
		return nil, s, fmt.Errorf("observe the log: %w", err)
	}
	l.topicID = o.Log.TopicID
	if o.Adopted, err = l.Generations.Adopted(ctx, l.partition); err != nil {
		return nil, s, fmt.Errorf("read what was adopted: %w", err)
	}
	return o, s, l.lookAtBuilder(ctx, o, s)
}

func (l *Lane) lookAtBuilder(ctx context.Context, o *Observed, s *stores) error {
	line, err := l.builderOf(ctx, o.Serving)
	if err != nil || line == nil {
		return err
	}
	b := &Builder{Line: *line}
	if s.builder, b.Pos, b.Found, err = l.Models.Open(ctx, LaneID{l.partition, line.Generation}); err != nil {
		return fmt.Errorf("open generation %s: %w", line.Generation, err)
	}
	if b.Found {
		state, err := l.Log.Observe(ctx, l.partition, b.Pos.LeaderEpoch)
		if err != nil {
			return fmt.Errorf("observe the log: %w", err)
		}
		b.EpochEnd = state.EpochEnd
	}
	o.Builder = b
	return nil
}

// builderOf is the newest generation that is wanted or being built beside the serving one, nil when there is none.
func (l *Lane) builderOf(ctx context.Context, serving Generation) (*Line, error) {
	lines, err := l.Generations.List(ctx, l.partition)
	if err != nil {
		return nil, fmt.Errorf("list generations: %w", err)
	}
	for i := range lines {
		if s := lines[i].State; lines[i].Beside == serving && serving != "" && (s == Wanted || s == Building || s == Ready) {
			return &lines[i], nil
		}
	}
	return nil, nil
}
