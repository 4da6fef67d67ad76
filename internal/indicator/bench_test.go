package indicator

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkCompute is what `query indicators` costs beside reading, by the length of the timeline, in the
// disorder in which a hash gives it back.
func BenchmarkCompute(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		reports := random(1, n)
		rand.New(rand.NewPCG(1, 1)).Shuffle(n, func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
		b.Run(fmt.Sprintf("reports=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Compute(reports, Options{})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/report")
		})
	}
}

func BenchmarkOthers(b *testing.B) {
	const n = 100_000
	reports := random(1, n)
	for name, f := range map[string]func(){
		"ByWeek":     func() { ByWeek(reports, Options{}) },
		"Daily":      func() { Daily(reports) },
		"HourOfWeek": func() { HourOfWeek(reports) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/report")
		})
	}
}
