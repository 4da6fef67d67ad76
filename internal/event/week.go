package event

import (
	"fmt"
	"strconv"
	"time"
)

// Week is an ISO 8601 week in UTC, such as 2012-W05. Timelines are kept by it. The names of the years that Validate admits stand in
// order of time.
type Week string

// WeekOf is the week of an instant in Unix milliseconds.
func WeekOf(ms int64) Week {
	year, week := time.UnixMilli(ms).UTC().ISOWeek()
	b := [...]byte{'0', '0', '0', '0', '-', 'W', '0', '0'}
	if year < 0 || year > 9999 {
		return Week(fmt.Sprintf("%04d-W%02d", year, week))
	}
	b[0], b[1], b[2], b[3] = b[0]+byte(year/1000), b[1]+byte(year/100%10), b[2]+byte(year/10%10), b[3]+byte(year%10)
	b[6], b[7] = b[6]+byte(week/10), b[7]+byte(week%10)
	return Week(b[:])
}

// StartMs is the first instant of the week in Unix milliseconds. ok is false for a text that is no week of a year of four digits.
func (w Week) StartMs() (ms int64, ok bool) {
	if len(w) != len("2012-W05") {
		return 0, false
	}
	year, err1 := strconv.Atoi(string(w[:4]))
	week, err2 := strconv.Atoi(string(w[6:]))
	if err1 != nil || err2 != nil {
		return 0, false
	}
	fourth := time.Date(year, time.January, 4, 0, 0, 0, 0, time.UTC) // is always in the first week
	sinceMonday := (int(fourth.Weekday()) + 6) % 7
	ms = fourth.AddDate(0, 0, 7*(week-1)-sinceMonday).UnixMilli()
	return ms, WeekOf(ms) == w
}
