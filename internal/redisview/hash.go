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
func (r *Reader) VerifyHash(ctx context.Context) (view.HashAnswer, error) {
	var answer view.HashAnswer
	open, moved := r.all(), ""
	for attempt := range 5 {
		if attempt > 0 {
			if err := pause(ctx, time.Duration(attempt*attempt)*100*time.Millisecond); err != nil {
				return answer, err
			}
		}
		parts, still, err := r.hashStill(ctx, open)
		if err != nil {
			return answer, err
		}
		for _, part := range parts {
			answer.Add(part)
		}
		if open = still; len(open) == 0 {
			return answer, nil
		}
		moved = open[0].String()
	}
	return answer, fmt.Errorf("%w: %s (of %d partitions): hash again when nothing is written", ErrMoving, moved, len(open))
}

// hashStill hashes partitions and returns those that stood still, and the names of the others.
func (r *Reader) hashStill(ctx context.Context, partitions []event.Partition) (parts []view.PartHash, moved []event.Partition, err error) {
	before, err := r.positions(ctx, partitions)
	if err != nil {
		return nil, nil, err
	}
	var lanes []pipeline.LaneID
	for i := range before {
		if before[i].found {
			lanes = append(lanes, before[i].lane)
		}
	}
	hashes, err := r.client.hashes(ctx, lanes)
	if err != nil {
		return nil, nil, err
	}
	after, err := r.positions(ctx, partitions)
	if err != nil {
		return nil, nil, err
	}
	for i := range before {
		was, now := &before[i], &after[i]
		if !was.found || was.Next < 0 {
			return nil, nil, fmt.Errorf("%w: %s: no generation with a position serves it: is a processor running?", view.ErrUnavailable, was.partition)
		}
		if was.lane != now.lane || was.Next != now.Next || was.Next != was.Ahead || now.Next != now.Ahead || was.Part != 0 {
			moved = append(moved, was.partition)
			continue
		}
		cut, err := cutOf(now.lane, &now.Pos)
		if err != nil {
			return nil, nil, err
		}
		parts = append(parts, view.PartHash{Cut: cut, Hash: hashes[now.lane]})
	}
	return parts, moved, nil
}
