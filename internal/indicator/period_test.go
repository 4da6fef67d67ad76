package indicator

import (
	"strings"
	"testing"
	"time"

	"switchboard/internal/event"
)

func TestPeriodContains(t *testing.T) {
	for _, c := range []struct {
		from, to, start string // start with its offset
		want            bool
	}{
		{"", "", "1969-01-01T00:00:00Z", true},
		{"2012-01-01", "2012-01-01", "2012-01-01T00:00:00Z", true},
		{"2012-01-01", "2012-01-01", "2012-01-01T23:59:59.999Z", true},
		{"2012-01-01", "2012-01-01", "2012-01-02T00:00:00Z", false},
		{"2012-01-01", "2012-01-01", "2011-12-31T23:59:59.999Z", false},
		{"2012-01-01", "", "2012-01-01T00:00:00+05:30", true},  // 2011-12-31 in UTC
		{"", "2012-01-01", "2012-01-02T00:00:00+05:30", false}, // 2012-01-01 in UTC
		{"", "2012-01-01", "2012-01-01T23:30:00-03:30", true},  // 2012-01-02 in UTC
		{"2012-01-01T00:00:00Z", "", "2012-01-01T00:00:00+05:30", false},
		{"2012-01-01T00:00:00+05:30", "", "2011-12-31T18:30:00Z", true},
		{"", "2012-01-01T00:00:00Z", "2012-01-01T00:00:00Z", false}, // an instant is exclusive
		{"", "2012-01-01T00:00:00Z", "2011-12-31T23:59:59.999Z", true},
		{"2012-01-01", "2012-01-01T12:00:00Z", "2012-01-01T11:59:59Z", true},
		{"1960-02-29", "1960-02-29", "1960-02-29T12:00:00Z", true}, // before 1970
	} {
		p, err := ParsePeriod(c.from, c.to)
		if err != nil {
			t.Errorf("%s/%s: %v", c.from, c.to, err)
			continue
		}
		start, err := time.Parse(time.RFC3339, c.start)
		if err != nil {
			t.Fatal(err)
		}
		_, offset := start.Zone()
		if got := p.Contains(start.UnixMilli(), int32(offset)); got != c.want {
			t.Errorf("%s in %s: got %v, want %v", c.start, p, got, c.want)
		}
		again, err := ParsePeriod(p.From.String(), p.To.String())
		if err != nil || again != p {
			t.Errorf("%s: read again %s (%v)", p, again, err)
		}
	}
}

func TestPeriodErrors(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"yesterday", "", `"yesterday" is neither a date`},
		{"", "2012-13-01", `"2012-13-01" is neither`},
		{"2012-01-01 00:00:00", "", "neither"},
		{"2012-01-02", "2012-01-01", "is empty"},
		{"2012-01-01T00:00:00Z", "2012-01-01T00:00:00Z", "is empty"},
		{"2012-01-05", "2012-01-01T00:00:00Z", "is empty"},
	} {
		if _, err := ParsePeriod(c.from, c.to); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s/%s: got %v, want ... %s ...", c.from, c.to, err, c.want)
		}
	}
}

