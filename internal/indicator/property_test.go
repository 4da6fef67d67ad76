package indicator

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"switchboard/internal/event"
)

// random makes reports of a subscriber who travels: offsets differ, instants and ids are shared by a few.
func random(seed uint64, n int, offsets ...int32) []Report {
	rng := rand.New(rand.NewPCG(seed, 1))
	if len(offsets) == 0 {
		offsets = []int32{0}
	}
	reports := make([]Report, n)
	start := int64(1_600_000_000_000)
	for i := range reports {
		if rng.IntN(20) > 0 { // else the instant of the one before
			start += int64(rng.ExpFloat64() * 3_600_000)
		}
		r := Report{
			StartMs: start, OffsetS: offsets[rng.IntN(len(offsets))],
			Kind: event.Call + event.Kind(rng.IntN(2)), Direction: event.In + event.Direction(rng.IntN(2)),
			Contact: fmt.Sprint("c", rng.IntN(1+n/10)), Antenna: []string{"", "1", "2", "3"}[rng.IntN(4)],
		}
		if r.Kind == event.Call {
			r.Seconds = int64(rng.ExpFloat64() * 900)
		}
		binary.BigEndian.PutUint64(r.ID[:], rng.Uint64())
		if i > 0 && rng.IntN(50) == 0 {
			r.ID = reports[i-1].ID
		}
		reports[i] = r
	}
	return reports
}

// answers is everything the package computes.
type answers struct {
	plain, combined Table
	weeks           []WeekTable
	daily           DailyTable
	hours           []WeekMatrix
}

func ask(reports []Report) answers {
	return answers{
		Compute(reports, Options{}), Compute(reports, Options{Combined: true}),
		ByWeek(reports, Options{Combined: true}), Daily(reports), HourOfWeek(reports),
	}
}

func TestOrderOfInputDoesNotMatter(t *testing.T) {
	for seed := range uint64(6) {
		reports := random(seed, 400, 0, 19800, -12600, 3600)
		want := ask(reports)
		rng := rand.New(rand.NewPCG(seed, 2))
		for range 4 {
			rng.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
			given := slices.Clone(reports)
			if got := ask(reports); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: another order of input, another answer", seed)
			}
			if !slices.Equal(given, reports) {
				t.Fatalf("seed %d: the input was changed", seed)
			}
		}
	}
}

func TestZoneDoesNotMatter(t *testing.T) {
	here := random(7, 300, 0)
	there := slices.Clone(here)
	for i := range there {
		there[i].OffsetS = 20700
		there[i].StartMs -= 20700 * 1000
	}
	if !reflect.DeepEqual(ask(here), ask(there)) {
		t.Error("the same local times at another offset, another answer")
	}
}

func TestIgnoredReportsChangeNothing(t *testing.T) {
	reports := random(8, 200)
	want := ask(reports)
	for _, spoil := range []func(*Report){
		func(r *Report) { r.Contact = "" },
		func(r *Report) { r.Kind = event.KindUnknown },
		func(r *Report) { r.Direction = event.DirectionUnknown },
	} {
		r := reports[0]
		spoil(&r)
		r.StartMs += 123_456_789
		reports = append(reports, r)
	}
	got := ask(reports)
	if got.plain.Ignored != 3 || got.plain.Reports != 200 {
		t.Errorf("%d ignored of %d, want 3 of 200", got.plain.Ignored, got.plain.Reports)
	}
	got.plain.Ignored, got.combined.Ignored = 0, 0
	if !reflect.DeepEqual(got, want) {
		t.Error("ignored reports changed an answer")
	}
}

func TestSplitsAddUp(t *testing.T) {
	for seed := range uint64(5) {
		reports := random(seed, 500, 0, 34200)
		table := Compute(reports, Options{Combined: true})
		n := func(of Indicator, s Split) float64 { v, _ := table.Value(of, s); return v }
		check := func(what string, got, want float64) {
			t.Helper()
			if got != want {
				t.Errorf("seed %d: %s: got %v, want %v", seed, what, got, want)
			}
		}
		weekAndDay(func(w WeekPart, d DayPart) {
			call, text, both := Split{w, d, Call}, Split{w, d, Text}, Split{w, d, CallAndText}
			check(both.String(), n(NumberOfInteractions, call)+n(NumberOfInteractions, text), n(NumberOfInteractions, both))
			for _, s := range []Split{call, text, both} {
				check(s.String()+" in + out", n(NumberOfInteractionsIn, s)+n(NumberOfInteractionsOut, s), n(NumberOfInteractions, s))
			}
		})
		for of := Call; of <= CallAndText; of++ {
			all := n(NumberOfInteractions, Split{Of: of})
			check("weekday + weekend", n(NumberOfInteractions, Split{Weekday, AllDay, of})+n(NumberOfInteractions, Split{Weekend, AllDay, of}), all)
			check("day + night", n(NumberOfInteractions, Split{AllWeek, Day, of})+n(NumberOfInteractions, Split{AllWeek, Night, of}), all)
			check("nocturnal", n(PercentNocturnal, Split{AllWeek, AllDay, of}), n(NumberOfInteractions, Split{AllWeek, Night, of})/all)
			var weeks float64
			for _, week := range ByWeek(reports, Options{Combined: true}) {
				v, _ := week.Value(NumberOfInteractions, Split{Of: of})
				weeks += v
			}
			check("weeks", weeks, all)
		}
		checkSums(t, reports, table)
	}
}

