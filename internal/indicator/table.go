package indicator

import "iter"

// Options choose what is computed.
type Options struct {
	// Combined adds callandtext to the indicators that bandicoot computes for calls and for texts apart
	// (its interaction='callandtext'): 965 keys instead of 713.
	Combined bool
}

// Table is the indicators of one subscriber and period. The zero value is empty.
type Table struct {
	Reports int // that count
	Ignored int // without contact, or of unknown kind or direction

	// Home is the antenna of most half hours of night, HasHome false without a report at night.
	// "" with HasHome is the unknown antenna, which is a place like any other.
	Home    string
	HasHome bool

	layout *layout
	values []*float64
}

// Compute computes every indicator in every split, O(n log n).
func Compute(reports []Report, o Options) Table {
	t := newTimeline(reports)
	table := t.table(t.home(), o, new(subset))
	if distances := t.churn(); len(distances) > 0 {
		mean, std := meanAndStd(distances)
		table.set(table.layout.churn, mean)
		table.set(table.layout.churn+1, std)
	}
	return table
}

// table is everything but churn. A split without a report leaves all its figures unknown, counts too.
func (t *timeline) table(home home, o Options, scratch *subset) Table {
	l := layoutOf(o)
	table := Table{Reports: len(t.rows), Ignored: t.ignored, layout: l, values: make([]*float64, len(l.keys))}
	if home.known {
		table.Home, table.HasHome = t.antennas[home.antenna], true
	}
	weekAndDay(func(w WeekPart, d DayPart) {
		for of := Call; of <= Place; of++ {
			scratch.collect(t, Split{w, d, of}, home)
			if scratch.n == 0 {
				continue
			}
			for i := range families {
				if first := l.base[i][w][d][of]; first >= 0 {
					table.fill(first, &families[i], scratch)
				}
			}
		}
	})
	return table
}

func (t *Table) fill(first int, f *family, s *subset) {
	if f.summary == nil {
		if v, known := f.scalar(s); known {
			t.set(first, v)
		}
		return
	}
	if sum := f.summary(s); sum.N > 0 {
		for i, v := range sum.figures() {
			t.set(first+i, v)
		}
	}
}

func (t *Table) set(i int, v float64) { t.values[i] = &v }

// Len is the number of keys: 713, with Options.Combined 965.
func (t Table) Len() int { return len(t.values) }

// All yields every key (call_duration__allweek__allday__call__mean) in bandicoot's order, with nil for unknown.
func (t Table) All() iter.Seq2[string, *float64] {
	return func(yield func(string, *float64) bool) {
		for i, v := range t.values {
			if !yield(t.layout.keys[i], v) {
				return
			}
		}
	}
}

// Lookup finds a key; known tells whether the table has it, nil is a figure that is unknown.
func (t Table) Lookup(key string) (v *float64, known bool) {
	if t.layout == nil {
		return nil, false
	}
	i, known := t.layout.index[key]
	if !known {
		return nil, false
	}
	return t.values[i], true
}

// Value is a scalar indicator of a split; false where it is unknown or not computed for such a split.
func (t Table) Value(of Indicator, s Split) (float64, bool) {
	first, isSummary := t.first(of, s)
	if first < 0 || isSummary || t.values[first] == nil {
		return 0, false
	}
	return *t.values[first], true
}

// Summary is a distribution of a split; false where it is empty or not computed for such a split. Its N is not
// among bandicoot's figures and stays 0.
func (t Table) Summary(of Indicator, s Split) (Summary, bool) {
	first, isSummary := t.first(of, s)
	if first < 0 || !isSummary || t.values[first] == nil {
		return Summary{}, false
	}
	v := func(i int) float64 { return *t.values[first+i] }
	return Summary{Mean: v(0), Std: v(1), Median: v(2), Skewness: v(3), Kurtosis: v(4), Min: v(5), Max: v(6)}, true
}

// Churn is the mean and standard deviation of churn_rate; false with less than two weeks.
func (t Table) Churn() (mean, std float64, ok bool) {
	if t.layout == nil || t.values[t.layout.churn] == nil {
		return 0, 0, false
	}
	return *t.values[t.layout.churn], *t.values[t.layout.churn+1], true
}

// first is where the figures of an indicator and split begin, -1 where there are none.
func (t Table) first(of Indicator, s Split) (first int, isSummary bool) {
	if t.layout == nil {
		return -1, false
	}
	i, known := t.layout.family[of]
	if !known {
		return -1, false
	}
	return t.layout.base[i][s.Week][s.Day][s.Of], families[i].summary != nil
}
