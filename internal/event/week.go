package event

import (
	"fmt"
	"time"
)

// Week is an ISO 8601 week in UTC, such as 2012-W05. Timelines are kept by it.
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
