package console

import (
	"context"
	"slices"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/indicator"
	"switchboard/internal/view"
)

// isContact tells whether a report names another party: what is withheld or missing is no contact.
func isContact(counterpart string) bool { return counterpart != "" && counterpart != event.Withheld }

// walk calls each for every report of the query's period; again begins anew.
func (c *Console) walk(ctx context.Context, q *Query, each func(fold.EntryID, *fold.Entry) error, again func()) (view.Reading, error) {
	reading, _, err := c.walkLast(ctx, q, 0, each, again)
	return reading, err
}

// walkLast is walk for an answer that shows only the last reports of the period (last 0: all). Weeks that cannot have any of them are passed
// over where the card counts them; passed is how many reports those have, at the same @ as what was read.
func (c *Console) walkLast(ctx context.Context, q *Query, last int, each func(fold.EntryID, *fold.Entry) error, again func()) (reading view.Reading, passed int, err error) {
	choose := func(weeks []view.WeekCount) []view.WeekCount {
		read, _ := lastWeeks(weeks, q.Period, last)
		return read
	}
	reading, err = c.ports.Timeline(ctx, q.Subject, choose, func(id fold.EntryID, e *fold.Entry) error {
		if !q.Period.Contains(e.StartMs, e.OffsetS) {
			return nil
		}
		return each(id, e)
	}, again)
	_, passed = lastWeeks(reading.Weeks, q.Period, last)
	return reading, passed, err
}

// lastWeeks are the weeks to read for the last reports of a period (last 0: for all of them), and how many reports the weeks have that are
// passed over: those that the period holds whole, once later ones that it holds whole have enough. Weeks are of UTC and reports
// are ordered by instant, so that no offset brings one of an earlier week behind one of a later week. A week that the period may cut is
// always read: the card does not say how many of its reports are in.
func lastWeeks(weeks []view.WeekCount, p indicator.Period, last int) (read []view.WeekCount, passed int) {
	later := 0
	for _, w := range slices.Backward(weeks) {
		if !p.Reads(w.Week) {
			continue
		}
		whole := last > 0 && p.Holds(w.Week)
		if whole && later >= last {
			passed += int(w.Reports)
			continue
		}
		if whole {
			later += int(w.Reports)
		}
		read = append(read, w)
	}
	slices.Reverse(read)
	return read, passed
}

// reports reads what the indicators are computed from.
func (c *Console) reports(ctx context.Context, q *Query) ([]indicator.Report, view.Reading, error) {
	var list []indicator.Report
	reading, err := c.walk(ctx, q, func(id fold.EntryID, e *fold.Entry) error {
		list = append(list, reportOf(id, e))
		return nil
	}, func() { list = list[:0] })
	return list, reading, err
}

func reportOf(id fold.EntryID, e *fold.Entry) indicator.Report {
	r := indicator.Report{
		StartMs: e.StartMs, OffsetS: e.OffsetS, Kind: e.Kind, Direction: e.Direction, Seconds: e.Seconds, Antenna: e.Antenna, ID: id,
	}
	if isContact(e.Counterpart) {
		r.Contact = e.Counterpart
	}
	return r
}

// computed is a computed answer with what it cost.
type computed[T any] struct {
	Value T
	Read  int // reports that were read for it
}

// compute reads a subscriber's reports and computes from them, or finds what was computed before for the same subscriber
// at the same @ and period.
func compute[T any](ctx context.Context, c *Console, q *Query, what string, from func([]indicator.Report) T) (computed[T], view.Reading, error) {
	var none computed[T]
	if err := c.await(ctx, q, c.ports.Partition(q.Subject)); err != nil {
		return none, view.Reading{}, err
	}
	reading, err := c.ports.Card(ctx, q.Subject)
	if err != nil {
		return none, reading, err
	}
	if found, ok := c.cache.get(keyOf(q, &reading, what)); ok {
		return found.(computed[T]), reading, nil
	}
	reports, reading, err := c.reports(ctx, q)
	if err != nil {
		return none, reading, err
	}
	answer := computed[T]{from(reports), len(reports)}
	if reading.AtEnd == reading.At {
		c.cache.put(keyOf(q, &reading, what), answer)
	}
	return answer, reading, nil
}

func keyOf(q *Query, r *view.Reading, what string) cacheKey {
	return cacheKey{r.Partition, r.Generation, q.Subject, r.At, q.Period.String(), what}
}

// About is what answers about one subscriber have in common.
type About struct {
	Subscriber string  `json:"subscriber"`
	Found      bool    `json:"found"`            // false: nothing was ever reported about it
	Period     *Period `json:"period,omitempty"` // absent: everything
	At         int64   `json:"at"`               // offset of the last event folded into the subscriber; -1: none
	AtEnd      *int64  `json:"at_end,omitempty"` // the subscriber changed while it was read: the answer mixes at and at_end
}

func subscriberOf(q *Query, r *view.Reading) About {
	s := About{Subscriber: string(q.Subject), Found: r.Found, Period: periodOf(q.Period), At: r.At}
	if r.AtEnd != r.At {
		s.AtEnd = &r.AtEnd
	}
	return s
}

// head writes the title of an answer; false: there is nothing more to say.
func (s *About) head(p *printer, what, right string) bool {
	if !s.Found {
		p.title(what+" of "+s.Subscriber, "")
		p.line("Nothing is known about " + s.Subscriber + ".")
		return false
	}
	p.title(what+" of "+s.Subscriber+s.Period.String(), right)
	if s.AtEnd != nil {
		p.line(p.warn("The subscriber changed while it was read: events " + count(s.At) + " to " + count(*s.AtEnd) + " may be there in part."))
	}
	return true
}
