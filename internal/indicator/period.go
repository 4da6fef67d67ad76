package indicator

import (
	"fmt"
	"time"

	"switchboard/internal/event"
)

// Period bounds the reports that count. The zero value holds every report.
type Period struct {
	From Bound // inclusive
	To   Bound // an instant is exclusive; a date includes the whole day
}

// Bound is one end of a period: open (the zero value), a local date, or an instant.
type Bound struct {
	kind boundKind
	n    int64 // days since 1970-01-01, or Unix milliseconds
}

type boundKind uint8

const (
	open boundKind = iota
	date
	instant
)

// ParseBound reads a local date (2012-01-31), an instant (RFC 3339, 2012-01-31T08:00:00Z), or "" for open.
// A date is taken by each report's own offset; an instant is cut to whole milliseconds.
func ParseBound(text string) (Bound, error) {
	if text == "" {
		return Bound{}, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return Bound{date, floorDiv(t.UnixMilli(), dayMs)}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return Bound{}, fmt.Errorf("parse period: %q is neither a date (2012-01-31) nor an instant (2012-01-31T08:00:00Z)", text)
	}
	return Bound{instant, t.UnixMilli()}, nil
}

// ParsePeriod reads both bounds, of which one may be a date and the other an instant. A period that can hold no
// report is an error.
func ParsePeriod(from, to string) (Period, error) {
	var p Period
	var err error
	if p.From, err = ParseBound(from); err != nil {
		return Period{}, err
	}
	if p.To, err = ParseBound(to); err != nil {
		return Period{}, err
	}
	return p, p.Validate()
}

// The offsets that event.Validate admits: no report is further from UTC.
const (
	maxOffsetS  = 18 * 60 * 60
	maxOffsetMs = maxOffsetS * 1000
)

// Validate tells of a period that can hold no report.
func (p Period) Validate() error {
	if p.From.kind == open || p.To.kind == open {
		return nil
	}
	first, end := p.From.startMs(), p.To.endMs()
	if p.From.kind != p.To.kind {
		end += maxOffsetMs
	}
	if first >= end {
		return fmt.Errorf("period from %s to %s is empty: from must be before to", p.From, p.To)
	}
	return nil
}

// String is the bound as ParseBound reads it.
func (b Bound) String() string {
	switch b.kind {
	case date:
		return dateName(b.n)
	case instant:
		return time.UnixMilli(b.n).UTC().Format(time.RFC3339Nano)
	}
	return ""
}

// String is from/to, open bounds empty.
func (p Period) String() string { return p.From.String() + "/" + p.To.String() }

// startMs is the first instant of a lower bound, a date taken as UTC.
func (b Bound) startMs() int64 {
	if b.kind == date {
		return b.n * dayMs
	}
	return b.n
}

// endMs is the first instant beyond an upper bound, a date taken as UTC.
func (b Bound) endMs() int64 {
	if b.kind == date {
		return (b.n + 1) * dayMs
	}
	return b.n
}

// Contains tells whether a report that started then, at that local offset, is in the period.
func (p Period) Contains(startMs int64, offsetS int32) bool {
	at := func(b Bound) int64 {
		if b.kind == date {
			return localMs(startMs, offsetS)
		}
		return startMs
	}
	return (p.From.kind == open || at(p.From) >= p.From.startMs()) && (p.To.kind == open || at(p.To) < p.To.endMs())
}

// Select returns the reports of the period, in the order given.
func (p Period) Select(reports []Report) []Report {
	if p == (Period{}) {
		return reports
	}
	var selected []Report
	for i := range reports {
		if p.Contains(reports[i].StartMs, reports[i].OffsetS) {
			selected = append(selected, reports[i])
		}
	}
	return selected
}

// Weeks are the UTC ISO weeks that have to be read to meet every report of the period, in order: those that it touches
// at some offset. ok is false where a bound is open: use Reads on the weeks that exist.
func (p Period) Weeks() (weeks []event.Week, ok bool) {
	if p.From.kind == open || p.To.kind == open {
		return nil, false
	}
	first, last := p.weekRange()
	for w := first; w <= last; w++ {
		weeks = append(weeks, weekName(w))
	}
	return weeks, true
}

// Reads tells whether a UTC ISO week has to be read, as Weeks lists them.
func (p Period) Reads(week event.Week) bool {
	first, last := p.weekRange()
	return (p.From.kind == open || week >= weekName(first)) && (p.To.kind == open || week <= weekName(last))
}

// Holds tells whether every report of a UTC ISO week is in the period, at whatever offset.
func (p Period) Holds(week event.Week) bool {
	start, ok := week.StartMs()
	return ok && p.Contains(start, -maxOffsetS) && p.Contains(start+7*dayMs-1, maxOffsetS)
}

// lastWeek is that of 9999-12-31: the name of the next one stands before all others.
const lastWeek = (2_932_896 + 3) / 7

// weekRange numbers the first and last week to read; of an open bound the number means nothing.
func (p Period) weekRange() (first, last int64) {
	first = weekOfDay(floorDiv(p.From.startMs()-p.From.blurMs(), dayMs))
	last = weekOfDay(floorDiv(p.To.endMs()-1+p.To.blurMs(), dayMs))
	return first, min(last, lastWeek)
}

// blurMs is how far from its instant in UTC a bound may lie.
func (b Bound) blurMs() int64 {
	if b.kind == date {
		return maxOffsetMs
	}
	return 0
}
