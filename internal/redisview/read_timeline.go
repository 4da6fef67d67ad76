package redisview

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
)

// Timeline reads the weeks of a subscriber's timeline that choose takes of those of the card (nil: all), both ascending, and calls each for
// every report, by start and, at one instant, by entry. No more is held in memory than longFields reports or the largest week.
// again, if not nil, says that the answer begins anew: what was delivered so far must be forgotten. *ErrNoView: timelines
// are not kept.
//
// choose depends on nothing but its argument: it is asked again whenever the card was read again. Of the reading's own weeks it takes
// those that were read, at the same @, so that the counts of the others complete them to one cut. A reading whose
// AtEnd is above At has the counts of At.
func (r *Reader) Timeline(ctx context.Context, id event.Subject, choose func([]view.WeekCount) []view.WeekCount, each func(fold.EntryID, *fold.Entry) error, again func()) (view.Reading, error) {
	if choose == nil {
		choose = func(all []view.WeekCount) []view.WeekCount { return all }
	}
	return r.subject(ctx, id, again, func(a *answer) error {
		if err := a.card(nil); err != nil {
			return err
		}
		if err := needs(&a.reading.Cut, view.Timeline); err != nil {
			return err
		}
		deliver := func(e *entry) error {
			*a.delivered = true
			return each(e.id, &e.Entry)
		}
		for range attempts {
			weeks := choose(a.reading.Weeks)
			if reportsOf(weeks) > longFields || len(weeks) > pipelineCommands {
				break
			}
			done, err := a.shortTimeline(weeks, choose, deliver)
			if done || err != nil {
				return err
			}
		}
		return a.longTimeline(choose(a.reading.Weeks), deliver)
	})
}

// entry is a report with the name of its entry.
type entry struct {
	id fold.EntryID
	fold.Entry
}

func reportsOf(weeks []view.WeekCount) (n int64) {
	for _, w := range weeks {
		n += w.Reports
	}
	return n
}

// shortTimeline reads all weeks with the card in one MULTI. Not done: other weeks would be chosen of the card as it is now, or a
// week is longer than it was.
func (a *answer) shortTimeline(weeks []view.WeekCount, choose func([]view.WeekCount) []view.WeekCount, each func(*entry) error) (done bool, err error) {
	if len(weeks) == 0 {
		return true, nil
	}
	pages := make([]*redis.ScanCmd, len(weeks))
	if err := a.card(func(t *trip) {
		for i, w := range weeks {
			pages[i] = t.page(view.TimelineKey(a.id, w.Week), 0, longFields)
		}
	}); err != nil {
		return false, err
	}
	if !slices.EqualFunc(weeks, choose(a.reading.Weeks), func(x, y view.WeekCount) bool { return x.Week == y.Week }) {
		return false, nil
	}
	for _, page := range pages {
		if _, cursor := page.Val(); cursor != 0 {
			return false, nil
		}
	}
	for i, page := range pages {
		if err := a.week(weeks[i].Week, page, each); err != nil {
			return false, err
		}
	}
	return true, nil
}

// longTimeline reads week by week, several of them in one trip while they are short.
func (a *answer) longTimeline(weeks []view.WeekCount, each func(*entry) error) error {
	for len(weeks) > 0 {
		var keys []string
		for reports := int64(0); len(keys) < len(weeks) && len(keys) < pipelineCommands; {
			w := weeks[len(keys)]
			if reports += w.Reports; reports > longFields && len(keys) > 0 {
				break
			}
			keys = append(keys, view.TimelineKey(a.id, w.Week))
		}
		pages, err := a.pages(keys, 0, longFields)
		if err != nil {
			return err
		}
		for i, page := range pages {
			if err := a.week(weeks[i].Week, page, each); err != nil {
				return err
			}
		}
		weeks = weeks[len(keys):]
	}
	return nil
}

// week delivers the reports of one week in order.
func (a *answer) week(w event.Week, page *redis.ScanCmd, each func(*entry) error) error {
	key := view.TimelineKey(a.id, w)
	var list []entry
	err := a.hash(key, page, func(field, value string) error {
		id, err := view.ParseEntryField(field)
		if err != nil {
			return err
		}
		e, err := view.ParseEntry(value)
		if err != nil {
			return err
		}
		list = append(list, entry{id, *e})
		return nil
	})
	if err != nil {
		return fmt.Errorf("week %s: %w", w, err)
	}
	slices.SortFunc(list, func(x, y entry) int {
		return cmp.Or(cmp.Compare(x.StartMs, y.StartMs), bytes.Compare(x.id[:], y.id[:]))
	})
	for i := range list {
		if err := each(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// Where says where a subscriber is kept: the serving generation, its keys and the node that has them.
func (r *Reader) Where(ctx context.Context, id event.Subject) (view.Place, error) {
	reading, err := r.Card(ctx, id)
	if err != nil {
		return view.Place{}, err
	}
	place, prefix, err := r.place(ctx, reading)
	if err != nil {
		return place, err
	}
	place.Keys = append(place.Keys, prefix+view.CardKey(id))
	if reading.Views.Has(view.Contacts) {
		place.Keys = append(place.Keys, prefix+view.ContactsKey(id))
	}
	for _, w := range reading.Weeks {
		place.Weeks = append(place.Weeks, prefix+view.TimelineKey(id, w.Week))
	}
	return place, nil
}

// WhereDevice is where a device is kept.
func (r *Reader) WhereDevice(ctx context.Context, id event.Subject) (view.Place, error) {
	d, err := r.Device(ctx, id)
	if err != nil {
		return view.Place{}, err
	}
	place, prefix, err := r.place(ctx, view.Reading{Cut: d.Cut, Found: d.Found, At: d.At, AtEnd: d.AtEnd})
	if err != nil {
		return place, err
	}
	place.Keys = append(place.Keys, prefix+view.DeviceKey(id))
	if d.Views.Has(view.Links) {
		place.Keys = append(place.Keys, prefix+view.LinksKey(id))
	}
	return place, nil
}

// place is the server and the position of what was read, and what its keys begin with.
func (r *Reader) place(ctx context.Context, reading view.Reading) (place view.Place, prefix string, err error) {
	lane := pipeline.LaneID{Partition: reading.Partition, Generation: pipeline.Generation(reading.Generation)}
	place = view.Place{Reading: reading, Node: r.client.options.Addrs[0], Pos: PosKey(lane)}
	if cluster, ok := r.client.shared.(*redis.ClusterClient); ok {
		node, err := cluster.MasterForKey(ctx, PosKey(lane))
		if err != nil {
			return place, "", r.failed(lane.Partition, err)
		}
		place.Node = node.Options().Addr
	}
	return place, Prefix(lane), nil
}
