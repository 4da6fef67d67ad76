package console

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"

	"switchboard/internal/indicator"
)

// IndicatorsAnswer is every indicator of a subscriber, by bandicoot's own keys.
type IndicatorsAnswer struct {
	Meta
	About
	Read       int              `json:"reports_read"`
	Reports    int              `json:"reports"` // that count
	Ignored    int              `json:"ignored"` // without a contact, as bandicoot ignores them
	Home       *string          `json:"home"`    // the antenna of most half hours of night; "" is the unknown one; null: no report at night
	Indicators Flat             `json:"indicators"`
	Weeks      []IndicatorsWeek `json:"weeks,omitempty"` // each local ISO week, on request

	table indicator.Table
	all   bool
}

// IndicatorsWeek is the indicators of one local ISO week.
type IndicatorsWeek struct {
	Week       string `json:"week"`
	Reports    int    `json:"reports"`
	Indicators Flat   `json:"indicators"`
}

// Flat is bandicoot's keys in its order (call_duration__allweek__allday__call__mean), null for unknown.
type Flat struct{ indicator.Table }

// MarshalJSON keeps the order of the keys.
func (f Flat) MarshalJSON() ([]byte, error) { return flat(f.All()) }

func flat(figures iter.Seq2[string, *float64]) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for key, value := range figures {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		b.WriteByte('"')
		b.WriteString(key)
		b.WriteString(`":`)
		b.Write(text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// indicators is what is computed and kept.
type indicators struct {
	table indicator.Table
	weeks []indicator.WeekTable
}

// Indicators answers with all indicators of a period: 713 keys, with All 999.
func (c *Console) Indicators(ctx context.Context, q Query) (*IndicatorsAnswer, error) {
	if err := c.subject(&q); err != nil {
		return nil, err
	}
	what := "indicators"
	o := indicator.Options{Combined: q.All}
	if q.All {
		what += " combined"
	}
	if q.ByWeek {
		what += " by week"
	}
	got, reading, err := compute(ctx, c, &q, what, func(reports []indicator.Report) indicators {
		computed := indicators{table: indicator.Compute(reports, o)}
		if q.ByWeek {
			computed.weeks = indicator.ByWeek(reports, o)
		}
		return computed
	})
	if err != nil {
		return nil, err
	}
	table := got.Value.table
	a := &IndicatorsAnswer{
		Meta: c.meta(&q, reading.Cut), About: subscriberOf(&q, &reading), Read: got.Read, Reports: table.Reports, Ignored: table.Ignored,
		Indicators: Flat{table}, table: table, all: q.All,
	}
	if table.HasHome {
		a.Home = &table.Home
	}
	for _, w := range got.Value.weeks {
		a.Weeks = append(a.Weeks, IndicatorsWeek{string(w.Week), w.Reports, Flat{w.Table}})
	}
	return a, nil
}

// Bandicoot writes the flat JSON of bandicoot's export: name, then every indicator by its key. Of an answer by
// week there is one such object a line, with the name of the week behind the subscriber's.
func (a *IndicatorsAnswer) Bandicoot(w io.Writer) error {
	if a.Weeks == nil {
		return bandicoot(w, a.Subscriber, a.table)
	}
	for _, week := range a.Weeks {
		if err := bandicoot(w, a.Subscriber+" "+week.Week, week.Indicators.Table); err != nil {
			return err
		}
	}
	return nil
}

func bandicoot(w io.Writer, name string, t indicator.Table) error {
	named, err := json.Marshal(name)
	if err != nil {
		return err
	}
	figures, err := flat(t.All())
	if err != nil {
		return err
	}
	out := append([]byte(`{"name":`), named...)
	if len(figures) > 2 {
		out = append(out, ',')
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, append(out, figures[1:]...), "", "    "); err != nil {
		return err
	}
	pretty.WriteByte('\n')
	_, err = w.Write(pretty.Bytes())
	return err
}

// Text shows the indicators of the whole week and day, with All of every split.
func (a *IndicatorsAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	if a.head(p, "Indicators", counted(a.Reports, "report")) {
		a.body(p)
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}

func (a *IndicatorsAnswer) body(p *printer) {
	home := "unknown: no report at night"
	if a.Home != nil {
		if home = *a.Home; home == "" {
			home = "(an unknown antenna)"
		}
	}
	p.line("home " + p.bold(home) + p.dim(" · "+counted(a.Ignored, "report")+" without a contact left out"))
	for week := indicator.AllWeek; week <= indicator.Weekend; week++ {
		for day := indicator.AllDay; day <= indicator.Night; day++ {
			if !a.all && (week != indicator.AllWeek || day != indicator.AllDay) {
				continue
			}
			p.line("")
			if a.all {
				p.line(p.bold(week.String() + ", " + day.String()))
			}
			p.indicators(a.table, week, day)
		}
	}
	if mean, std, known := a.table.Churn(); known {
		p.line("")
		p.line("churn_rate " + figure(&mean) + " ± " + figure(&std) + p.dim(" (0 to 1: how much the places of each week were others)"))
	}
}

// indicators is the table of one split.
func (p *printer) indicators(t indicator.Table, week indicator.WeekPart, day indicator.DayPart) {
	var rows [][]string
	for _, info := range indicator.Indicators() {
		row := []string{string(info.Name)}
		any := false
		for _, of := range []indicator.Interaction{indicator.Call, indicator.Text, indicator.CallAndText, indicator.Place} {
			cell := cellOf(t, info.Name, indicator.Split{Week: week, Day: day, Of: of})
			if of == indicator.Place { // shares the column of both
				if cell != "" {
					row[3] = cell
				}
			} else {
				row = append(row, cell)
			}
			any = any || cell != ""
		}
		if any {
			unit := ""
			if p.width() >= 92 {
				unit = p.dim(info.Unit)
			}
			rows = append(rows, append(row, unit))
		}
	}
	p.table([]string{"", ">calls", ">texts", ">both", ""}, rows)
}

// cellOf is a scalar, or the mean and standard deviation of a distribution; "" where it is not computed or not known.
func cellOf(t indicator.Table, of indicator.Indicator, s indicator.Split) string {
	if v, ok := t.Value(of, s); ok {
		return figure(&v)
	}
	if sum, ok := t.Summary(of, s); ok {
		return brief(sum.Mean) + " ± " + brief(sum.Std)
	}
	return ""
}
