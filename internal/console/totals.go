package console

import (
	"context"
	"io"

	"switchboard/internal/indicator"
)

// TotalsAnswer is the sums over all subscribers.
type TotalsAnswer struct {
	Meta
	Subjects int64 `json:"subjects"`
	Reports  int64 `json:"reports"`
	Calls    int64 `json:"calls"`
	Texts    int64 `json:"texts"`
	Seconds  int64 `json:"seconds"`
	Contacts int64 `json:"contacts"` // pairs of subscriber and contact
	Withheld int64 `json:"withheld"`
	Amended  int64 `json:"amended"`
}

// Totals answers with the sums over all partitions. It knows no period.
func (c *Console) Totals(ctx context.Context, q Query) (*TotalsAnswer, error) {
	if q.Period != (indicator.Period{}) {
		return nil, &BadQuery{"period", "totals are of everything that was folded"}
	}
	if err := c.await(ctx, &q); err != nil {
		return nil, err
	}
	t, cuts, err := c.ports.Totals(ctx)
	if err != nil {
		return nil, err
	}
	return &TotalsAnswer{
		Meta: c.meta(&q, cuts...), Subjects: t.Subjects, Reports: t.Reports, Calls: t.Calls, Texts: t.Texts,
		Seconds: t.Seconds, Contacts: t.Contacts, Withheld: t.Withheld, Amended: t.Amended,
	}, nil
}

// Text shows the sums.
func (a *TotalsAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	p.title("Totals", "")
	p.table(nil, [][]string{
		{"subscribers", count(a.Subjects)}, {"reports", count(a.Reports)}, {"calls", count(a.Calls)}, {"texts", count(a.Texts)},
		{"talk", talk(a.Seconds)}, {"contacts", count(a.Contacts)}, {"withheld", count(a.Withheld)}, {"amended", count(a.Amended)},
	})
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}
