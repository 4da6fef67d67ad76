package redisview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
)

// errMoved: the subject changed while a long answer was read. It is read anew.
var errMoved = errors.New("the subject changed")

// answer is one attempt to read about one subject.
type answer struct {
	*Reader
	ctx       context.Context
	lane      pipeline.LaneID
	id        event.Subject
	head      string // key of the head record, which holds @
	reading   view.Reading
	stands    bool // the last attempt: an answer of a subject that changes meanwhile names both positions
	delivered *bool
}

// subject reads about one subject, until it stood still meanwhile, three times at most. again, if any, is called before
// anything is delivered once more; without it (a stream that cannot be taken back) the first attempt stands.
func (r *Reader) subject(ctx context.Context, id event.Subject, again func(), read func(*answer) error) (view.Reading, error) {
	return r.about(ctx, id, view.CardKey(id), again, read)
}

func (r *Reader) about(ctx context.Context, id event.Subject, head string, again func(), read func(*answer) error) (view.Reading, error) {
	var reading view.Reading
	delivered := false
	p := r.PartitionOf(id)
	err := r.serving(ctx, p, func(lane pipeline.LaneID) error {
		for attempt := 1; ; attempt++ {
			if delivered {
				if again == nil {
					return fmt.Errorf("%w: the read models were replaced in the middle of the answer: ask again", view.ErrUnavailable)
				}
				again()
				delivered = false
			}
			a := &answer{Reader: r, ctx: ctx, lane: lane, id: id, head: head, stands: again == nil || attempt == attempts, delivered: &delivered}
			err := read(a)
			reading = a.reading
			if !errors.Is(err, errMoved) {
				return err
			}
		}
	})
	return reading, err
}

// Card reads the head record of a subscriber. A subscriber nobody reported about is a Reading that was not Found.
func (r *Reader) Card(ctx context.Context, id event.Subject) (view.Reading, error) {
	return r.subject(ctx, id, func() {}, func(a *answer) error { return a.card(nil) })
}

// Contacts reads a subscriber's contacts and calls each for every one, in no order. again, if not nil, says that the
// answer begins anew: what was delivered so far must be forgotten. *ErrNoView: contacts are not kept.
func (r *Reader) Contacts(ctx context.Context, id event.Subject, each func(name string, c *fold.Contact) error, again func()) (view.Reading, error) {
	return r.subject(ctx, id, again, func(a *answer) error {
		key := view.ContactsKey(id)
		var page *redis.ScanCmd
		if err := a.card(func(t *trip) { page = t.page(key, 0, longFields) }); err != nil {
			return err
		}
		if err := needs(&a.reading.Cut, view.Contacts); err != nil {
			return err
		}
		return a.hash(key, page, func(name, value string) error {
			c, err := view.ParseContact(value)
			if err != nil {
				return err
			}
			*a.delivered = true
			return each(name, c)
		})
	})
}

// card reads the card and whatever more queues, in one MULTI.
func (a *answer) card(more func(*trip)) error {
	key := view.CardKey(a.id)
	t := a.trip(a.ctx, a.lane)
	page := t.page(key, 0, longFields)
	asked := t.pipe.HGet(a.ctx, t.key(key), view.AtField)
	if more != nil {
		more(t)
	}
	cut, err := t.run(a.partitions)
	if err != nil {
		return err
	}
	a.reading = view.Reading{Cut: cut, At: -1, AtEnd: -1}
	at := int64(-1)
	if fields, cursor := page.Val(); cursor == 0 {
		if err := eachPair(fields, func(name, value string) error { return a.field(name, value, &at) }); err != nil {
			return err
		}
		a.reading.At, a.reading.AtEnd = at, at
	} else if err := a.longCard(key, page, asked.Val()); err != nil { // thousands of weeks: somebody made the times up
		return err
	}
	a.reading.Found = a.reading.At >= 0
	slices.SortFunc(a.reading.Weeks, func(x, y view.WeekCount) int { return strings.Compare(string(x.Week), string(y.Week)) })
	return nil
}

// longCard reads a card in parts. Its @ is read with each part, from the first on, and not taken from the pages.
func (a *answer) longCard(key string, page *redis.ScanCmd, asked string) error {
	at, err := strconv.ParseInt(asked, 10, 64)
	if err != nil {
		return fmt.Errorf("card: field %s holds no number", view.AtField)
	}
	a.reading.At, a.reading.AtEnd = at, at
	var ignored int64
	return a.hash(key, page, func(name, value string) error { return a.field(name, value, &ignored) })
}

// field takes a field of the card.
func (a *answer) field(name, value string, at *int64) (err error) {
	if name == view.AtField {
		*at, err = strconv.ParseInt(value, 10, 64)
	} else if week, is := strings.CutPrefix(name, view.WeekPrefix); is {
		var n int64
		n, err = strconv.ParseInt(value, 10, 64)
		a.reading.Weeks = append(a.reading.Weeks, view.WeekCount{Week: event.Week(week), Reports: n})
	} else {
		_, err = view.SetCardField(&a.reading.Card, name, value) // a field of a later version is passed over
	}
	if err != nil {
		return fmt.Errorf("card: field %s holds no number", name)
	}
	return nil
}

// hash delivers a hash of which the first page has been read. A long one goes on in steps, each with the position and @; one is
// under way while the last is delivered.
func (a *answer) hash(key string, page *redis.ScanCmd, each func(name, value string) error) error {
	fields, cursor := page.Val()
	if cursor == 0 {
		return eachPair(fields, each)
	}
	seen := make(map[string]struct{}, 2*longFields) // HSCAN may name a field twice
	once := func(name, value string) error {
		if _, twice := seen[name]; twice {
			return nil
		}
		seen[name] = struct{}{}
		return each(name, value)
	}
	for cursor != 0 {
		var pages []*redis.ScanCmd
		var next errgroup.Group
		next.Go(func() (err error) {
			pages, err = a.pages([]string{key}, cursor, pageFields)
			return err
		})
		err := eachPair(fields, once)
		if err := cmp.Or(next.Wait(), err); err != nil {
			return err
		}
		fields, cursor = pages[0].Val()
	}
	return eachPair(fields, once)
}

// pages reads hashes from a cursor on, in one MULTI with the position and the subject's @: the way a long answer goes on.
func (a *answer) pages(keys []string, cursor uint64, fields int64) ([]*redis.ScanCmd, error) {
	t := a.trip(a.ctx, a.lane)
	asked := t.pipe.HGet(a.ctx, t.key(a.head), view.AtField)
	pages := make([]*redis.ScanCmd, len(keys))
	for i, key := range keys {
		pages[i] = t.page(key, cursor, fields)
	}
	cut, err := t.run(a.partitions)
	if err != nil {
		return nil, err
	}
	at, err := strconv.ParseInt(asked.Val(), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: field %s holds no number", a.head, view.AtField)
	}
	if at != a.reading.At { // else the answer is as true of where the first part was read
		a.reading.EndNext, a.reading.AtEnd = max(cut.Next, a.reading.EndNext), at
		if !a.stands {
			return nil, errMoved
		}
	}
	return pages, nil
}

func eachPair(fields []string, each func(name, value string) error) error {
	for i := 0; i+1 < len(fields); i += 2 {
		if err := each(fields[i], fields[i+1]); err != nil {
			return err
		}
	}
	return nil
}
