package indicator

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"switchboard/internal/event"
)

// second is one file of the second oracle: bandicoot's own answers, see tests/data/oracle2/README.md.
type second struct {
	OffsetS    int32 `json:"utc_offset_s"`
	Home       *string
	Indicators map[string]json.RawMessage
	Combined   map[string]json.RawMessage
	Churn      []float64
	Daily      dashboard
	Hours      [][]any
	Weeks      map[string]map[string]json.RawMessage
}

func TestSecondOracle(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(dataDir, "oracle2", "*.csv"))
	if err != nil || len(files) < 11 {
		t.Fatalf("%d files, want 11 (%v)", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".csv")
		var want second
		loadJSON(t, &want, "oracle2", "expected", name+".json")
		reports := loadReports(t, want.OffsetS, "oracle2", name+".csv")
		t.Run(name+"/indicators", func(t *testing.T) {
			table := Compute(reports, Options{})
			checkTable(t, table, numbers(t, want.Indicators))
			if table.HasHome != (want.Home != nil) || want.Home != nil && *want.Home != table.Home {
				t.Errorf("home: got %q %v, want %v", table.Home, table.HasHome, want.Home)
			}
		})
		t.Run(name+"/combined", func(t *testing.T) {
			both := numbers(t, want.Combined)
			if len(both) != 9*(7+3*7) {
				t.Fatalf("%d keys of calls and texts together", len(both))
			}
			maps.Copy(both, numbers(t, want.Indicators))
			checkTable(t, Compute(reports, Options{Combined: true}), both)
		})
		t.Run(name+"/daily", func(t *testing.T) { checkDaily(t, Daily(reports), want.Daily) })
		t.Run(name+"/hours", func(t *testing.T) { checkHours(t, HourOfWeek(reports), want.Hours) })
		t.Run(name+"/weeks", func(t *testing.T) { checkWeeks(t, ByWeek(reports, Options{}), want) })
	}
}

func checkHours(t *testing.T, weeks []WeekMatrix, want [][]any) {
	t.Helper()
	var lines []string
	for _, c := range want {
		lines = append(lines, fmt.Sprintf("%v %v %v %v %v", c...))
	}
	got := cells(weeks)
	slices.Sort(lines) // bandicoot has the hours of a channel in order of time, also where they wrap
	slices.Sort(got)
	for _, line := range got {
		if _, found := slices.BinarySearch(lines, line); !found {
			t.Errorf("got week, channel, weekday, hour, value: %s", line)
		}
	}
	for _, line := range lines {
		if _, found := slices.BinarySearch(got, line); !found {
			t.Errorf("want week, channel, weekday, hour, value: %s", line)
		}
	}
}

func checkWeeks(t *testing.T, tables []WeekTable, want second) {
	t.Helper()
	if len(tables) != len(want.Churn)+1 {
		t.Fatalf("%d weeks, want %d", len(tables), len(want.Churn)+1)
	}
	for i, week := range tables {
		churn, std, known := week.Churn()
		if known != (i > 0) || i > 0 && (!Equal(churn, want.Churn[i-1]) || std != 0) {
			t.Errorf("%s: churn: got %v %v, want %v", week.Week, churn, known, want.Churn)
		}
		if want.Weeks == nil {
			continue
		}
		figures := numbers(t, want.Weeks[string(week.Week)])
		for _, stat := range []string{"__mean", "__std"} { // compared above
			figures["churn_rate"+stat], _ = week.Lookup("churn_rate" + stat)
		}
		checkTable(t, week.Table, figures)
	}
	if want.Weeks != nil && len(want.Weeks) != len(tables) {
		t.Errorf("%d weeks, want %d", len(tables), len(want.Weeks))
	}
}

// TestSecondOracleReaches says what the inputs are for, so that a new seed cannot lose it.
func TestSecondOracleReaches(t *testing.T) {
	var zero, edge, whole, crossing int
	for _, name := range []string{"edges", "east", "ties"} {
		for _, r := range loadReports(t, 0, "oracle2", name+".csv") {
			local := r.StartMs / 1000 % 86400
			zero += count(r.Kind == event.Call && r.Seconds == 0)
			edge += count(local == 7*3600 || local == 19*3600)
			whole += count(r.Seconds >= 604800)
			crossing += count(local%3600+r.Seconds > 3600)
		}
	}
	for what, n := range map[string]int{"calls of 0 s": zero, "edges of night": edge, "a call of a week": whole, "calls across hours": crossing} {
		if n == 0 {
			t.Errorf("no %s", what)
		}
	}
	for _, name := range []string{"single", "pair", "nepal", "equal"} { // variances of 0, empty splits
		if _, err := os.Stat(filepath.Join(dataDir, "oracle2", name+".csv")); err != nil {
			t.Error(err)
		}
	}
}
