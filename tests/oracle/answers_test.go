package oracle

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/indicator"
)

// comparison counts what was compared, so that a reference that was not found cannot pass for equal.
type comparison struct{ of map[string]int }

func (c *comparison) count(what string, n int) {
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[what] += n
}

func (c *comparison) total() (n int) {
	for _, m := range c.of {
		n += m
	}
	return n
}

func (c *comparison) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d figures compared", c.total())
	for _, what := range slices.Sorted(maps.Keys(c.of)) {
		fmt.Fprintf(&b, "\n\t%6d %s", c.of[what], what)
	}
	return b.String()
}

// wanted is how many figures of each kind there are in the references.
var wanted = map[string]int{
	"sample_user: indicators":     713,
	"sample_user: bandicoot JSON": 713,
	"sample_user: days of series": 16 * 58,
	"by hand: indicators":         60,
	"weekmatrix_X: hours":         22,
	"oracle2: indicators":         10 * (713 + 252),
	"oracle2: home":               10,
	"oracle2: churn of a week":    27,
	"oracle2: indicators by week": 15 * 713,
	"oracle2: hours":              4692,
	"oracle2: days of series":     3956,
	"days and contacts":           1915,
}

// compareAll holds the answers about every file and every generated subscriber against their references.
func compareAll(t *testing.T, answers *console.Console, truths []*truth) *comparison {
	t.Helper()
	c := &comparison{}
	for _, f := range inputs() {
		switch f.name {
		case "A", "B":
			c.byHand(t, answers, f)
		case "sample_user":
			c.sampleUser(t, answers, f)
		case "weekmatrix_X":
			c.weekMatrix(t, answers, f)
		case "ties": // bandicoot has reports of one second in the order of the file, the read models in that of their ids
		default:
			c.second(t, answers, f)
		}
	}
	for _, truth := range truths {
		c.compareTruth(t, answers, truth)
	}
	for what, n := range wanted {
		if c.of[what] != n {
			t.Errorf("%s: %d compared, want %d", what, c.of[what], n)
		}
	}
	return c
}

