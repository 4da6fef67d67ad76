package redisview

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
)

// Device reads the head record of a device. A device that nothing is known of is a DeviceReading that was not Found.
func (r *Reader) Device(ctx context.Context, id event.Subject) (view.DeviceReading, error) {
	return r.device(ctx, id, func() {}, func(a *answer, record *fold.DeviceRecord) error { return a.device(record, nil) })
}

// Links reads the links that a device declared or ended and calls each for every one, in no order. again, if not nil, says that the answer
// begins anew: what was delivered so far must be forgotten. *ErrNoView: links are not kept.
func (r *Reader) Links(ctx context.Context, id event.Subject, each func(other string, e *fold.Edge) error, again func()) (view.DeviceReading, error) {
	return r.device(ctx, id, again, func(a *answer, record *fold.DeviceRecord) error {
		key := view.LinksKey(id)
		var page *redis.ScanCmd
		if err := a.device(record, func(t *trip) { page = t.page(key, 0, longFields) }); err != nil {
			return err
		}
		if err := needs(&a.reading.Cut, view.Links); err != nil {
			return err
		}
		return a.hash(key, page, func(other, value string) error {
			edge, err := view.ParseEdge(value)
			if err != nil {
				return err
			}
			*a.delivered = true
			return each(other, edge)
		})
	})
}

func (r *Reader) device(ctx context.Context, id event.Subject, again func(), read func(*answer, *fold.DeviceRecord) error) (view.DeviceReading, error) {
	var record fold.DeviceRecord
	reading, err := r.about(ctx, id, view.DeviceKey(id), again, func(a *answer) error {
		record = fold.DeviceRecord{}
		return read(a, &record)
	})
	return view.DeviceReading{Cut: reading.Cut, Found: reading.Found, Record: record, At: reading.At, AtEnd: reading.AtEnd}, err
}

// device reads the head record and whatever more queues, in one MULTI.
func (a *answer) device(record *fold.DeviceRecord, more func(*trip)) error {
	t := a.trip(a.ctx, a.lane)
	asked := t.device(a.id)
	if more != nil {
		more(t)
	}
	cut, err := t.run(a.partitions)
	if err != nil {
		return err
	}
	a.reading = view.Reading{Cut: cut, At: -1, AtEnd: -1}
	if err := needs(&cut, view.DeviceOf); err != nil {
		return err
	}
	at, err := deviceOf(record, asked)
	a.reading.Found, a.reading.At, a.reading.AtEnd = at >= 0, at, at
	return err
}

// device asks for the head record of a device.
func (t *trip) device(id event.Subject) *redis.SliceCmd {
	return t.pipe.HMGet(t.ctx, t.key(view.DeviceKey(id)), append([]string{view.AtField}, view.DeviceFields()...)...)
}

// deviceOf reads what trip.device asked for; at is -1 when there is no such device.
func deviceOf(record *fold.DeviceRecord, asked *redis.SliceCmd) (at int64, err error) {
	values := valuesOf(asked.Val())
	if !values[0].OK {
		return -1, nil
	}
	if at, err = strconv.ParseInt(values[0].Text, 10, 64); err != nil {
		return -1, errors.New("device: field @ holds no number")
	}
	for i, name := range view.DeviceFields() {
		if v := values[i+1]; v.OK {
			if _, err := view.SetDeviceField(record, name, v.Text); err != nil {
				return -1, err
			}
		}
	}
	return at, nil
}

// Linked is who declares a link to a device, in no order, over all partitions.
func (r *Reader) Linked(ctx context.Context, id event.Subject) ([]view.Linked, []view.Cut, error) {
	var list []view.Linked
	cuts, err := r.across(ctx, func(lane pipeline.LaneID) (view.Cut, error) {
		part, cut, err := r.linked(ctx, lane, id)
		if err == nil {
			list = append(list, part...)
		}
		return cut, err
	})
	return list, cuts, err
}

