package indicator

import (
	"testing"
	"time"

	"switchboard/internal/event"
)

func TestNight(t *testing.T) {
	for _, c := range []struct {
		start string
		want  bool
	}{
		{"2019-03-04T00:00:00Z", true},
		{"2019-03-04T07:00:00Z", true}, // both edges are night, to the millisecond
		{"2019-03-04T07:00:00.001Z", false},
		{"2019-03-04T18:59:59.999Z", false},
		{"2019-03-04T19:00:00Z", true},
		{"2019-03-04T19:00:00+05:30", true},
		{"2019-03-04T12:00:00-09:30", false},
		{"1969-12-31T06:59:59.999Z", true}, // before 1970
		{"1969-12-31T07:00:00.001Z", false},
	} {
		r := one(t, c.start)
		got := Compute([]Report{r}, Options{})
		if night, _ := got.Value(PercentNocturnal, Split{}); night != float64(count(c.want)) {
			t.Errorf("%s: got night %v, want %v", c.start, night, c.want)
		}
	}
}

func TestLocalCalendar(t *testing.T) {
	for _, c := range []struct {
		start, day, week string
		weekend          bool
	}{
		{"2019-03-03T23:59:59Z", "2019-03-03", "2019-W09", true},
		{"2019-03-04T00:00:00+05:45", "2019-03-04", "2019-W10", false}, // Sunday in UTC
		{"2019-03-08T23:30:00-03:30", "2019-03-08", "2019-W10", false}, // Saturday in UTC
		{"2021-01-03T12:00:00Z", "2021-01-03", "2020-W53", true},
		{"1969-12-28T23:59:59.999Z", "1969-12-28", "1969-W52", true},
		{"1969-12-29T00:00:00Z", "1969-12-29", "1970-W01", false},
	} {
		reports := []Report{one(t, c.start)}
		day, week := Daily(reports).Series[0].First, ByWeek(reports, Options{})[0].Week
		_, weekend := Compute(reports, Options{}).Value(NumberOfInteractions, Split{Week: Weekend})
		if day != c.day || week != event.Week(c.week) || weekend != c.weekend || HourOfWeek(reports)[0].Week != week {
			t.Errorf("%s: got %s %s weekend %v, want %s %s %v", c.start, day, week, weekend, c.day, c.week, c.weekend)
		}
	}
}

func TestSecondsBelowZeroCountAsNone(t *testing.T) {
	r := one(t, "2019-03-04T12:00:00Z")
	r.Seconds = -5
	got, _ := Compute([]Report{r}, Options{}).Summary(CallDuration, Split{})
	if got.Mean != 0 || got.Max != 0 {
		t.Errorf("got %+v, want 0 s", got)
	}
	for cell := range HourOfWeek([]Report{r})[0].Cells() {
		if cell.Channel == SecondsOut {
			t.Errorf("got %+v", cell)
		}
	}
}

// TestHoursOfFractions splits at the hour's edges by whole seconds from the start, whatever its milliseconds.
func TestHoursOfFractions(t *testing.T) {
	r := one(t, "2019-03-10T23:59:59.900Z") // a Sunday
	r.Seconds = 3602
	m := HourOfWeek([]Report{r})[0]
	if m.Week != "2019-W10" || m.Matrix[SecondsOut][6][23] != 1 || m.Matrix[SecondsOut][0][0] != 3600 || m.Matrix[SecondsOut][0][1] != 1 {
		t.Errorf("got %v", cells([]WeekMatrix{m}))
	}
}

func TestIntervalsAreBetweenInstants(t *testing.T) {
	reports := []Report{one(t, "2019-03-04T12:00:00+05:30"), one(t, "2019-03-04T12:00:00Z")}
	got, _ := Compute(reports, Options{}).Summary(IntereventTime, Split{})
	if got.Mean != 19800 {
		t.Errorf("got %v s, want 19800", got.Mean)
	}
}

func TestCosineDistance(t *testing.T) {
	for _, c := range []struct {
		a, b []int64
		want float64
	}{
		{[]int64{3, 0}, []int64{5, 0}, 0},
		{[]int64{1, 2}, []int64{1, 2}, 0},
		{[]int64{1, 0}, []int64{0, 1}, 1},
		{[]int64{1, 0}, []int64{1, 1}, 1 - 0.7071067811865475},
		{[]int64{1, 1}, []int64{1, 0}, 1 - 0.7071067811865475},
	} {
		if got := cosineDistance(c.a, []int32{0, 1}, c.b, []int32{0, 1}); !Equal(got, c.want) {
			t.Errorf("%v, %v: got %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// one is an outgoing call of 60 s at a local time with its offset.
func one(t *testing.T, start string) Report {
	t.Helper()
	when, err := time.Parse(time.RFC3339, start)
	if err != nil {
		t.Fatal(err)
	}
	_, offset := when.Zone()
	return Report{
		StartMs: when.UnixMilli(), OffsetS: int32(offset), Kind: event.Call, Direction: event.Out,
		Seconds: 60, Contact: "c", Antenna: "1",
	}
}
