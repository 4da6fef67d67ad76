package soak

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"switchboard/tests/site"
)

// measure is one thing that a process holds.
type measure struct {
	name  string
	unit  float64 // of the table
	slack float64 // a growth below it is nothing, whatever it is in percent
	of    func(p *site.Process) (float64, error)
}

// growth is the part by which the mean of the last third may be above that of the middle third, beyond the slack.
const growth = 0.10

var measures = []measure{
	{"MiB resident", 1 << 20, 16 << 20, func(p *site.Process) (float64, error) { return resident(p.PID()) }},
	{"goroutines", 1, 20, goroutines},
	{"descriptors", 1, 10, func(p *site.Process) (float64, error) { return descriptors(p.PID()) }},
}

func goroutines(p *site.Process) (float64, error) {
	_, text, err := p.Get("/debug/pprof/goroutine?debug=1")
	if err != nil {
		return 0, err
	}
	var n float64
	_, err = fmt.Sscanf(text, "goroutine profile: total %f", &n)
	return n, err
}

// series is what one process held of one thing, sample by sample.
type series struct {
	process string
	measure measure
	values  []float64
}

// thirds are the means of the first, middle and last third.
func (s *series) thirds() (m [3]float64) {
	for i := range 3 {
		part := s.values[i*len(s.values)/3 : (i+1)*len(s.values)/3]
		for _, v := range part {
			m[i] += v / float64(len(part))
		}
	}
	return m
}

// problem says by how much it grew, when that is too much.
func (s *series) problem() string {
	if len(s.values) < 6 {
		return fmt.Sprintf("%s: %d samples of %s are too few", s.process, len(s.values), s.measure.name)
	}
	m := s.thirds()
	if m[2] <= m[1]*(1+growth)+s.measure.slack {
		return ""
	}
	return fmt.Sprintf("%s: %s grew from %.1f to %.1f between the middle and the last third, by more than %.0f %% and %.0f",
		s.process, s.measure.name, m[1]/s.measure.unit, m[2]/s.measure.unit, 100*growth, s.measure.slack/s.measure.unit)
}

type samples struct {
	processes []*site.Process
	all       []*series
	lost      []string // what could not be asked
}

func newSamples(processes []*site.Process) *samples {
	s := &samples{processes: processes}
	for _, p := range processes {
		for _, m := range measures {
			s.all = append(s.all, &series{process: p.Name, measure: m})
		}
	}
	return s
}

// every takes samples until ctx ends.
func (s *samples) every(ctx context.Context, interval time.Duration) {
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		for i, p := range s.processes {
			for j, m := range measures {
				v, err := m.of(p)
				if err != nil {
					s.lost = append(s.lost, fmt.Sprintf("%s of %s: %v", m.name, p.Name, err))
					continue
				}
				one := s.all[i*len(measures)+j]
				one.values = append(one.values, v)
			}
		}
	}
}

func (s *samples) judge() []string {
	problems := s.lost
	for _, one := range s.all {
		if p := one.problem(); p != "" {
			problems = append(problems, p)
		}
	}
	return problems
}

func (s *samples) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-15s %-13s %8s %10s %10s %10s %8s\n", "process", "holds", "samples", "1st third", "2nd third", "3rd third", "highest")
	for _, one := range s.all {
		m, highest := one.thirds(), 0.0
		for _, v := range one.values {
			highest = max(highest, v)
		}
		u := one.measure.unit
		fmt.Fprintf(&b, "%-15s %-13s %8d %10.1f %10.1f %10.1f %8.1f\n", one.process, one.measure.name, len(one.values), m[0]/u, m[1]/u, m[2]/u, highest/u)
	}
	return b.String()
}

// TestJudge: what grows on and on is found, what fills a cache in the first third is not.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		value func(i int) float64
		bad   bool
	}{
		"a leak":             {func(i int) float64 { return 100 + 5*float64(i) }, true},
		"a cache":            {func(i int) float64 { return 100 + 30*float64(min(i, 10)) }, false},
		"noise":              {func(i int) float64 { return 100 + 15*float64(i%2) }, false},
		"a leak, begun late": {func(i int) float64 { return 100 + 20*float64(max(i-20, 0)) }, true},
		"few of them":        {func(i int) float64 { return float64(i) / 2 }, false},
	} {
		s := series{process: "p", measure: measure{name: "things", unit: 1, slack: 10}}
		for i := range 30 {
			s.values = append(s.values, c.value(i))
		}
		if got := s.problem(); (got != "") != c.bad {
			t.Errorf("%s: %q, want a problem: %t", name, got, c.bad)
		}
	}
	if s := (series{values: []float64{1, 2}}); s.problem() == "" {
		t.Error("two samples were enough")
	}
}
