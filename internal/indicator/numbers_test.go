package indicator

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestPowerSumsAreExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, limit := range []uint64{2, 1 << 16, 1<<32 - 1, 1 << 33, 1 << 44, math.MaxUint64} {
		var p powerSums
		var want [4]big.Int
		for i := range 1000 {
			x := rng.Uint64N(limit)
			if i%3 == 0 {
				x = limit // carries
			}
			p.add(x)
			power := big.NewInt(1)
			for k := range want {
				power.Mul(power, new(big.Int).SetUint64(x))
				want[k].Add(&want[k], power)
			}
		}
		for k := range want {
			if got := p.s[k].int(); got.Cmp(&want[k]) != 0 {
				t.Errorf("S%d of values up to %d: got %s, want %s", k+1, limit, got, &want[k])
			}
		}
	}
}

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []int64
		unit   float64
		want   Summary
	}{
		{"none", nil, 1, Summary{}},
		{"one", []int64{7}, 1, Summary{N: 1, Mean: 7, Median: 7, Min: 7, Max: 7}},
		{"zero", []int64{0, 0}, 1, Summary{N: 2}},
		{"equal", []int64{3, 3, 3}, 1, Summary{N: 3, Mean: 3, Median: 3, Min: 3, Max: 3}},
		{"two", []int64{0, 1}, 1, Summary{N: 2, Mean: 0.5, Std: 0.5, Median: 0.5, Kurtosis: 1, Max: 1}},
		{"unit", []int64{0, 1000}, 1000, Summary{N: 2, Mean: 0.5, Std: 0.5, Median: 0.5, Kurtosis: 1, Max: 1}},
		{"skewed", []int64{1, 1, 1, 5}, 1, Summary{N: 4, Mean: 2, Std: math.Sqrt(3), Median: 1, Skewness: 6 / math.Pow(3, 1.5), Kurtosis: 21.0 / 9, Min: 1, Max: 5}},
		// a small variance on large values, where floating sums of powers have no digit left
		{"close", []int64{1e12, 1e12, 1e12, 1e12 + 4}, 1, Summary{N: 4, Mean: 1e12 + 1, Std: math.Sqrt(3), Median: 1e12, Skewness: 6 / math.Pow(3, 1.5), Kurtosis: 21.0 / 9, Min: 1e12, Max: 1e12 + 4}},
	} {
		got := summarize(c.values, c.unit)
		g, w := got.figures(), c.want.figures()
		for i, name := range statNames {
			if !Equal(g[i], w[i]) {
				t.Errorf("%s, %s: got %v, want %v", c.name, name, g[i], w[i])
			}
		}
		if got.N != c.want.N {
			t.Errorf("%s: n %d, want %d", c.name, got.N, c.want.N)
		}
	}
}

// TestParetoTarget holds the integer target to bandicoot's int(ceil(total * 0.8)).
func TestParetoTarget(t *testing.T) {
	check := func(total int64) {
		if got, want := (4*total+4)/5, int64(math.Ceil(float64(total)*0.8)); got != want {
			t.Fatalf("80 %% of %d: got %d, bandicoot %d", total, got, want)
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for total := range int64(200_000) {
		check(total)
		check(5 * rng.Int64N(1<<45))
	}
}

func TestPareto(t *testing.T) {
	for _, c := range []struct {
		ascending []int64
		want      int
	}{
		{nil, 0}, {[]int64{0, 0}, 0}, {[]int64{1}, 1}, {[]int64{1, 1, 1, 1, 1}, 4}, {[]int64{1, 4}, 1}, {[]int64{1, 1, 4}, 2}, {[]int64{1, 2, 3, 4}, 3},
	} {
		if got := pareto(c.ascending); got != c.want {
			t.Errorf("%v: got %d, want %d", c.ascending, got, c.want)
		}
	}
}

func TestEntropy(t *testing.T) {
	for _, c := range []struct {
		ascending []int64
		want      float64
	}{
		{[]int64{5}, 0}, {[]int64{1, 1}, math.Ln2}, {[]int64{3, 3, 3, 3}, math.Log(4)}, {[]int64{1, 3}, 0.25*math.Log(4) + 0.75*math.Log(4.0/3)},
	} {
		if got := entropy(c.ascending); !Equal(got, c.want) || math.Signbit(got) {
			t.Errorf("%v: got %v, want %v", c.ascending, got, c.want)
		}
	}
}
