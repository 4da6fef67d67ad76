package indicator

import "switchboard/internal/event"

// WeekTable is the indicators of one local ISO week.
type WeekTable struct {
	Week event.Week // named as the UTC weeks are, but local
	Table
}

// ByWeek computes the indicators of every local ISO week that has a report, in order: the values over which
// bandicoot's groupby='week' takes means. Home is that of the whole period, as there; intervals and conversations
// do not reach from one week into the next. The churn of a week (mean, std 0) is its distance to the week with
// reports before it, unknown in the first. Ignored reports are in no week.
func ByWeek(reports []Report, o Options) []WeekTable {
	t := newTimeline(reports)
	home, distances, scratch := t.home(), t.churn(), new(subset)
	var tables []WeekTable
	t.parts(row.week, func(week int64, part *timeline) {
		table := part.table(home, o, scratch)
		if i := len(tables); i > 0 {
			table.set(table.layout.churn, distances[i-1])
			table.set(table.layout.churn+1, 0)
		}
		tables = append(tables, WeekTable{weekName(week), table})
	})
	return tables
}
