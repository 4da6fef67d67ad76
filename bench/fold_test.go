package main

import (
	"os"
	"testing"

	"switchboard/config"
)

// BenchmarkFold is the limit "fold" without any server, for profiles: go test ./bench -run - -bench Fold -cpuprofile cpu.prof
func BenchmarkFold(b *testing.B) {
	cfg, err := config.Load(config.Options{Environ: os.Environ()})
	if err != nil {
		b.Fatal(err)
	}
	const n = 200_000
	c, err := newCorpus(newReporter(n, 2_000, 0), n, 12)
	if err != nil {
		b.Fatal(err)
	}
	cpu := takeNews("").CPU
	for b.Loop() {
		if _, err := c.foldAlone(b.Context(), &site{config: cfg}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((takeNews("").CPU-cpu).Nanoseconds())/float64(b.N)/n, "cpu-ns/event")
}
