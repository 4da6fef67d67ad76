package indicator

import (
	"math"
	"slices"
)

// home is where the subscriber is at night: the antenna with the most half hours of night, of several the first
// one met. Nobody without a report at night has one (bandicoot core.User.recompute_home).
type home struct {
	antenna int32
	known   bool
}

func (t *timeline) home() home {
	var p places
	p.collect(t, Split{Day: Night, Of: Place}.filter(), home{})
	var h home
	var most int64
	for _, a := range p.seen { // in the order met
		if n := p.bins[a]; n > most {
			h, most = home{a, true}, n
		}
	}
	return h
}

// places counts where half an hour was spent: per antenna, the half hours in which it is the most frequent place
// of the reports, of several the first (bandicoot helper.group.positions_binning).
type places struct {
	total, atHome int
	homeKnown     bool
	perPlace      []int64 // half hours of each antenna, ascending

	bins []int64 // by antenna; zero between uses
	seen []int32 // antennas with bins, in the order met
	here []int32 // reports of the current half hour by antenna; zero between half hours
}

func (p *places) collect(t *timeline, filter filter, home home) {
	if len(p.bins) < len(t.antennas) {
		p.bins, p.here = make([]int64, len(t.antennas)), make([]int32, len(t.antennas))
		p.seen = p.seen[:0]
	}
	for _, a := range p.seen {
		p.bins[a] = 0
	}
	p.total, p.atHome, p.homeKnown = 0, 0, home.known
	p.perPlace, p.seen = p.perPlace[:0], p.seen[:0]

	halfHours(t.rows, filter, p.here, func(antenna int32) {
		if p.bins[antenna] == 0 {
			p.seen = append(p.seen, antenna)
		}
		p.bins[antenna]++
		p.total++
		p.atHome += count(home.known && antenna == home.antenna)
	})
	for _, a := range p.seen {
		p.perPlace = append(p.perPlace, p.bins[a])
	}
	slices.Sort(p.perPlace)
}

// halfHours calls each with the place of every half hour that has a report, in order of time. here is scratch:
// all zero before and after.
func halfHours(rows []row, filter filter, here []int32, each func(antenna int32)) {
	var current []int32
	var slot int64
	place := func() {
		if len(current) == 0 {
			return
		}
		for _, a := range current {
			here[a]++
		}
		best := current[0]
		for _, a := range current {
			if here[a] > here[best] {
				best = a
			}
		}
		for _, a := range current {
			here[a] = 0
		}
		each(best)
		current = current[:0]
	}
	for i := range rows {
		r := &rows[i]
		if !filter.holds(r) {
			continue
		}
		if s := floorDiv(r.localMs(), halfHourMs); s != slot {
			place()
			slot = s
		}
		current = append(current, r.antenna)
	}
	place()
}

// churn is the cosine distance between the places of each local week with reports and the one before it
// (bandicoot spatial.churn_rate).
func (t *timeline) churn() []float64 {
	here := make([]int32, len(t.antennas))
	before, now := make([]int64, len(t.antennas)), make([]int64, len(t.antennas))
	var seenBefore, seenNow []int32
	var distances []float64
	first := true
	t.parts(row.week, func(_ int64, part *timeline) {
		halfHours(part.rows, filter{}, here, func(antenna int32) {
			if now[antenna] == 0 {
				seenNow = append(seenNow, antenna)
			}
			now[antenna]++
		})
		if !first {
			distances = append(distances, cosineDistance(before, seenBefore, now, seenNow))
		}
		for _, a := range seenBefore {
			before[a] = 0
		}
		first = false
		before, now = now, before
		seenBefore, seenNow = seenNow, seenBefore[:0]
	})
	return distances
}

// cosineDistance is of counts, not of frequencies: the same angle, from integers.
func cosineDistance(a []int64, inA []int32, b []int64, inB []int32) float64 {
	var dot, aa, bb int64
	for _, i := range inA {
		dot += a[i] * b[i]
		aa += a[i] * a[i]
	}
	for _, i := range inB {
		bb += b[i] * b[i]
	}
	if dot == aa && dot == bb { // the same place alone, or the same counts: exactly 0
		return 0
	}
	return max(0, 1-float64(dot)/math.Sqrt(float64(aa)*float64(bb)))
}

// meanAndStd are of values that no integers stand behind, in the order given.
func meanAndStd(values []float64) (mean, std float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v
	}
	mean /= n
	for _, v := range values {
		std += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(std / n)
}

var placeFamilies = []family{
	{
		Info:   Info{NumberOfAntennas, "antennas", "distinct places, by half hours; unknown is one", "spatial.number_of_antennas"},
		of:     placeOnly,
		scalar: func(s *subset) (float64, bool) { return float64(len(s.places.perPlace)), true },
	},
	{
		Info:   Info{EntropyOfAntennas, "nats", "entropy of the places, by half hours", "spatial.entropy_of_antennas"},
		of:     placeOnly,
		scalar: func(s *subset) (float64, bool) { return entropy(s.places.perPlace), true },
	},
	{
		Info: Info{PercentAtHome, "0 to 1", "half hours spent at home, the place of most half hours of night in the period; unknown without a report at night",
			"spatial.percent_at_home"},
		of:     placeOnly,
		scalar: func(s *subset) (float64, bool) { return ratio(s.places.atHome, s.places.total), s.places.homeKnown },
	},
	{
		Info:   Info{FrequentAntennas, "antennas", "places that make up 80 % of the half hours", "spatial.frequent_antennas"},
		of:     placeOnly,
		scalar: func(s *subset) (float64, bool) { return float64(pareto(s.places.perPlace)), true },
	},
}
