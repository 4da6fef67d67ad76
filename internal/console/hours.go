package console

import (
	"context"
	"io"

	"switchboard/internal/indicator"
)

// HoursAnswer is the hour-of-week matrix: figures by local weekday (0 is Monday) and hour.
type HoursAnswer struct {
	Meta
	About
	Read     int          `json:"reports_read"`
	Channels []HourMatrix `json:"channels"`        // bandicoot's eight, in its order, summed over the weeks
	Weeks    []HourWeek   `json:"weeks,omitempty"` // each local ISO week, on request
	By       string       `json:"-"`               // what Text shows
}

// HourMatrix is one channel: [weekday][hour].
type HourMatrix struct {
	Channel string       `json:"channel"`
	Values  [7][24]int64 `json:"values"`
	Total   int64        `json:"total"`
}

// HourWeek is the channels of one week.
type HourWeek struct {
	Week     string       `json:"week"`
	Channels []HourMatrix `json:"channels"`
}

// hourChoices are what a heat map may show, each a sum of channels.
var hourChoices = []struct {
	name, unit string
	of         []indicator.Channel
	by         int64 // what the shown number is divided by
}{
	{"reports", "reports", []indicator.Channel{indicator.CallsIn, indicator.CallsOut, indicator.TextsIn, indicator.TextsOut}, 1},
	{"calls", "calls", []indicator.Channel{indicator.CallsIn, indicator.CallsOut}, 1},
	{"texts", "texts", []indicator.Channel{indicator.TextsIn, indicator.TextsOut}, 1},
	{"seconds", "minutes of talk", []indicator.Channel{indicator.SecondsIn, indicator.SecondsOut}, 60},
	{"contacts_in", "contacts who called or wrote, by week", []indicator.Channel{indicator.ContactsIn}, 1},
	{"contacts_out", "contacts called or written to, by week", []indicator.Channel{indicator.ContactsOut}, 1},
	{"calls_in", "incoming calls", []indicator.Channel{indicator.CallsIn}, 1},
	{"calls_out", "outgoing calls", []indicator.Channel{indicator.CallsOut}, 1},
	{"texts_in", "incoming texts", []indicator.Channel{indicator.TextsIn}, 1},
	{"texts_out", "outgoing texts", []indicator.Channel{indicator.TextsOut}, 1},
	{"seconds_in", "minutes of incoming talk", []indicator.Channel{indicator.SecondsIn}, 60},
	{"seconds_out", "minutes of outgoing talk", []indicator.Channel{indicator.SecondsOut}, 60},
}

// HourChoices lists what By may be for Hours.
func HourChoices() []string {
	names := make([]string, len(hourChoices))
	for i, c := range hourChoices {
		names[i] = c.name
	}
	return names
}

// Hours answers with the hour-of-week matrix of a period. A contact channel counts each contact once for each hour of
// each week.
func (c *Console) Hours(ctx context.Context, q Query) (*HoursAnswer, error) {
	if err := c.subject(&q); err != nil {
		return nil, err
	}
	if err := q.choose(HourChoices()...); err != nil {
		return nil, err
	}
	weeks, reading, err := compute(ctx, c, &q, "hours", indicator.HourOfWeek)
	if err != nil {
		return nil, err
	}
	sum := indicator.SumHours(weeks.Value)
	a := &HoursAnswer{Meta: c.meta(&q, reading.Cut), About: subscriberOf(&q, &reading), Read: weeks.Read, Channels: matricesOf(&sum), By: q.By}
	if q.ByWeek {
		for i := range weeks.Value {
			a.Weeks = append(a.Weeks, HourWeek{string(weeks.Value[i].Week), matricesOf(&weeks.Value[i].Matrix)})
		}
	}
	return a, nil
}

func matricesOf(m *indicator.Matrix) []HourMatrix {
	list := make([]HourMatrix, 0, len(m))
	for _, channel := range indicator.Channels() {
		one := HourMatrix{Channel: channel.String(), Values: m[channel]}
		for d := range one.Values {
			for _, v := range one.Values[d] {
				one.Total += v
			}
		}
		list = append(list, one)
	}
	return list
}

// Text shows a heat map.
func (a *HoursAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	choice := hourChoices[0]
	for _, c := range hourChoices {
		if c.name == a.By {
			choice = c
		}
	}
	if a.head(p, "Hours of the week", counted(a.Read, "report")) {
		if weeks := a.Weeks; weeks != nil {
			for i := range weeks {
				p.line(p.bold(weeks[i].Week))
				p.matrix(weeks[i].Channels, choice.of, choice.by, choice.unit)
				p.line("")
			}
			p.line(p.bold("all weeks"))
		}
		p.matrix(a.Channels, choice.of, choice.by, choice.unit)
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}

func (p *printer) matrix(all []HourMatrix, of []indicator.Channel, by int64, unit string) {
	var m [7][24]int64
	for _, channel := range of {
		for d := range m {
			for h := range m[d] {
				m[d][h] += all[channel].Values[d][h]
			}
		}
	}
	for d := range m {
		for h := range m[d] {
			m[d][h] = (m[d][h] + by - 1) / by // a minute that has begun counts: nothing that was said becomes 0
		}
	}
	p.heatMap(&m, unit)
}
