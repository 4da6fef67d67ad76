package console

import (
	"context"
	"io"
	"math"

	"switchboard/internal/indicator"
)

// DaysAnswer is bandicoot's daily series: a value, or a list of values, for each local day.
type DaysAnswer struct {
	Meta
	About
	Read     int          `json:"reports_read"`
	Series   []DaySeries  `json:"series"`
	Contacts []DayContact `json:"contacts"` // reports of each day with each contact
}

// DaySeries is one series: exactly one of values and lists. null is a day without a known value.
type DaySeries struct {
	Name   string      `json:"name"`
	Unit   string      `json:"unit"`
	First  string      `json:"first,omitempty"` // local date of the first value; absent: there is none
	Values []*float64  `json:"values,omitempty"`
	Lists  [][]float64 `json:"lists,omitempty"` // ascending
}

// DayContact counts the reports of one local day with one contact.
type DayContact struct {
	Day     string `json:"day"`
	Contact string `json:"contact"`
	Reports int    `json:"reports"`
}

// Days answers with the daily series of a period.
func (c *Console) Days(ctx context.Context, q Query) (*DaysAnswer, error) {
	if err := c.subject(&q); err != nil {
		return nil, err
	}
	table, reading, err := compute(ctx, c, &q, "days", indicator.Daily)
	if err != nil {
		return nil, err
	}
	a := &DaysAnswer{Meta: c.meta(&q, reading.Cut), About: subscriberOf(&q, &reading), Read: table.Read, Contacts: []DayContact{}}
	for _, s := range table.Value.Series {
		a.Series = append(a.Series, DaySeries(s))
	}
	for _, d := range table.Value.Contacts {
		a.Contacts = append(a.Contacts, DayContact(d))
	}
	return a, nil
}

// Text shows each series as a line.
func (a *DaysAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	if a.head(p, "Days", counted(a.Read, "report")) {
		var rows [][]string
		for i := range a.Series {
			rows = append(rows, a.Series[i].row(p))
		}
		p.table([]string{"series", "", ">mean", ">most", "unit"}, rows)
		p.para("A series runs from the first to the last local day of its kind"+a.span()+". Of durations, delays and balances it shows the mean of each day; a dot is 0, a gap unknown.", p.dim)
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}

// span names the first day and the number of days of the longest series.
func (a *DaysAnswer) span() string {
	longest := a.Series[0]
	for _, s := range a.Series {
		if s.days() > longest.days() {
			longest = s
		}
	}
	if longest.days() == 0 {
		return ""
	}
	return ", here " + counted(longest.days(), "day") + " from " + longest.First
}

func (s *DaySeries) days() int { return max(len(s.Values), len(s.Lists)) }

// row is the line of a series: its shape, mean and largest value.
func (s *DaySeries) row(p *printer) []string {
	values := s.daily()
	if len(values) == 0 {
		return []string{s.Name, "", "–", "–", s.Unit}
	}
	sum, most, n := 0.0, math.Inf(-1), 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum, most, n = sum+v, max(most, v), n+1
		}
	}
	mean, high := "–", "–"
	if n > 0 {
		m := sum / float64(n)
		mean, high = figure(&m), figure(&most)
	}
	const rest = 31 + 2 + 2 + 5 + 2 + 5 + 2 + 8 + 2 // the other columns
	return []string{s.Name, p.bar(sparkline(values, max(p.width()-rest, 10))), mean, high, p.dim(s.Unit)}
}

// daily is one value for each day, NaN where none is known.
func (s *DaySeries) daily() []float64 {
	values := make([]float64, s.days())
	for i := range values {
		values[i] = math.NaN()
		if s.Lists == nil {
			if s.Values[i] != nil {
				values[i] = *s.Values[i]
			}
			continue
		}
		if day := s.Lists[i]; len(day) > 0 {
			values[i] = 0
			for _, v := range day {
				values[i] += v / float64(len(day))
			}
		}
	}
	return values
}