func TestPeriodWeeks(t *testing.T) {
	for _, c := range []struct{ from, to, first, last string }{
		{"2012-01-01", "2012-01-01", "2011-W52", "2012-W01"}, // a Sunday
		{"2012-01-02", "2012-02-05", "2011-W52", "2012-W06"},
		{"2012-01-04", "2012-01-04", "2012-W01", "2012-W01"}, // a Wednesday, at any offset
		{"2020-12-31T00:00:00Z", "2021-01-01T00:00:00Z", "2020-W53", "2020-W53"},
		{"2012-01-02T00:00:00Z", "2012-01-09T00:00:00Z", "2012-W01", "2012-W01"}, // exclusive
	} {
		p, err := ParsePeriod(c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		weeks, ok := p.Weeks()
		if !ok || weeks[0] != event.Week(c.first) || weeks[len(weeks)-1] != event.Week(c.last) {
			t.Errorf("%s: got %v (%v), want %s to %s", p, weeks, ok, c.first, c.last)
		}
		for w := weekOfDay(0) + 2000; w < weekOfDay(0)+3000; w++ {
			listed := false
			for _, week := range weeks {
				listed = listed || week == weekName(w)
			}
			if p.Reads(weekName(w)) != listed {
				t.Errorf("%s: reads %s: %v, but listed: %v", p, weekName(w), !listed, listed)
			}
		}
	}
	if far, _ := ParsePeriod("", "9999-12-31"); !far.Reads("2012-W01") || !far.Reads("9999-W52") {
		t.Error("a period to the end of the last year")
	}
	half, _ := ParsePeriod("2012-01-02", "")
	if _, ok := half.Weeks(); ok || half.Reads("2011-W51") || !half.Reads("2011-W52") || !half.Reads("2030-W01") {
		t.Error("a period open to the right")
	}
	if !(Period{}).Reads("2011-W51") {
		t.Error("a period open on both sides")
	}
}

// TestPeriodReadsEnough meets every report of a period in the weeks that are read, at any offset.
func TestPeriodReadsEnough(t *testing.T) {
	reports := random(21, 2000, 0, 50400, -43200, 20700)
	for _, bounds := range [][2]string{{"2020-09-20", "2020-10-04"}, {"2020-09-21", "2020-09-21"}, {"2020-10-01", ""}, {"2020-09-28T00:00:00Z", "2020-10-11"}} {
		p, err := ParsePeriod(bounds[0], bounds[1])
		if err != nil {
			t.Fatal(err)
		}
		selected := p.Select(reports)
		if len(selected) == 0 {
			t.Errorf("%s: nothing selected", p)
		}
		for _, r := range selected {
			if w := event.WeekOf(r.StartMs); !p.Reads(w) {
				t.Errorf("%s: a report in %s, which is not read", p, w)
			}
		}
	}
}

// instants of a UTC ISO week: the first and last ones, and every sixth hour.
func instants(week int64) []int64 {
	start := (week*7 - 3) * dayMs
	list := []int64{start + 1, start + 7*dayMs - 1}
	for ms := start; ms < start+7*dayMs; ms += dayMs / 4 {
		list = append(list, ms)
	}
	return list
}

// TestPeriodHolds: a week is held whole when no report that can be in it is outside, and read when one can be inside.
func TestPeriodHolds(t *testing.T) {
	bounds := []string{
		"", "2012-01-01", "2012-01-02", "2012-01-03", "2012-01-08", "2012-01-09", "2012-01-10", "2012-01-22", "2012-01-23", "2012-01-24", "9999-12-31",
		"2012-01-02T00:00:00Z", "2012-01-02T00:00:00.001Z", "2012-01-08T23:59:59.999Z", "2012-01-09T00:00:00Z", "2012-01-23T00:00:00Z", "2012-01-22T23:59:59.999Z",
	}
	held := 0
	for _, from := range bounds {
		for _, to := range bounds {
			p, err := ParsePeriod(from, to)
			if err != nil {
				continue
			}
			for w := weekOfDay(15340) - 3; w < weekOfDay(15340)+6; w++ { // 2012-01-01
				all, some := true, false
				for _, ms := range instants(w) {
					for _, offset := range []int32{-maxOffsetS, -1, 0, 1, maxOffsetS} {
						in := p.Contains(ms, offset)
						all, some = all && in, some || in
					}
				}
				if all {
					held++
				}
				if got := p.Holds(weekName(w)); got != all {
					t.Errorf("%s holds %s: %v, want %v", p, weekName(w), got, all)
				}
				if got := p.Reads(weekName(w)); got != some {
					t.Errorf("%s reads %s: %v, want %v", p, weekName(w), got, some)
				}
			}
		}
	}
	if held == 0 || (Period{}).Holds("no week") {
		t.Errorf("%d weeks are held", held)
	}
}
