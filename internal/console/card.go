package console

import (
	"context"
	"io"
	"math"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/indicator"
	"switchboard/internal/view"
)

// CardAnswer is a subscriber at a glance.
type CardAnswer struct {
	Meta
	About
	Figures
	Contacts   int64  `json:"contacts"`             // distinct ones
	Withheld   int64  `json:"withheld"`             // reports without a contact, which all other figures count too
	Amended    int64  `json:"amended"`              // reports that an amendment replaced or asserted
	Duplicates *int64 `json:"duplicates,omitempty"` // events that changed nothing; not of a period
	Weeks      []Week `json:"weeks"`                // UTC ISO weeks with reports, ascending
	Read       *int   `json:"reports_read,omitempty"`
}

// Week is how many reports there are in a UTC ISO week.
type Week struct {
	Week    string `json:"week"`
	Reports int64  `json:"reports"`
}

// Card answers with a subscriber's card. Of a period the figures are computed from its reports.
func (c *Console) Card(ctx context.Context, q Query) (*CardAnswer, error) {
	if err := c.subject(&q); err != nil {
		return nil, err
	}
	if q.Period != (indicator.Period{}) {
		return c.cardOfPeriod(ctx, &q)
	}
	if err := c.await(ctx, &q, c.ports.Partition(q.Subject)); err != nil {
		return nil, err
	}
	reading, err := c.ports.Card(ctx, q.Subject)
	if err != nil {
		return nil, err
	}
	card := &reading.Card
	a := &CardAnswer{
		Meta: c.meta(&q, reading.Cut), About: subscriberOf(&q, &reading), Figures: figuresOf(&card.Sums),
		Contacts: card.Contacts, Withheld: card.Withheld, Amended: card.Amended, Duplicates: &card.Duplicates, Weeks: weeksOf(reading.Weeks),
	}
	a.Figures.stamp()
	return a, nil
}

func weeksOf(weeks []view.WeekCount) []Week {
	list := make([]Week, len(weeks))
	for i, w := range weeks {
		list[i] = Week{string(w.Week), w.Reports}
	}
	return list
}

func (c *Console) cardOfPeriod(ctx context.Context, q *Query) (*CardAnswer, error) {
	if err := c.await(ctx, q, c.ports.Partition(q.Subject)); err != nil {
		return nil, err
	}
	var a CardAnswer
	var contacts map[string]struct{}
	var weeks []view.WeekCount
	reset := func() { a, contacts, weeks = CardAnswer{Read: new(int)}, map[string]struct{}{}, nil }
	reset()
	reading, err := c.walk(ctx, q, func(_ fold.EntryID, e *fold.Entry) error {
		*a.Read++
		a.Figures.add(e)
		if isContact(e.Counterpart) {
			contacts[e.Counterpart] = struct{}{}
		} else {
			a.Withheld++
		}
		if e.Revision > 0 {
			a.Amended++
		}
		if week := event.WeekOf(e.StartMs); len(weeks) == 0 || weeks[len(weeks)-1].Week != week {
			weeks = append(weeks, view.WeekCount{Week: week})
		}
		weeks[len(weeks)-1].Reports++
		return nil
	}, reset)
	if err != nil {
		return nil, err
	}
	a.Figures.stamp()
	a.Meta, a.About, a.Contacts, a.Weeks = c.meta(q, reading.Cut), subscriberOf(q, &reading), int64(len(contacts)), weeksOf(weeks)
	return &a, nil
}

// Text shows the card.
func (a *CardAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	if a.head(p, "Card", counted(int(a.Reports()), "report")) {
		a.body(p)
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}

func (a *CardAnswer) body(p *printer) {
	if a.Reports() > 0 {
		days := (a.LastMs-a.FirstMs)/(24*3600*1000) + 1
		p.line(instant(a.FirstMs) + " to " + instant(a.LastMs) + p.dim(" · "+counted(int(days), "day")))
	}
	p.line("")
	p.table([]string{"", ">in", ">out", ">all", ""}, [][]string{
		{"calls", some(a.CallsIn), some(a.CallsOut), some(a.CallsIn + a.CallsOut), p.balance(a.CallsIn, a.CallsOut)},
		{"texts", some(a.TextsIn), some(a.TextsOut), some(a.TextsIn + a.TextsOut), p.balance(a.TextsIn, a.TextsOut)},
		{"talk", talk(a.SecondsIn), talk(a.SecondsOut), talk(a.SecondsIn + a.SecondsOut), p.balance(a.SecondsIn, a.SecondsOut)},
	})
	p.line("")
	line := "contacts " + p.bold(count(a.Contacts)) + " · withheld " + count(a.Withheld) + " · amended " + count(a.Amended)
	if a.Duplicates != nil {
		line += " · duplicates " + count(*a.Duplicates)
	}
	p.line(line)
	a.sparkline(p)
}

// balance shows which direction prevails.
func (p *printer) balance(in, out int64) string {
	if in+out == 0 {
		return ""
	}
	const columns = 20
	left := int(math.Round(columns * float64(in) / float64(in+out)))
	return p.bar(repeat("█", left)) + p.dim(repeat("░", columns-left)) + p.dim(" in/out")
}

// sparkline shows the weeks, those without reports too.
func (a *CardAnswer) sparkline(p *printer) {
	values, ok := everyWeek(a.Weeks)
	if !ok {
		return
	}
	peak := a.Weeks[0]
	for _, w := range a.Weeks {
		if w.Reports > peak.Reports {
			peak = w
		}
	}
	first, last := a.Weeks[0].Week, a.Weeks[len(a.Weeks)-1].Week
	p.line("weeks    " + p.bar(sparkline(values, p.width()-9)))
	p.line(p.dim("         " + first + " to " + last + ", most in " + peak.Week + ": " + count(peak.Reports)))
}

// everyWeek are the counts from the first to the last week. Not ok: there are none, or far too many to be true.
func everyWeek(weeks []Week) (values []float64, ok bool) {
	const most = 5200 // a century
	if len(weeks) == 0 {
		return nil, false
	}
	start, ok := monday(weeks[0].Week)
	if !ok {
		return nil, false
	}
	for i, t := 0, start; i < len(weeks); t = t.AddDate(0, 0, 7) {
		if len(values) == most {
			return nil, false
		}
		if string(event.WeekOf(t.UnixMilli())) == weeks[i].Week {
			values = append(values, float64(weeks[i].Reports))
			i++
		} else {
			values = append(values, 0)
		}
	}
	return values, true
}

// monday is the first day of an ISO week written as 2012-W05.
func monday(week string) (time.Time, bool) {
	t, err := time.Parse("2006", week[:min(4, len(week))])
	if err != nil || len(week) != 8 {
		return t, false
	}
	n := int(week[6]-'0')*10 + int(week[7]-'0')
	fourth := t.AddDate(0, 0, 3) // 4 January is in week 1
	back := (int(fourth.Weekday()) + 6) % 7
	return fourth.AddDate(0, 0, 7*(n-1)-back), true
}
