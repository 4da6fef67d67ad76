package attack

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// counts are the faults of a run, and what the lanes made of them.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func newCounts() *counts { return &counts{of: map[string]int{}} }

func (c *counts) one(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[what]++
}

func (c *counts) add(more map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for what, n := range more {
		c.of[what] += n
	}
}

func (c *counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.of)
}

// witness counts the outcomes of claims and commits. It hears them from the log, since the statistics of a lane are gone with it.
type witness struct {
	slog.Handler
	counts *counts
}

func (w *witness) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || w.Handler.Enabled(ctx, l)
}

func (w *witness) Handle(ctx context.Context, record slog.Record) error {
	switch record.Message {
	case "claiming again":
		record.Attrs(func(a slog.Attr) bool {
			if a.Key == "cause" {
				w.counts.one(outcome(a.Value.String()))
			}
			return true
		})
	case "claimed":
		w.counts.one("claimed")
	}
	if !w.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return w.Handler.Handle(ctx, record)
}

func (w *witness) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &witness{w.Handler.WithAttrs(attrs), w.counts}
}

func outcome(cause string) string {
	for _, at := range []string{"claim generation", "commit at", "seed"} {
		if !strings.HasPrefix(cause, at) {
			continue
		}
		for _, o := range outcomes {
			if strings.Contains(cause, ": "+o+": ") {
				return o
			}
		}
	}
	return "claimed again for another cause"
}

var outcomes = []string{"fenced", "moved", "aborted", "unknown"}

// results are all runs of a test.
type results struct {
	commit  string // as the test began
	mu      sync.Mutex
	list    []result
	faults  map[string]int
	largest time.Duration // from the last fault until everything was folded
}

type result struct {
	seed         uint64
	variant      string
	facts        int
	failed       bool
	healed, took time.Duration
}

func (all *results) add(r *run, healed, took time.Duration) {
	r.Logf("seed %d, %s: %d facts, exact %t, folded %.1f s after the last fault, %.1f s in all: %v", r.seed, r.name, len(r.facts), !r.Failed(), healed.Seconds(), took.Seconds(), r.counts)
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.faults == nil {
		all.faults = map[string]int{}
	}
	for what, n := range r.counts.of {
		all.faults[what] += n
	}
	all.list = append(all.list, result{r.seed, r.name, len(r.facts), r.Failed(), healed, took})
	all.largest = max(all.largest, healed)
}

// report fails when the attack met no resistance, and writes RESULTS.md when it is asked to.
func (all *results) report(t *testing.T) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if len(all.list) >= 3 {
		for _, o := range outcomes {
			if all.faults[o] == 0 {
				t.Errorf("no commit or claim was %s in %d runs: the attack is too weak", o, len(all.list))
			}
		}
	}
	file := os.Getenv("ATTACK_RESULTS")
	if file == "" || len(all.list) == 0 {
		return
	}
	if err := os.WriteFile(file, []byte(all.page()), 0o644); err != nil {
		t.Error(err)
	}
}

func (all *results) page() string {
	slices.SortFunc(all.list, func(a, b result) int { return int(a.seed) - int(b.seed) })
	n, differ, facts := len(all.list), 0, 0
	var sum time.Duration
	byVariant := map[string]int{}
	for _, r := range all.list {
		if r.failed {
			differ++
		}
		facts += r.facts
		sum += r.took
		byVariant[r.variant]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# The commit under attack: outcome

Written by the test: %s.

| | |
|---|---|
| date, commit | %s, %s |
| machine | %d cores of %s/%s, %s, shared with other work; in-process brokers (kfake), a real redis-server a run |
| seeds | %d to %d: %s |
| runs that differed from the fold of the log | **%d of %d** |
| facts | %d in all |
| a run | %.1f s on average; everything folded %.1f s after the last fault at the latest |

What happened in them, in all and a run:

| fault, or what the lanes made of it | all | a run |
|---|---|---|
`, "`ATTACK_SEEDS=50 ATTACK_RESULTS=$PWD/tests/attack/RESULTS.md go test -timeout 60m ./tests/attack`", time.Now().UTC().Format(time.DateOnly), all.commit, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(),
		all.list[0].seed, all.list[n-1].seed, strings.Trim(fmt.Sprint(byVariant), "map[]"), differ, n, facts, sum.Seconds()/float64(n), all.largest.Seconds())
	for _, what := range slices.Sorted(maps.Keys(all.faults)) {
		fmt.Fprintf(&b, "| %s | %d | %.1f |\n", what, all.faults[what], float64(all.faults[what])/float64(n))
	}
	return b.String()
}

func commit() string {
	out, err := exec.Command("git", "describe", "--always").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
