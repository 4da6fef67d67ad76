package indicator

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestSampleUser(t *testing.T) {
	var want map[string]map[string]json.RawMessage
	loadJSON(t, &want, "bandicoot_sample_user_expected.json")
	table := Compute(loadReports(t, 0, "bandicoot_sample_user.csv"), Options{})
	checkTable(t, table, numbers(t, want["sample_user"]))
	if table.Len() != 713 {
		t.Errorf("%d keys, want 713", table.Len())
	}
	if table.Home != "707" || !table.HasHome { // as bandicoot finds it on these reports
		t.Errorf("home: got %q %v, want 707", table.Home, table.HasHome)
	}
}

// TestOrderOfKeys holds the order of a flat export to bandicoot's own.
func TestOrderOfKeys(t *testing.T) {
	var file struct {
		SampleUser json.RawMessage `json:"sample_user"`
	}
	loadJSON(t, &file, "bandicoot_sample_user_expected.json")
	var want []string
	dec := json.NewDecoder(strings.NewReader(string(file.SampleUser)))
	for depth := 0; ; {
		token, err := dec.Token()
		if err != nil {
			break
		}
		switch token := token.(type) {
		case json.Delim:
			depth += map[json.Delim]int{'{': 1, '[': 1, '}': -1, ']': -1}[token]
		case string:
			if depth == 1 && Comparable(token) && strings.Contains(token, "__") {
				want = append(want, token)
			}
		}
	}
	var got []string
	for key := range Compute(nil, Options{}).All() {
		got = append(got, key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d keys, want %d, or another order", len(got), len(want))
	}
}

func TestSampleUserDaily(t *testing.T) {
	var want map[string]dashboard
	loadJSON(t, &want, "bandicoot_sample_user_daily_expected.json")
	table := Daily(loadReports(t, 0, "bandicoot_sample_user.csv"))
	checkDaily(t, table, want["me"])
	for _, s := range table.Series {
		if dates := want["me"].DateRange; s.First != dates[0] || s.Days() != len(dates) {
			t.Errorf("%s: %d days from %s, want %d from %s", s.Name, s.Days(), s.First, len(dates), dates[0])
		}
	}
}

// TestByHand compares with indicators worked out by hand, to the decimals that they are given with.
func TestByHand(t *testing.T) {
	for _, name := range []string{"A", "B"} {
		t.Run(name, func(t *testing.T) {
			var nested map[string]any
			loadJSON(t, &nested, "bandicoot_manual_"+name+"_expected.json")
			table := Compute(loadReports(t, 0, "bandicoot_manual_"+name+".csv"), Options{})
			compared := 0
			for key, want := range flatten("", nested) {
				if strings.Contains(key, "recharges") {
					continue
				}
				got, known := table.Lookup(key)
				if !known || got == nil {
					t.Errorf("%s: got %s (known: %v), want %v", key, figure(got), known, want)
					continue
				}
				compared++
				if math.Abs(*got-want) > tolerance(want) {
					t.Errorf("%s: got %v, want %v", key, *got, want)
				}
			}
			if compared < 20 {
				t.Errorf("only %d figures compared", compared)
			}
		})
	}
}

// tolerance is one unit of the last decimal given: some are cut, not rounded.
func tolerance(v float64) float64 {
	_, decimals, fraction := strings.Cut(strconv.FormatFloat(v, 'f', -1, 64), ".")
	if !fraction || len(decimals) < 3 {
		return 1e-9
	}
	return 1.0001 * math.Pow10(-len(decimals))
}

func flatten(prefix string, nested map[string]any) map[string]float64 {
	flat := map[string]float64{}
	for k, v := range nested {
		switch v := v.(type) {
		case float64:
			flat[prefix+k] = v
		case map[string]any:
			for key, figure := range flatten(prefix+k+"__", v) {
				flat[key] = figure
			}
		}
	}
	return flat
}

func TestWeekMatrixX(t *testing.T) {
	var want []string
	for _, line := range loadCSV(t, "bandicoot_weekmatrix_X_60min_expected.csv") {
		week := strings.Split(line[0], "-")
		want = append(want, fmt.Sprintf("%s-W%02s %s %s %s %s", week[0], week[1], line[1], line[2], line[3], strings.TrimSuffix(line[4], ".0")))
	}
	got := cells(HourOfWeek(loadReports(t, 0, "bandicoot_weekmatrix_X.csv")))
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func cells(weeks []WeekMatrix) []string {
	var lines []string
	for i := range weeks {
		for c := range weeks[i].Cells() {
			lines = append(lines, fmt.Sprintf("%s %d %d %d %d", weeks[i].Week, c.Channel, c.Weekday, c.Hour, c.Value))
		}
	}
	return lines
}
