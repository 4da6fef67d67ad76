package redisview

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
)

// Reads that concern every partition: each partition is a consistent cut of its own, and the answer names all of them.

// Top is a ranking (view.TopNames) from a place on, 0 being the first, k places long, with ties by descending id, as
// ZREVRANGE has them. It is exact, since a subject lives in one partition; but what another partition has before that place
// cannot be known, so that all places up to it are read from each.
func (r *Reader) Top(ctx context.Context, name string, from, k int) ([]view.Ranked, []view.Cut, error) {
	if !slices.Contains(view.TopNames(), name) {
		return nil, nil, fmt.Errorf("%q is no ranking: want one of %s", name, strings.Join(view.TopNames(), ", "))
	}
	if k <= 0 || from < 0 {
		return nil, nil, fmt.Errorf("the length of a ranking must be at least 1")
	}
	var list []view.Ranked
	cuts, err := r.across(ctx, func(lane pipeline.LaneID) (view.Cut, error) {
		t := r.trip(ctx, lane)
		first := t.pipe.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{Key: t.key(view.TopKey(name)), Start: 0, Stop: int64(from + k - 1), Rev: true})
		cut, err := t.run(r.partitions)
		if err != nil {
			return cut, err
		}
		if err := needs(&cut, view.Top); err != nil {
			return cut, err
		}
		for _, z := range first.Val() {
			member, _ := z.Member.(string)
			list = append(list, view.Ranked{Subject: event.Subject(member), Score: int64(z.Score)})
		}
		return cut, nil
	})
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(list, func(a, b view.Ranked) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(string(b.Subject), string(a.Subject)))
	})
	list = list[min(from, len(list)):]
	return list[:min(k, len(list))], cuts, nil
}

// Totals is the sum over all partitions.
func (r *Reader) Totals(ctx context.Context) (view.Totals, []view.Cut, error) {
	var sum view.Totals
	cuts, err := r.across(ctx, func(lane pipeline.LaneID) (view.Cut, error) {
		t := r.trip(ctx, lane)
		all := t.pipe.HMGet(ctx, t.key(view.TotalsKey), view.TotalsFields()...)
		cut, err := t.run(r.partitions)
		if err != nil {
			return cut, err
		}
		if err := needs(&cut, view.TotalsOf); err != nil {
			return cut, err
		}
		part, err := view.ParseTotals(valuesOf(all.Val()))
		if err == nil {
			sum.Add(part)
		}
		return cut, err
	})
	return sum, cuts, err
}

// Reach is who reported a number, in no order, with the figures of each. It takes two trips of each partition; if that
// moved in between it is read again, and the third time the cut names both positions.
func (r *Reader) Reach(ctx context.Context, number string) ([]view.Reporter, []view.Cut, error) {
	var list []view.Reporter
	cuts, err := r.across(ctx, func(lane pipeline.LaneID) (view.Cut, error) {
		for attempt := 1; ; attempt++ {
			part, cut, err := r.reach(ctx, lane, number)
			if err == nil && cut.EndNext > cut.Next && attempt < attempts {
				continue
			}
			list = append(list, part...)
			return cut, err
		}
	})
	return list, cuts, err
}

func (r *Reader) reach(ctx context.Context, lane pipeline.LaneID, number string) ([]view.Reporter, view.Cut, error) {
	subjects, first, err := r.reporters(ctx, lane, number)
	if err != nil {
		return nil, first, err
	}
	if err := needs(&first, view.Reach); err != nil {
		return nil, first, err
	}
	var list []view.Reporter
	for len(subjects) > 0 {
		part := subjects[:min(len(subjects), pipelineCommands)]
		subjects = subjects[len(part):]
		t := r.trip(ctx, lane)
		figures := make([]*redis.StringCmd, len(part))
		for i, s := range part {
			figures[i] = t.pipe.HGet(ctx, t.key(view.ContactsKey(event.Subject(s))), number)
		}
		cut, err := t.run(r.partitions)
		if err != nil {
			return nil, first, err
		}
		first.EndNext = max(first.EndNext, cut.Next)
		for i, s := range part {
			c, err := view.ParseContact(figures[i].Val())
			if err != nil {
				return nil, first, fmt.Errorf("contact %s of %s: %w", number, s, err)
			}
			list = append(list, view.Reporter{Subject: event.Subject(s), Contact: *c})
		}
	}
	return list, first, nil
}

// reporters are the fields of a reach, once each.
func (r *Reader) reporters(ctx context.Context, lane pipeline.LaneID, number string) (subjects []string, first view.Cut, err error) {
	fields, count := map[string]struct{}{}, int64(longFields)
	for cursor, begun := uint64(0), false; cursor != 0 || !begun; count = pageFields {
		t := r.trip(ctx, lane)
		page := t.page(view.ReachKey(number), cursor, count)
		cut, err := t.run(r.partitions)
		if err != nil {
			return nil, cut, err
		}
		if !begun {
			first, begun = cut, true
		}
		first.EndNext = max(first.EndNext, cut.Next)
		var names []string
		names, cursor = page.Val()
		for i := 0; i+1 < len(names); i += 2 {
			if _, twice := fields[names[i]]; !twice {
				fields[names[i]] = struct{}{}
				subjects = append(subjects, names[i])
			}
		}
	}
	return subjects, first, nil
}

// across reads every partition in turn.
func (r *Reader) across(ctx context.Context, read func(pipeline.LaneID) (view.Cut, error)) ([]view.Cut, error) {
	cuts := make([]view.Cut, 0, r.partitions)
	for _, p := range r.all() {
		err := r.serving(ctx, p, func(lane pipeline.LaneID) error {
			cut, err := read(lane)
			if err == nil {
				cuts = append(cuts, cut)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return cuts, nil
}

// positions is a cut of each of some partitions; a partition that nothing serves is a Cut without generation, at -1.
func (r *Reader) positions(ctx context.Context, partitions []event.Partition) ([]positionAt, error) {
	names, err := r.client.ServingAll(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]positionAt, len(partitions))
	for i, p := range partitions {
		list[i] = positionAt{partition: p, Pos: pipeline.Pos{Next: -1}}
		generation := names[p.String()]
		if generation == "" {
			continue
		}
		lane := pipeline.LaneID{Partition: p, Generation: pipeline.Generation(generation)}
		fields, err := r.client.shared.HGetAll(ctx, PosKey(lane)).Result()
		if err != nil {
			return nil, err
		}
		if len(fields) == 0 {
			continue
		}
		if list[i].Pos, err = parsePos(fields); err != nil {
			return nil, fmt.Errorf("read %s: %w", p, err)
		}
		list[i].lane, list[i].found = lane, true
	}
	return list, nil
}

type positionAt struct {
	partition event.Partition
	lane      pipeline.LaneID
	found     bool
	pipeline.Pos
}

func (p *positionAt) String() string {
	return p.partition.String() + "@" + strconv.FormatInt(p.Next, 10)
}
