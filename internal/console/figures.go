package console

import (
	"cmp"
	"slices"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// Figures are the sums that a subscriber, and each of its contacts, has. Seconds are of calls.
type Figures struct {
	CallsIn    int64  `json:"calls_in"`
	CallsOut   int64  `json:"calls_out"`
	TextsIn    int64  `json:"texts_in"`
	TextsOut   int64  `json:"texts_out"`
	SecondsIn  int64  `json:"seconds_in"`
	SecondsOut int64  `json:"seconds_out"`
	FirstAt    string `json:"first_at,omitempty"` // start of the first and the last report, UTC
	LastAt     string `json:"last_at,omitempty"`
	FirstMs    int64  `json:"first_ms,omitempty"` // the same in Unix milliseconds
	LastMs     int64  `json:"last_ms,omitempty"`
}

// figuresOf are sums as figures, the times not yet as text.
func figuresOf(s *fold.Sums) Figures {
	return Figures{
		CallsIn: s.CallsIn, CallsOut: s.CallsOut, TextsIn: s.TextsIn, TextsOut: s.TextsOut,
		SecondsIn: s.SecondsIn, SecondsOut: s.SecondsOut, FirstMs: s.FirstMs, LastMs: s.LastMs,
	}
}

// add counts one report.
func (f *Figures) add(e *fold.Entry) {
	if f.Reports() == 0 {
		f.FirstMs, f.LastMs = e.StartMs, e.StartMs
	}
	f.FirstMs, f.LastMs = min(f.FirstMs, e.StartMs), max(f.LastMs, e.StartMs)
	switch in := e.Direction == event.In; {
	case e.Kind == event.Call && in:
		f.CallsIn++
		f.SecondsIn += e.Seconds
	case e.Kind == event.Call:
		f.CallsOut++
		f.SecondsOut += e.Seconds
	case in:
		f.TextsIn++
	default:
		f.TextsOut++
	}
}

// stamp fills in the times as text.
func (f *Figures) stamp() {
	if f.Reports() > 0 {
		f.FirstAt, f.LastAt = stamp(f.FirstMs), stamp(f.LastMs)
	}
}

// Reports is how many reports were summed.
func (f *Figures) Reports() int64 { return f.CallsIn + f.CallsOut + f.TextsIn + f.TextsOut }

// orders is what a list of contacts or reporters may be ordered by; the largest comes first, and of equals the
// lowest name.
var orders = []string{"reports", "calls", "texts", "seconds", "last", "name"}

func order(by string, f *Figures) int64 {
	switch by {
	case "reports":
		return f.Reports()
	case "calls":
		return f.CallsIn + f.CallsOut
	case "texts":
		return f.TextsIn + f.TextsOut
	case "seconds":
		return f.SecondsIn + f.SecondsOut
	case "last":
		return f.LastMs
	}
	return 0
}

// named is a line of such a list.
type named struct {
	name string
	Figures
}

// best keeps the first lines of a list, which may be much longer.
type best struct {
	by    string
	limit int // 0: all
	list  []named
	total int
}

func (b *best) add(n named) {
	b.total++
	b.list = append(b.list, n)
	if b.limit > 0 && len(b.list) > 2*b.limit+1000 {
		b.cut()
	}
}

// first are the lines that are shown, complete.
func (b *best) first() []named {
	b.cut()
	for i := range b.list {
		b.list[i].stamp()
	}
	return b.list
}

func (b *best) cut() {
	slices.SortFunc(b.list, func(x, y named) int {
		return cmp.Or(cmp.Compare(order(b.by, &y.Figures), order(b.by, &x.Figures)), cmp.Compare(x.name, y.name))
	})
	if b.limit > 0 && len(b.list) > b.limit {
		b.list = b.list[:b.limit]
	}
}

// figures writes a table of contacts or reporters. The last column shows what it is ordered by.
func (p *printer) figures(what, by string, list []named) {
	if by == "name" || by == "last" {
		by = "reports"
	}
	var most int64
	for i := range list {
		most = max(most, order(by, &list[i].Figures))
	}
	rows := make([][]string, len(list))
	for i := range list {
		f := &list[i].Figures
		shown := count(order(by, f))
		if by == "seconds" {
			shown = talk(order(by, f))
		}
		last := ""
		if p.width() >= 96 {
			last = local(f.LastMs, 0).Format("2006-01-02")
		}
		rows[i] = []string{
			count(int64(i + 1)), list[i].name, some(f.CallsIn), some(f.CallsOut), some(f.TextsIn), some(f.TextsOut),
			talk(f.SecondsIn + f.SecondsOut), last, shown, p.bar(gauge(float64(order(by, f)), float64(most), 8)),
		}
	}
	p.table([]string{">#", what, ">call←", ">call→", ">text←", ">text→", ">talk", "last", ">" + by, ""}, rows)
}
