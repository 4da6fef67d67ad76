package console

import (
	"context"
	"fmt"
	"io"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/indicator"
	"switchboard/internal/view"
)

// ReachAnswer is who reported a number: every subscriber that has it as a contact.
type ReachAnswer struct {
	Meta
	Number    string     `json:"number"`
	Period    *Period    `json:"period,omitempty"`
	By        string     `json:"by"`
	Total     int        `json:"total"` // subscribers; the list may be shorter
	Reporters []Reporter `json:"reporters"`
	Read      *int       `json:"reports_read,omitempty"` // of a period
}

// Reporter is a subscriber, with the figures of what it reported about the number.
type Reporter struct {
	Subscriber string `json:"subscriber"`
	Figures
}

// Reach answers with who reported a number, over all partitions, by reports (or calls, texts, seconds, last, name),
// the first Limit of them. Of a period the figures are computed from the reports of each of them, which costs as much.
func (c *Console) Reach(ctx context.Context, q Query) (*ReachAnswer, error) {
	if err := c.subject(&q); err != nil {
		return nil, err
	}
	if err := q.choose(orders...); err != nil {
		return nil, err
	}
	if err := c.await(ctx, &q); err != nil {
		return nil, err
	}
	reporters, cuts, err := c.ports.Reach(ctx, string(q.Subject))
	if err != nil {
		return nil, err
	}
	a := &ReachAnswer{Number: string(q.Subject), Period: periodOf(q.Period), By: q.By, Reporters: []Reporter{}}
	list := best{by: q.By, limit: q.Limit}
	for i := range reporters {
		r := &reporters[i]
		figures := figuresOf(&r.Contact.Sums)
		if q.Period != (indicator.Period{}) {
			if a.Read == nil {
				a.Read = new(int)
			}
			if figures, err = c.withOne(ctx, &q, r, cuts, a.Read); err != nil {
				return nil, err
			}
		}
		if figures.Reports() > 0 {
			list.add(named{string(r.Subject), figures})
		}
	}
	a.Meta, a.Total = c.meta(&q, cuts...), list.total
	for _, n := range list.first() {
		a.Reporters = append(a.Reporters, Reporter{n.name, n.Figures})
	}
	return a, nil
}

// withOne computes the figures of a reporter with the number in the query's period.
func (c *Console) withOne(ctx context.Context, q *Query, r *view.Reporter, cuts []view.Cut, read *int) (Figures, error) {
	var f Figures
	if !overlaps(q.Period, r.Contact.FirstMs, r.Contact.LastMs) {
		return f, nil
	}
	n := 0
	of := Query{Subject: r.Subject, Period: q.Period}
	reading, err := c.walk(ctx, &of, func(_ fold.EntryID, e *fold.Entry) error {
		n++
		if e.Counterpart == string(q.Subject) {
			f.add(e)
		}
		return nil
	}, func() { f, n = Figures{}, 0 })
	*read += n
	extend(cuts, &reading.Cut)
	return f, err
}

// overlaps tells whether a period may hold something of a span: by weeks, since the offsets are not known.
func overlaps(p indicator.Period, firstMs, lastMs int64) bool {
	for ms := firstMs; ; ms += 7 * 24 * 3600 * 1000 {
		if p.Reads(event.WeekOf(min(ms, lastMs))) {
			return true
		}
		if ms >= lastMs {
			return false
		}
	}
}

// extend notes in the cut of its partition that a part of the answer was read later.
func extend(cuts []view.Cut, later *view.Cut) {
	for i := range cuts {
		if cuts[i].Partition == later.Partition {
			cuts[i].EndNext = max(cuts[i].EndNext, later.EndNext)
		}
	}
}

// Text shows the reporters as a table.
func (a *ReachAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	right := counted(a.Total, "subscriber")
	if len(a.Reporters) < a.Total {
		right = fmt.Sprintf("first %d of %s, by %s", len(a.Reporters), count(int64(a.Total)), a.By)
	}
	p.title("Who reported "+a.Number+a.Period.String(), right)
	if len(a.Reporters) == 0 {
		p.line("Nobody reported " + a.Number + ".")
	} else {
		list := make([]named, len(a.Reporters))
		for i, r := range a.Reporters {
			list[i] = named{r.Subscriber, r.Figures}
		}
		p.figures("subscriber", a.By, list)
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}
