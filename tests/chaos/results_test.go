package chaos

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// results is the page that runs are appended to; without CHAOS_RESULTS there is none.
type results struct {
	t            testing.TB
	path, commit string
	text         string // as it was
}

func openResults(t testing.TB) *results {
	t.Helper()
	all := &results{t: t, path: os.Getenv("CHAOS_RESULTS"), commit: "unknown"}
	if all.path == "" {
		return all
	}
	if out, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		all.commit = strings.TrimSpace(string(out))
	}
	text, err := os.ReadFile(all.path)
	if err != nil {
		t.Fatal(err)
	}
	all.text = string(text)
	return all
}

// done tells whether a run of a seed, as long, stands there as good.
func (all *results) done(seed uint64, length time.Duration) bool {
	return regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \| %g \| .* \| good \|`, seed, length.Minutes())).MatchString(all.text)
}

func (all *results) append(r *run, failed bool) {
	all.t.Helper()
	if all.path == "" {
		return
	}
	file, err := os.OpenFile(all.path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		all.t.Fatal(err)
	}
	defer file.Close()
	outcome := "good"
	if failed {
		outcome = "FAILED"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	strikes, ended := 0, 0
	for _, what := range slices.Sorted(maps.Keys(r.counts)) {
		if strings.HasPrefix(what, "a role ended by itself") {
			ended += r.counts[what]
		} else {
			strikes += r.counts[what]
		}
	}
	_, err = fmt.Fprintf(file, "| %d | %g | %s | %s | %s | %d | %d | %d | %d | %d | %.1f |\n", r.seed, r.length.Minutes(), time.Now().UTC().Format(time.DateOnly), all.commit, outcome,
		strikes, ended, r.ledger.Facts(), r.records, r.facts, r.settled.Seconds())
	if err != nil {
		all.t.Error(err)
	}
}