func load(t *testing.T, into any, path ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{data}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// figures keeps the comparable keys of a flat export.
func figures(t *testing.T, flat map[string]json.RawMessage) map[string]*float64 {
	t.Helper()
	out := map[string]*float64{}
	for key, raw := range flat {
		if !indicator.Comparable(key) {
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

func (c *comparison) table(t *testing.T, of event.Subject, what string, got indicator.Table, want map[string]*float64) {
	t.Helper()
	differences, n := got.Differences(want)
	for _, d := range differences {
		t.Errorf("%s: %s", of, d)
	}
	c.count(what, n)
}

func (c *comparison) sampleUser(t *testing.T, answers *console.Console, f input) {
	t.Helper()
	var want map[string]map[string]json.RawMessage
	load(t, &want, "bandicoot_sample_user_expected.json")
	got, err := answers.Indicators(t.Context(), console.Query{Subject: f.subject})
	if err != nil {
		t.Fatal(err)
	}
	reference := figures(t, want["sample_user"])
	c.table(t, f.subject, "sample_user: indicators", got.Indicators.Table, reference)
	if got.Home == nil || *got.Home != "707" {
		t.Errorf("home of sample_user: %v, want 707", got.Home)
	}
	c.export(t, got, reference)
	var daily map[string]dashboard
	load(t, &daily, "bandicoot_sample_user_daily_expected.json")
	c.days(t, answers, f.subject, "sample_user: days of series", daily["me"])
	days, err := answers.Days(t.Context(), console.Query{Subject: f.subject})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range days.Series {
		if n := max(len(s.Values), len(s.Lists)); n != 58 || s.First != "2012-01-01" {
			t.Errorf("%s: %d days from %s, want 58 from 2012-01-01", s.Name, n, s.First)
		}
	}
}

// export reads what `query indicators --format bandicoot` prints as bandicoot's own tests would.
func (c *comparison) export(t *testing.T, answer *console.IndicatorsAnswer, reference map[string]*float64) {
	t.Helper()
	var text bytes.Buffer
	if err := answer.Bandicoot(&text); err != nil {
		t.Fatal(err)
	}
	var flat map[string]json.RawMessage
	if err := json.Unmarshal(text.Bytes(), &flat); err != nil {
		t.Fatal(err)
	}
	got := figures(t, flat)
	if len(got) != len(reference) {
		t.Errorf("the export has %d keys, want %d", len(got), len(reference))
	}
	for key, want := range reference {
		v, known := got[key]
		if std := got[strings.TrimSuffix(strings.TrimSuffix(key, "__skewness"), "__kurtosis")+"__std"]; std != nil && *std == 0 {
			want = v // of equal values these two are rounding noise in the reference
		}
		if !known || (v == nil) != (want == nil) || v != nil && !indicator.Equal(*v, *want) {
			t.Errorf("export: %s: got %v, want %v", key, v, want)
		}
		c.count("sample_user: bandicoot JSON", 1)
	}
}

func (c *comparison) byHand(t *testing.T, answers *console.Console, f input) {
	t.Helper()
	var nested map[string]any
	load(t, &nested, "bandicoot_manual_"+f.name+"_expected.json")
	got, err := answers.Indicators(t.Context(), console.Query{Subject: f.subject})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range flatten("", nested) {
		if strings.Contains(key, "recharges") {
			continue
		}
		v, known := got.Indicators.Lookup(key)
		if !known || v == nil || math.Abs(*v-want) > tolerance(want) {
			t.Errorf("%s: %s: got %v (known: %t), want %v", f.name, key, v, known, want)
		}
		c.count("by hand: indicators", 1)
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
			maps.Copy(flat, flatten(prefix+k+"__", v))
		}
	}
	return flat
}

func (c *comparison) weekMatrix(t *testing.T, answers *console.Console, f input) {
	t.Helper()
	file, err := os.Open(filepath.Join(data, "bandicoot_weekmatrix_X_60min_expected.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, line := range lines[1:] {
		year, week, _ := strings.Cut(line[0], "-")
		want = append(want, fmt.Sprintf("%s-W%02s %s %s %s %s", year, week, line[1], line[2], line[3], strings.TrimSuffix(line[4], ".0")))
	}
	got, err := answers.Hours(t.Context(), console.Query{Subject: f.subject, ByWeek: true})
	if err != nil {
		t.Fatal(err)
	}
	c.cells(t, f.subject, got, want)
	c.count("weekmatrix_X: hours", len(want))
}

// cells holds an answer against the cells that are not 0: week, channel, weekday, hour, value.
func (c *comparison) cells(t *testing.T, of event.Subject, answer *console.HoursAnswer, want []string) {
	t.Helper()
	var got []string
	sum := make([][7][24]int64, len(answer.Channels))
	for _, week := range answer.Weeks {
		for channel, matrix := range week.Channels {
			for day := range matrix.Values {
				for hour, v := range matrix.Values[day] {
					if v != 0 {
						got = append(got, fmt.Sprintf("%s %d %d %d %d", week.Week, channel, day, hour, v))
					}
					sum[channel][day][hour] += v
				}
			}
		}
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want)) // bandicoot has the hours in order of time, also where they wrap
	if !slices.Equal(got, want) {
		t.Errorf("%s: hours: got\n%s\nwant\n%s", of, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for channel := range answer.Channels {
		if answer.Channels[channel].Values != sum[channel] {
			t.Errorf("%s: channel %s is not the sum of its weeks", of, answer.Channels[channel].Channel)
		}
	}
}

// dashboard is what bandicoot's visualization.user_data exports.
type dashboard struct {
	Indicators map[string]json.RawMessage
	Network    [][]any
}

func (c *comparison) days(t *testing.T, answers *console.Console, of event.Subject, what string, want dashboard) {
	t.Helper()
	got, err := answers.Days(t.Context(), console.Query{Subject: of})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Series) != 16 || len(want.Indicators) != 16 {
		t.Fatalf("%s: %d series, the reference has %d", of, len(got.Series), len(want.Indicators))
	}
	for _, s := range got.Series {
		var lists [][]float64
		raw := want.Indicators[s.Name]
		if s.Lists == nil {
			var values []*float64
			if err := json.Unmarshal(raw, &values); err != nil {
				t.Fatalf("%s: %s: %v", of, s.Name, err)
			}
			if !slices.EqualFunc(s.Values, values, equal) {
				t.Errorf("%s: %s: another series than the reference", of, s.Name)
			}
		} else {
			if err := json.Unmarshal(raw, &lists); err != nil {
				t.Fatalf("%s: %s: %v", of, s.Name, err)
			}
			if !slices.EqualFunc(s.Lists, lists, func(a, b []float64) bool { return slices.EqualFunc(a, b, indicator.Equal) }) {
				t.Errorf("%s: %s: got %v, want %v", of, s.Name, s.Lists, lists)
			}
		}
		c.count(what, max(len(s.Values), len(s.Lists)))
	}
	c.network(t, of, got.Contacts, want.Network)
}

func equal(a, b *float64) bool {
	return (a == nil) == (b == nil) && (a == nil || indicator.Equal(*a, *b))
}

// network sums the reference's runs by day and contact.
func (c *comparison) network(t *testing.T, of event.Subject, got []console.DayContact, runs [][]any) {
	t.Helper()
	type key struct{ day, contact string }
	want := map[key]int{}
	for _, run := range runs {
		want[key{run[0].(string), run[1].(string)}] += int(run[2].(float64))
	}
	sums := map[key]int{}
	for _, d := range got {
		sums[key{d.Day, d.Contact}] += d.Reports
	}
	if !maps.Equal(sums, want) {
		t.Errorf("%s: contacts by day: got %v, want %v", of, sums, want)
	}
	c.count("days and contacts", len(want))
}

// second is one file of the second oracle (tests/data/oracle2/README.md).
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

func (c *comparison) second(t *testing.T, answers *console.Console, f input) {
	t.Helper()
	var want second
	load(t, &want, "oracle2", "expected", f.name+".json")
	if want.OffsetS != f.offsetS {
		t.Fatalf("%s was imported at %d, want %d", f.name, f.offsetS, want.OffsetS)
	}
	q := console.Query{Subject: f.subject, All: true, ByWeek: true}
	got, err := answers.Indicators(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	reference := figures(t, want.Indicators)
	maps.Copy(reference, figures(t, want.Combined))
	c.table(t, f.subject, "oracle2: indicators", got.Indicators.Table, reference)
	if (got.Home == nil) != (want.Home == nil) || got.Home != nil && *got.Home != *want.Home {
		t.Errorf("%s: home: got %v, want %v", f.name, got.Home, want.Home)
	}
	c.count("oracle2: home", 1)
	c.weeks(t, f, got.Weeks, want)
	c.days(t, answers, f.subject, "oracle2: days of series", want.Daily)
	hours, err := answers.Hours(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var cells []string
	for _, cell := range want.Hours {
		cells = append(cells, fmt.Sprintf("%v %v %v %v %v", cell...))
	}
	c.cells(t, f.subject, hours, cells)
	c.count("oracle2: hours", len(cells))
}

func (c *comparison) weeks(t *testing.T, f input, got []console.IndicatorsWeek, want second) {
	t.Helper()
	if len(got) != len(want.Churn)+1 || want.Weeks != nil && len(got) != len(want.Weeks) {
		t.Fatalf("%s: %d weeks, want %d", f.name, len(got), len(want.Churn)+1)
	}
	for i, week := range got {
		if i > 0 {
			churn, std, known := week.Indicators.Churn()
			if !known || !indicator.Equal(churn, want.Churn[i-1]) || std != 0 {
				t.Errorf("%s: %s: churn: got %v %t, want %v", f.name, week.Week, churn, known, want.Churn[i-1])
			}
			c.count("oracle2: churn of a week", 1)
		}
		if want.Weeks == nil {
			continue
		}
		all, n := figures(t, want.Weeks[week.Week]), 0
		for _, stat := range []string{"__mean", "__std"} { // compared above
			all["churn_rate"+stat], _ = week.Indicators.Lookup("churn_rate" + stat)
		}
		for key, v := range week.Indicators.All() { // the answer has calls and texts together as well; the reference of a week has not
			if _, known := all[key]; known || !strings.Contains(key, "__callandtext") {
				n++
				continue
			}
			all[key] = v
		}
		differences, _ := week.Indicators.Differences(all)
		for _, d := range differences {
			t.Errorf("%s: %s: %s", f.name, week.Week, d)
		}
		c.count("oracle2: indicators by week", n)
	}
}