// linked reads one partition, each device once.
func (r *Reader) linked(ctx context.Context, lane pipeline.LaneID, id event.Subject) (list []view.Linked, first view.Cut, err error) {
	seen, count := map[string]struct{}{}, int64(longFields)
	for cursor, begun := uint64(0), false; cursor != 0 || !begun; count = pageFields {
		t := r.trip(ctx, lane)
		page := t.page(view.LinkedKey(string(id)), cursor, count)
		cut, err := t.run(r.partitions)
		if err != nil {
			return nil, cut, err
		}
		if err := needs(&cut, view.Links); err != nil {
			return nil, cut, err
		}
		if !begun {
			first, begun = cut, true
		}
		first.EndNext = max(first.EndNext, cut.Next)
		var pairs []string
		pairs, cursor = page.Val()
		for i := 0; i+1 < len(pairs); i += 2 {
			if _, twice := seen[pairs[i]]; twice {
				continue
			}
			seen[pairs[i]] = struct{}{}
			edge, err := view.ParseEdge(pairs[i+1])
			if err != nil {
				return nil, first, err
			}
			list = append(list, view.Linked{By: event.Subject(pairs[i]), Edge: *edge})
		}
	}
	return list, first, nil
}

// Devices are the first k devices, in byte order of their ids, that come after one (exclusive; "" is the beginning), begin with a prefix
// and are in one of some states. It is exact, since a device lives in one partition. Their head records are read in a second trip of each
// partition: a device that has changed its state in between is shown in the new one, and the cut names both positions.
func (r *Reader) Devices(ctx context.Context, states []fold.DeviceState, prefix, after string, k int) ([]view.Listed, []view.Cut, error) {
	from, to := "["+prefix, "+"
	if after >= prefix && after != "" {
		from = "(" + after
	}
	if prefix == "" && after == "" {
		from = "-"
	}
	if end, bounded := successor(prefix); bounded {
		to = "(" + end
	}
	var ids []string
	cuts, err := r.across(ctx, func(lane pipeline.LaneID) (view.Cut, error) {
		t := r.trip(ctx, lane)
		var pages []*redis.StringSliceCmd
		for _, s := range states {
			pages = append(pages, t.pipe.ZRangeArgs(ctx, redis.ZRangeArgs{Key: t.key(view.DevicesKey(s)), Start: from, Stop: to, ByLex: true, Count: int64(k)}))
		}
		cut, err := t.run(r.partitions)
		if err != nil {
			return cut, err
		}
		for _, page := range pages {
			ids = append(ids, page.Val()...)
		}
		return cut, needs(&cut, view.DeviceOf)
	})
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	list, err := r.listed(ctx, ids[:min(k, len(ids))], cuts)
	return list, cuts, err
}

// successor is the least text that is above everything that begins with a prefix; there is none for an empty one.
func successor(prefix string) (string, bool) {
	b := []byte(prefix)
	for len(b) > 0 && b[len(b)-1] == 0xff {
		b = b[:len(b)-1]
	}
	if len(b) == 0 {
		return "", false
	}
	b[len(b)-1]++
	return string(b), true
}

// listed reads the head records of devices, and notes in the cuts when.
func (r *Reader) listed(ctx context.Context, ids []string, cuts []view.Cut) ([]view.Listed, error) {
	list := make([]view.Listed, len(ids))
	for i := range cuts {
		lane := pipeline.LaneID{Partition: cuts[i].Partition, Generation: pipeline.Generation(cuts[i].Generation)}
		t := r.trip(ctx, lane)
		asked := map[int]*redis.SliceCmd{}
		for n, id := range ids {
			if list[n].Device = event.Subject(id); r.PartitionOf(list[n].Device) == lane.Partition {
				asked[n] = t.device(list[n].Device)
			}
		}
		if len(asked) == 0 {
			continue
		}
		cut, err := t.run(r.partitions)
		if errors.Is(err, errGone) {
			err = view.ErrUnavailable
		}
		if err != nil {
			return nil, r.failed(lane.Partition, err)
		}
		cuts[i].EndNext = max(cuts[i].EndNext, cut.Next)
		for n, reply := range asked {
			if _, err := deviceOf(&list[n].Record, reply); err != nil {
				return nil, r.failed(lane.Partition, err)
			}
		}
	}
	return list, nil
}
