package indicator

import (
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"switchboard/internal/event"
)

const dataDir = "../../tests/data"

// loadReports reads a bandicoot CSV of local times, all at one offset; the order of the file is the order of ids.
func loadReports(t testing.TB, offsetS int32, path ...string) []Report {
	t.Helper()
	var reports []Report
	for i, line := range loadCSV(t, path...) {
		when, err := time.Parse(time.DateTime, line[3])
		if err != nil {
			t.Fatal(err)
		}
		r := Report{
			StartMs: when.UnixMilli() - int64(offsetS)*1000, OffsetS: offsetS,
			Contact: line[2], Antenna: line[5],
		}
		r.Kind, _ = event.ParseKind(line[0])
		r.Direction, _ = event.ParseDirection(line[1])
		if r.Kind == event.Call {
			if r.Seconds, err = strconv.ParseInt(line[4], 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		binary.BigEndian.PutUint64(r.ID[:], uint64(i))
		reports = append(reports, r)
	}
	return reports
}

func loadCSV(t testing.TB, path ...string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(append([]string{dataDir}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return lines[1:]
}

func loadJSON(t testing.TB, into any, path ...string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{dataDir}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// numbers keeps the comparable keys of a flat export.
func numbers(t testing.TB, flat map[string]json.RawMessage) map[string]*float64 {
	t.Helper()
	out := map[string]*float64{}
	for key, raw := range flat {
		if !Comparable(key) {
			continue
		}
		var v *float64
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		out[key] = v
	}
	return out
}

// dashboard is what bandicoot's visualization.user_data exports.
type dashboard struct {
	DateRange  []string `json:"date_range"`
	Indicators map[string]json.RawMessage
	Network    [][]any
}

func checkTable(t *testing.T, table Table, want map[string]*float64) {
	t.Helper()
	differences, compared := table.Differences(want)
	for _, d := range differences {
		t.Error(d)
	}
	if compared != len(want) {
		t.Errorf("%d keys compared, want %d", compared, len(want))
	}
}

func checkDaily(t *testing.T, table DailyTable, want dashboard) {
	t.Helper()
	if len(table.Series) != 16 || len(want.Indicators) != 16 {
		t.Fatalf("%d series, want %d, both 16", len(table.Series), len(want.Indicators))
	}
	for _, s := range table.Series {
		raw, known := want.Indicators[s.Name]
		if !known {
			t.Errorf("%s: no such series in the reference", s.Name)
			continue
		}
		if s.Lists != nil {
			var lists [][]float64
			if err := json.Unmarshal(raw, &lists); err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			checkLists(t, s, lists)
			continue
		}
		var values []*float64
		if err := json.Unmarshal(raw, &values); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if len(values) != len(s.Values) {
			t.Errorf("%s: %d days, want %d", s.Name, len(s.Values), len(values))
			continue
		}
		for i, v := range s.Values {
			if w := values[i]; (v == nil) != (w == nil) || v != nil && !Equal(*v, *w) {
				t.Errorf("%s, day %d from %s: got %s, want %s", s.Name, i, s.First, figure(v), figure(w))
			}
		}
	}
	checkNetwork(t, table.Contacts, want.Network)
}

func checkLists(t *testing.T, s Series, want [][]float64) {
	t.Helper()
	if len(s.Lists) != len(want) {
		t.Errorf("%s: %d days, want %d", s.Name, len(s.Lists), len(want))
		return
	}
	for i, got := range s.Lists {
		if got == nil || len(got) != len(want[i]) {
			t.Errorf("%s, day %d from %s: got %v, want %v", s.Name, i, s.First, got, want[i])
			continue
		}
		for j := range got {
			if !Equal(got[j], want[i][j]) {
				t.Errorf("%s, day %d from %s, value %d: got %v, want %v", s.Name, i, s.First, j, got[j], want[i][j])
			}
		}
	}
}

// checkNetwork sums the reference's runs by day and contact.
func checkNetwork(t *testing.T, got []DayContact, runs [][]any) {
	t.Helper()
	type key struct{ day, contact string }
	want := map[key]int{}
	for _, run := range runs {
		want[key{run[0].(string), run[1].(string)}] += int(run[2].(float64))
	}
	if len(got) != len(want) {
		t.Errorf("%d days of contacts, want %d", len(got), len(want))
	}
	for _, c := range got {
		if w := want[key{c.Day, c.Contact}]; w != c.Reports {
			t.Errorf("%s with %s: got %d, want %d", c.Day, c.Contact, c.Reports, w)
		}
	}
}
