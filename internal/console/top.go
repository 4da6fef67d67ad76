package console

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/indicator"
	"switchboard/internal/view"
)

// TopAnswer is a ranking of the subscribers of all partitions.
type TopAnswer struct {
	Meta
	By     string  `json:"by"`
	Period *Period `json:"period,omitempty"`
	Top    []Place `json:"top"`
	Read   *int    `json:"reports_read,omitempty"` // of a period
}

// Place is one place; of equal scores the higher id comes first, as in Redis' ZREVRANGE.
type Place struct {
	Rank       int    `json:"rank"`
	Subscriber string `json:"subscriber"`
	Score      int64  `json:"score"`
}

const defaultTop = 10

// Top answers with the first Limit subscribers by incoming or outgoing reports, seconds or contacts (By: in, out,
// seconds, contacts). It is exact. Of a period, too: nobody has more in a period than altogether, so that subscribers are
// looked at in the order of the whole ranking until no further one can be among the first.
func (c *Console) Top(ctx context.Context, q Query) (*TopAnswer, error) {
	if err := c.check(&q); err != nil {
		return nil, err
	}
	if err := q.choose(view.TopNames()...); err != nil {
		return nil, err
	}
	if q.Limit == 0 {
		q.Limit = defaultTop
	}
	if err := c.await(ctx, &q); err != nil {
		return nil, err
	}
	a := &TopAnswer{By: q.By, Period: periodOf(q.Period), Top: []Place{}}
	var list []view.Ranked
	var cuts []view.Cut
	var err error
	if q.Period == (indicator.Period{}) {
		list, cuts, err = c.ports.Top(ctx, q.By, 0, q.Limit)
	} else {
		a.Read = new(int)
		list, cuts, err = c.topOfPeriod(ctx, &q, a.Read)
	}
	if err != nil {
		return nil, err
	}
	a.Meta = c.meta(&q, cuts...)
	for i, r := range list {
		a.Top = append(a.Top, Place{i + 1, string(r.Subject), r.Score})
	}
	return a, nil
}

// topOfPeriod looks at the subscribers in the order of the whole ranking, page by page.
func (c *Console) topOfPeriod(ctx context.Context, q *Query, read *int) ([]view.Ranked, []view.Cut, error) {
	var list []view.Ranked
	var cuts []view.Cut
	seen := map[event.Subject]bool{}
	page := max(2*q.Limit, 50)
	for from := 0; ; from += page {
		ranked, now, err := c.ports.Top(ctx, q.By, from, page)
		if err != nil {
			return nil, nil, err
		}
		if cuts == nil {
			cuts = now
		}
		for i := range now {
			extend(cuts, &now[i])
		}
		for _, r := range ranked {
			if len(list) == q.Limit && r.Score < list[q.Limit-1].Score {
				return list, cuts, nil
			}
			if seen[r.Subject] { // the ranking moved between two pages
				continue
			}
			seen[r.Subject] = true
			score, reading, err := c.score(ctx, q, r.Subject, read)
			if err != nil {
				return nil, nil, err
			}
			extend(cuts, &reading.Cut)
			if score > 0 {
				list = append(list, view.Ranked{Subject: r.Subject, Score: score})
				slices.SortFunc(list, func(x, y view.Ranked) int {
					return cmp.Or(cmp.Compare(y.Score, x.Score), strings.Compare(string(y.Subject), string(x.Subject)))
				})
				list = list[:min(len(list), q.Limit)]
			}
		}
		if len(ranked) < page {
			return list, cuts, nil
		}
	}
}

// score computes what a subscriber is ranked by, in the period.
func (c *Console) score(ctx context.Context, q *Query, id event.Subject, read *int) (int64, view.Reading, error) {
	var f Figures
	contacts := map[string]bool{}
	of := Query{Subject: id, Period: q.Period}
	reading, err := c.walk(ctx, &of, func(_ fold.EntryID, e *fold.Entry) error {
		f.add(e)
		if q.By == "contacts" && isContact(e.Counterpart) {
			contacts[e.Counterpart] = true
		}
		return nil
	}, func() { f = Figures{}; clear(contacts) })
	*read += int(f.Reports())
	switch q.By {
	case "in":
		return f.CallsIn + f.TextsIn, reading, err
	case "out":
		return f.CallsOut + f.TextsOut, reading, err
	case "seconds":
		return f.SecondsIn + f.SecondsOut, reading, err
	}
	return int64(len(contacts)), reading, err
}

// Text shows the ranking with bars.
func (a *TopAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	what := map[string]string{"in": "incoming reports", "out": "outgoing reports", "seconds": "talk", "contacts": "contacts"}[a.By]
	p.title("Top subscribers by "+what+a.Period.String(), counted(len(a.Top), "place"))
	if len(a.Top) == 0 {
		p.line("Nobody.")
	} else {
		rows := make([][]string, len(a.Top))
		for i, place := range a.Top {
			shown := count(place.Score)
			if a.By == "seconds" {
				shown = talk(place.Score)
			}
			bar := gauge(float64(place.Score), float64(a.Top[0].Score), 30)
			rows[i] = []string{count(int64(place.Rank)), place.Subscriber, shown, p.bar(bar)}
		}
		p.table([]string{">#", "subscriber", ">" + a.By, ""}, rows)
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}
