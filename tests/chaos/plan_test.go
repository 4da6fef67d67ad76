package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// step is one fault of a plan.
type step struct {
	At     time.Duration // since the faults began, at the earliest: the steps of a track wait for each other
	Fault  string
	Victim int           // which of those that can have it
	For    time.Duration // until it is healed
}

func (s step) String() string {
	return fmt.Sprintf("%5.1f s  %s %d for %.1f s", s.At.Seconds(), s.Fault, s.Victim, s.For.Seconds())
}

// track is the faults of one kind of thing, one after the other; tracks go on beside each other.
type track struct {
	Name  string
	Steps []step
}

// plan is what happens in a run. It depends on seed and length alone. Each track is a shuffled deck of its faults, again and again. The last track, a
// zombie whose writes come late, begins when the others have ended: a Redis that is emptied afterwards, or set back, would be folded anew.
// Without it, and while lateWrites left the new owners alive, processors whose commits lacked WATCH were good in seeds 1 and 2.
func plan(seed uint64, length time.Duration) []track {
	var tracks []track
	for n, t := range faults {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		span := func(from, to time.Duration) time.Duration {
			return from + time.Duration(r.Int64N(int64(to-from))).Round(100*time.Millisecond)
		}
		now, steps, deck := span(0, 3*time.Second), []step(nil), []fault(nil)
		for {
			if len(deck) == 0 {
				for _, f := range t.faults {
					for range f.weight {
						deck = append(deck, f)
					}
				}
				r.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
			}
			f := deck[0]
			deck = deck[1:]
			s := step{At: now, Fault: f.name, Victim: r.IntN(60), For: span(f.least, f.most)}
			if now += s.For + f.after + span(time.Second, 4*time.Second); now > length {
				break
			}
			steps = append(steps, s)
		}
		tracks = append(tracks, track{t.name, steps})
	}
	r := rand.New(rand.NewPCG(seed, uint64(len(faults))))
	return append(tracks, track{"when all that is healed", []step{{Fault: late, Victim: r.IntN(60), For: 20 * time.Second}}})
}

func printed(tracks []track) string {
	var b strings.Builder
	for _, t := range tracks {
		fmt.Fprintf(&b, "\n%s", t.Name)
		for _, s := range t.Steps {
			fmt.Fprintf(&b, "\n  %s", s)
		}
	}
	return b.String()
}

// TestPlan: a seed says everything, and fifty of them have every fault.
func TestPlan(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(50) {
		p := plan(seed, time.Minute)
		if again := printed(plan(seed, time.Minute)); again != printed(p) {
			t.Fatalf("seed %d has two plans:%s\n%s", seed, printed(p), again)
		}
		if printed(p) == printed(plan(seed+1, time.Minute)) {
			t.Errorf("seeds %d and %d have one plan", seed, seed+1)
		}
		for _, track := range p {
			for i, s := range track.Steps {
				seen[s.Fault] = true
				if s.At+s.For > time.Minute || i > 0 && s.At < track.Steps[i-1].At+track.Steps[i-1].For {
					t.Errorf("seed %d, %s: %s is beside the one before, or too late", seed, track.Name, s)
				}
			}
		}
	}
	for _, track := range faults {
		for _, f := range track.faults {
			if !seen[f.name] {
				t.Errorf("no seed has the fault %s", f.name)
			}
		}
	}
}
