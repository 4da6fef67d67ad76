package indicator

import (
	"math"
	"math/big"
	"math/bits"
)

// Summary is a distribution: population standard deviation, skewness m3/m2^1.5, kurtosis m4/m2^2 (3 for a normal
// distribution), each 0 where all values are equal; the median is the mean of the middle two. Of no values
// (N = 0) nothing is known (bandicoot helper.maths.summary_stats).
type Summary struct {
	N                                               int
	Mean, Std, Median, Skewness, Kurtosis, Min, Max float64
}

// statNames are bandicoot's names of a summary's figures, in its order; figures are the figures in that order.
var statNames = [...]string{"mean", "std", "median", "skewness", "kurtosis", "min", "max"}

func (s *Summary) figures() [len(statNames)]float64 {
	return [...]float64{s.Mean, s.Std, s.Median, s.Skewness, s.Kurtosis, s.Min, s.Max}
}

// summarize describes ascending values, none of them negative, divided by unit. Power sums are exact:
// with Sk = sum of x^k, M2 = n S2 - S1^2, M3 = n^2 S3 - 3 n S1 S2 + 2 S1^3,
// M4 = n^3 S4 - 4 n^2 S1 S3 + 6 n S1^2 S2 - 3 S1^4.
func summarize(ascending []int64, unit float64) Summary {
	if len(ascending) == 0 {
		return Summary{}
	}
	var p powerSums
	for _, x := range ascending {
		p.add(uint64(x))
	}
	n := len(ascending)
	s := Summary{
		N:      n,
		Mean:   p.s[0].float() / (float64(n) * unit),
		Median: (float64(ascending[n/2]) + float64(ascending[(n-1)/2])) / 2 / unit,
		Min:    float64(ascending[0]) / unit,
		Max:    float64(ascending[n-1]) / unit,
	}
	m2, m3, m4 := p.moments(int64(n))
	if m2 != 0 {
		s.Std = math.Sqrt(m2) / (float64(n) * unit)
		s.Skewness = m3 / (m2 * math.Sqrt(m2))
		s.Kurtosis = m4 / (m2 * m2)
	}
	return s
}

// wide is an unsigned integer of 320 bits, least significant word first: 2^64 fourth powers of 64 bits fit.
type wide [5]uint64

func (w *wide) add(words ...uint64) {
	var carry uint64
	for i := range w {
		var x uint64
		if i < len(words) {
			x = words[i]
		} else if carry == 0 {
			return
		}
		w[i], carry = bits.Add64(w[i], x, carry)
	}
}

func (w *wide) int() *big.Int {
	var bytes [len(w) * 8]byte
	for i, word := range w {
		for b := range 8 {
			bytes[len(bytes)-1-8*i-b] = byte(word >> (8 * b))
		}
	}
	return new(big.Int).SetBytes(bytes[:])
}

func (w *wide) float() float64 { f, _ := w.int().Float64(); return f }

// powerSums are S1 to S4.
type powerSums struct{ s [4]wide }

func (p *powerSums) add(x uint64) {
	p.s[0].add(x)
	if x>>32 == 0 {
		x2 := x * x
		h3, l3 := bits.Mul64(x2, x)
		h4, l4 := bits.Mul64(x2, x2)
		p.s[1].add(x2)
		p.s[2].add(l3, h3)
		p.s[3].add(l4, h4)
		return
	}
	h, l := bits.Mul64(x, x)
	x3 := times([]uint64{l, h}, x)
	p.s[1].add(l, h)
	p.s[2].add(x3...)
	p.s[3].add(times(x3, x)...)
}

// times multiplies words, least significant first, by x; the product is one word longer.
func times(words []uint64, x uint64) []uint64 {
	product := make([]uint64, len(words)+1)
	var high uint64
	for i, w := range words {
		h, l := bits.Mul64(w, x)
		var carry uint64
		product[i], carry = bits.Add64(l, high, 0)
		high = h + carry
	}
	product[len(words)] = high
	return product
}

// moments are M2, M3 and M4, exact until the one rounding to float64.
func (p *powerSums) moments(count int64) (m2, m3, m4 float64) {
	n := big.NewInt(count)
	s1, s2, s3, s4 := p.s[0].int(), p.s[1].int(), p.s[2].int(), p.s[3].int()
	mul := func(k int64, factors ...*big.Int) *big.Int {
		product := big.NewInt(k)
		for _, f := range factors {
			product.Mul(product, f)
		}
		return product
	}
	sum := func(terms ...*big.Int) float64 {
		total := new(big.Int)
		for _, t := range terms {
			total.Add(total, t)
		}
		f, _ := total.Float64()
		return f
	}
	m2 = sum(mul(1, n, s2), mul(-1, s1, s1))
	m3 = sum(mul(1, n, n, s3), mul(-3, n, s1, s2), mul(2, s1, s1, s1))
	m4 = sum(mul(1, n, n, n, s4), mul(-4, n, n, s1, s3), mul(6, n, s1, s1, s2), mul(-3, s1, s1, s1, s1))
	return m2, m3, m4
}

// entropy is -sum p ln p over ascending counts, in nats; equal counts are added in one step
// (bandicoot helper.maths.entropy).
func entropy(ascending []int64) float64 {
	var total int64
	for _, c := range ascending {
		total += c
	}
	var e float64
	for i := 0; i < len(ascending); {
		end := i + 1
		for end < len(ascending) && ascending[end] == ascending[i] {
			end++
		}
		p := float64(ascending[i]) / float64(total)
		e -= float64(end-i) * (p * math.Log(p))
		i = end
	}
	return max(e, 0) // one place or contact alone: 0, not -0
}

// ratio is a part of a whole, and 0 of nothing.
func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
