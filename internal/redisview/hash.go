package redisview

import (
	"context"
	"errors"
	"fmt"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
)

// HashGeneration is the canonical hash of one generation, of whatever is there while it is read. Whoever wants the
// hash of a position holds the generation still, or uses VerifyHash.
func (c *Client) HashGeneration(ctx context.Context, lane pipeline.LaneID) (view.Hash, error) {
	hashes, err := c.hashes(ctx, []pipeline.LaneID{lane})
	if err != nil {
		return view.Hash{}, err
	}
	return hashes[lane], nil
}

// hashes are the hashes of some generations, in one walk.
func (c *Client) hashes(ctx context.Context, lanes []pipeline.LaneID) (map[pipeline.LaneID]view.Hash, error) {
	sums := make(map[pipeline.LaneID]*view.Hash, len(lanes))
	for _, lane := range lanes {
		sums[lane] = &view.Hash{}
	}
	err := c.scan(ctx, lanes, func(r record) error {
		if err := sums[*r.lane].AddKey(r.key, r.field, r.value); err != nil {
			return fmt.Errorf("hash %s generation %s: %w", r.lane.Partition, r.lane.Generation, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	hashes := make(map[pipeline.LaneID]view.Hash, len(lanes))
	for lane, sum := range sums {
		hashes[lane] = *sum
	}
	return hashes, nil
}

// ErrMoving is a hash that cannot be told, since the read models go on being written.
var ErrMoving = errors.New("the read models kept moving while they were hashed")

// VerifyHash is the canonical hash of all serving generations with the position of each. It counts only what stood
// still: next equal to ahead, and both the same before and after; partitions that moved are hashed again, four times at
// most, and then it is ErrMoving. view.HashAnswer.Comparable is false where tombstones were skipped.
func (r *Reader) VerifyHash(ctx context.Context) (answer view.HashAnswer, err error) {
	var hashes map[pipeline.LaneID]view.Hash
	err = r.untilStill(ctx, r.all(), func(lanes []pipeline.LaneID) (err error) {
		hashes, err = r.client.hashes(ctx, lanes)
		return err
	}, func(lane pipeline.LaneID, cut view.Cut) { answer.Add(view.PartHash{Cut: cut, Hash: hashes[lane]}) })
	return answer, err
}

// Records calls f with every record of the serving generation of a partition, in no order, and returns the position at which that stood still
// meanwhile, or ErrMoving. It calls begin before each attempt: what f was called with until then counts for nothing.
func (r *Reader) Records(ctx context.Context, p event.Partition, begin func(), f func(key, field, value string) error) (at view.Cut, err error) {
	err = r.untilStill(ctx, []event.Partition{p}, func(lanes []pipeline.LaneID) error {
		begin()
		return r.client.scan(ctx, lanes, func(r record) error { return f(r.key, r.field, r.value) })
	}, func(_ pipeline.LaneID, cut view.Cut) { at = cut })
	return at, err
}

// untilStill reads partitions, and again those that moved meanwhile, and calls done for each that stood still.
func (r *Reader) untilStill(ctx context.Context, open []event.Partition, read func([]pipeline.LaneID) error, done func(pipeline.LaneID, view.Cut)) (err error) {
	for attempt := range 5 {
		if attempt > 0 {
			if err := pause(ctx, time.Duration(attempt*attempt)*100*time.Millisecond); err != nil {
				return err
			}
		}
		if open, err = r.readStill(ctx, open, read, done); err != nil || len(open) == 0 {
			return err
		}
	}
	return fmt.Errorf("%w: %s (of %d partitions): hash again when nothing is written", ErrMoving, open[0], len(open))
}

// readStill reads partitions once and returns those that moved.
func (r *Reader) readStill(ctx context.Context, partitions []event.Partition, read func([]pipeline.LaneID) error, done func(pipeline.LaneID, view.Cut)) (moved []event.Partition, err error) {
	before, err := r.positions(ctx, partitions)
	if err != nil {
		return nil, err
	}
	var lanes []pipeline.LaneID
	for i := range before {
		if before[i].found {
			lanes = append(lanes, before[i].lane)
		}
	}
	if err := read(lanes); err != nil {
		return nil, err
	}
	after, err := r.positions(ctx, partitions)
	if err != nil {
		return nil, err
	}
	for i := range before {
		was, now := &before[i], &after[i]
		if !was.found || was.Next < 0 {
			return nil, fmt.Errorf("%w: %s: no generation with a position serves it: is a processor running?", view.ErrUnavailable, was.partition)
		}
		if was.lane != now.lane || was.Next != now.Next || was.Next != was.Ahead || now.Next != now.Ahead || was.Part != 0 {
			moved = append(moved, was.partition)
			continue
		}
		cut, err := cutOf(now.lane, &now.Pos)
		if err != nil {
			return nil, err
		}
		done(now.lane, cut)
	}
	return moved, nil
}