// checkSums adds the daily series and the hours up to what the table says.
func checkSums(t *testing.T, reports []Report, table Table) {
	t.Helper()
	all := Split{Of: CallAndText}
	total, _ := table.Value(NumberOfInteractions, all)
	days := map[string]float64{}
	daily := Daily(reports)
	for _, s := range daily.Series {
		for _, v := range s.Values {
			if v != nil {
				days[s.Name] += *v
			}
		}
	}
	var contacts float64
	for _, c := range daily.Contacts {
		contacts += float64(c.Reports)
	}
	active, _ := table.Value(ActiveDays, all)
	if days["nb_all"] != total || days["nb_out_all"]+days["nb_inc_all"] != total || contacts != total || days["active_day"] != active {
		t.Errorf("daily series come to %v and %v reports on %v days, want %v on %v", days["nb_all"], contacts, days["active_day"], total, active)
	}
	var seconds, want int64
	sum := SumHours(HourOfWeek(reports))
	perChannel := map[Channel]int64{}
	for c := range sum.Cells() {
		perChannel[c.Channel] += c.Value
	}
	for _, r := range reports {
		want += r.Seconds
	}
	seconds = perChannel[SecondsIn] + perChannel[SecondsOut]
	counted := perChannel[CallsIn] + perChannel[CallsOut] + perChannel[TextsIn] + perChannel[TextsOut]
	if seconds != want || counted != int64(total) {
		t.Errorf("hours come to %d s and %d reports, want %d and %v", seconds, counted, want, total)
	}
}

// TestDefinition compares the walk over contacts with definitions applied literally.
func TestDefinition(t *testing.T) {
	reports := random(11, 600, 0, 3600)
	table := Compute(reports, Options{})
	weekAndDay(func(w WeekPart, d DayPart) {
		split := Split{w, d, Call}
		perContact := map[string]int{}
		n := 0
		for _, r := range reports {
			local := r.StartMs + int64(r.OffsetS)*1000
			day := floorDiv(local, dayMs)
			weekend := (day%7+7+3)%7 >= 5
			clock := local - day*dayMs
			night := !(clock > 7*3_600_000 && clock < 19*3_600_000)
			if r.Kind == event.Call && (w == AllWeek || weekend == (w == Weekend)) && (d == AllDay || night == (d == Night)) {
				perContact[r.Contact]++
				n++
			}
		}
		var entropy, mean float64
		for _, c := range perContact {
			p := float64(c) / float64(n)
			entropy -= p * math.Log(p)
		}
		mean = float64(n) / float64(len(perContact))
		if got, _ := table.Value(EntropyOfContacts, split); !Equal(got, entropy) {
			t.Errorf("%s: entropy %v, want %v", split, got, entropy)
		}
		if got, _ := table.Summary(InteractionsPerContact, split); !Equal(got.Mean, mean) {
			t.Errorf("%s: reports a contact %v, want %v", split, got.Mean, mean)
		}
		if got, _ := table.Value(NumberOfContacts, split); got != float64(len(perContact)) {
			t.Errorf("%s: contacts %v, want %v", split, got, len(perContact))
		}
	})
}

func TestNothingIsNull(t *testing.T) {
	table := Compute(nil, Options{Combined: true})
	if table.Len() != 965 {
		t.Errorf("%d keys, want 965", table.Len())
	}
	for key, v := range table.All() {
		if v != nil {
			t.Errorf("%s: got %v, want null", key, *v)
		}
	}
	if got := ByWeek(nil, Options{}); got != nil {
		t.Errorf("weeks: %v", got)
	}
	if got := HourOfWeek(nil); got != nil {
		t.Errorf("hours: %v", got)
	}
	for _, s := range Daily(nil).Series {
		if s.Days() != 0 || s.First != "" {
			t.Errorf("%s: %d days from %q", s.Name, s.Days(), s.First)
		}
	}
	if _, known := (Table{}).Lookup("churn_rate__mean"); known {
		t.Error("the zero table has a key")
	}
}

func TestEveryIndicatorIsDescribed(t *testing.T) {
	described := map[Indicator]bool{}
	for _, info := range Indicators() {
		if info.Unit == "" || info.Meaning == "" || info.Source == "" || described[info.Name] {
			t.Errorf("%+v", info)
		}
		described[info.Name] = true
	}
	if len(described) != 22 {
		t.Errorf("%d indicators, want 22", len(described))
	}
}
