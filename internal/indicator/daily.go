package indicator

import (
	"cmp"
	"slices"
	"time"
)

// Series is one daily series of bandicoot's dashboard: a value for each local day from First on, empty days
// included. Values holds scalars (nil for a day without a known one), Lists ascending values of each day; the
// other is nil. Percentages are 0 to 100.
type Series struct {
	Name   string // bandicoot's
	Unit   string
	First  string // local date, 2012-01-01; "" of a series without a day
	Values []*float64
	Lists  [][]float64
}

// Days is the number of days of the series.
func (s Series) Days() int { return max(len(s.Values), len(s.Lists)) }

// DayContact counts the reports of one local day with one contact (bandicoot's dashboard lists runs of
// consecutive reports instead, which come to the same sums).
type DayContact struct {
	Day     string
	Contact string
	Reports int
}

// DailyTable is the 16 series, in bandicoot's order, and the contacts of each day, by day and contact.
type DailyTable struct {
	Series   []Series
	Contacts []DayContact
}

// day is one local day of one kind, as the series see it.
type day struct {
	subset
	balances []float64 // outgoing percentage of each contact, ascending
}

// dailySeries are the series and how each is read from a day; of is the kind whose first and last day bound it.
var dailySeries = []struct {
	name, unit string
	of         Interaction
	value      func(*day) (float64, bool)
	list       func(*day) []float64
}{
	{name: "nb_out_call", unit: "calls", of: Call, value: func(d *day) (float64, bool) { return float64(d.out), true }},
	{name: "nb_out_text", unit: "texts", of: Text, value: func(d *day) (float64, bool) { return float64(d.out), true }},
	{name: "nb_inc_call", unit: "calls", of: Call, value: func(d *day) (float64, bool) { return float64(d.n - d.out), true }},
	{name: "nb_inc_text", unit: "texts", of: Text, value: func(d *day) (float64, bool) { return float64(d.n - d.out), true }},
	{name: "nb_out_all", unit: "reports", of: CallAndText, value: func(d *day) (float64, bool) { return float64(d.out), true }},
	{name: "nb_inc_all", unit: "reports", of: CallAndText, value: func(d *day) (float64, bool) { return float64(d.n - d.out), true }},
	{name: "nb_all", unit: "reports", of: CallAndText, value: func(d *day) (float64, bool) { return float64(d.n), true }},
	{name: "response_delay", unit: "seconds", of: CallAndText, list: func(d *day) []float64 { return scaled(d.talk.delays.ascending(), 1000) }},
	{name: "response_rate", unit: "%", of: CallAndText, value: func(d *day) (float64, bool) {
		rate, known := d.talk.responseRate()
		return 100 * rate, known
	}},
	{name: "call_duration", unit: "seconds", of: Call, list: func(d *day) []float64 { return scaled(d.durations.ascending(), 1) }},
	{name: "percent_initiated_interactions", unit: "%", of: Call, value: func(d *day) (float64, bool) { return 100 * ratio(d.out, d.n), true }},
	// Despite its name bandicoot's dashboard computes outgoing reports here, not conversations.
	{name: "percent_initiated_conversations", unit: "%", of: CallAndText, value: func(d *day) (float64, bool) { return 100 * ratio(d.out, d.n), true }},
	{name: "active_day", unit: "days", of: CallAndText, value: func(d *day) (float64, bool) { return float64(d.days()), true }},
	{name: "number_of_contacts", unit: "contacts", of: CallAndText, value: func(d *day) (float64, bool) { return float64(d.contacts()), true }},
	{name: "percent_nocturnal", unit: "%", of: CallAndText, value: func(d *day) (float64, bool) { return 100 * ratio(d.nights, d.n), true }},
	{name: "balance_of_contacts", unit: "%", of: CallAndText, list: func(d *day) []float64 { return append([]float64{}, d.balances...) }},
}

// Daily computes the 16 series of bandicoot's dashboard (visualization.user_data). A series runs from the first to
// the last local day that has a report of its kind: calls, texts, or either.
func Daily(reports []Report) DailyTable {
	t := newTimeline(reports)
	table := DailyTable{Series: make([]Series, len(dailySeries))}
	for i, s := range dailySeries {
		table.Series[i] = Series{Name: s.name, Unit: s.unit}
	}
	var begun [CallAndText + 1]bool
	var next [CallAndText + 1]int64 // by kind: the day after the last one written
	var d, empty day
	t.parts(row.day, func(date int64, part *timeline) {
		for of := Call; of <= CallAndText; of++ {
			d.collect(part, Split{Of: of}, home{})
			if d.n == 0 {
				continue
			}
			if of == CallAndText {
				d.balances = balances(part, d.balances[:0])
			}
			if !begun[of] {
				table.begin(of, date)
				begun[of], next[of] = true, date
			}
			for ; next[of] < date; next[of]++ {
				table.append(of, &empty)
			}
			table.append(of, &d)
			next[of] = date + 1
		}
		table.Contacts = append(table.Contacts, contactsOf(date, part)...)
	})
	return table
}

func (t *DailyTable) begin(of Interaction, date int64) {
	for i, s := range dailySeries {
		if s.of == of {
			t.Series[i].First = dateName(date)
		}
	}
}

func (t *DailyTable) append(of Interaction, d *day) {
	for i, s := range dailySeries {
		switch {
		case s.of != of:
		case s.list != nil:
			t.Series[i].Lists = append(t.Series[i].Lists, s.list(d))
		default:
			t.Series[i].Values = append(t.Series[i].Values, known(s.value(d)))
		}
	}
}

func known(v float64, is bool) *float64 {
	if !is {
		return nil
	}
	return &v
}

// balances are, for each contact of the day, outgoing reports in percent of all (weighted=False).
func balances(t *timeline, into []float64) []float64 {
	contact, reports, out := int32(-1), 0, 0
	for i := range t.byContact {
		r := &t.byContact[i]
		if r.contact != contact && reports > 0 {
			into = append(into, 100*ratio(out, reports))
			reports, out = 0, 0
		}
		contact = r.contact
		reports++
		out += count(r.class.is(isOut))
	}
	into = append(into, 100*ratio(out, reports))
	slices.Sort(into)
	return into
}

func contactsOf(date int64, t *timeline) []DayContact {
	counts := make([]DayContact, len(t.contacts))
	for i, name := range t.contacts {
		counts[i] = DayContact{Day: dateName(date), Contact: name}
	}
	for i := range t.rows {
		counts[t.rows[i].contact].Reports++
	}
	slices.SortFunc(counts, func(a, b DayContact) int { return cmp.Compare(a.Contact, b.Contact) })
	return counts
}

func scaled(values []int64, unit float64) []float64 {
	list := make([]float64, len(values))
	for i, v := range values {
		list[i] = float64(v) / unit
	}
	return list
}

func dateName(day int64) string { return time.Unix(day*24*60*60, 0).UTC().Format(time.DateOnly) }
