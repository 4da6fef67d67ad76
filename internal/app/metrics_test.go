package app

import (
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchboard/internal/event"
	"switchboard/internal/intake/httpdoor"
	"switchboard/internal/pipeline"
	"switchboard/internal/snapshot"
)

// TestMetricsAreDocumented: METRICS.md names what the roles register, and nothing else.
func TestMetricsAreDocumented(t *testing.T) {
	registry := prometheus.NewRegistry()
	newIngestMetrics(registry).observe(httpdoor.Observation{Status: 202, Outcome: "accepted", Accepted: 1, Duration: time.Millisecond})
	inbox := &Inbox{lanes: map[event.Partition]*inboxStats{{Topic: "calls.inbox"}: {}}, done: inboxTotals{}}
	inbox.count("calls.inbox", func(c *inboxCounts) { c.letters[pipeline.ClassBadFrame]++ })
	ingest := new(Ingest)
	ingest.inbox.Store(inbox)
	registry.MustRegister(inboxMetrics{ingest})
	registry.MustRegister(laneMetrics{&Processor{lanes: map[event.Partition]*pipeline.Stats{{Topic: "calls.reports"}: pipeline.NewStats()}}})
	registry.MustRegister(snapshotMetrics{&Snapshotter{lanes: map[event.Partition]*snapshot.Stats{{Topic: "calls.reports"}: snapshot.NewStats()}}})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, f := range families {
		have = append(have, f.GetName())
	}
	page, err := os.ReadFile("../../METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(switchboard_(?:processor|ingest|snapshotter)_[a-z_]+)`").FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(documented)
	if !slices.Equal(have, documented) {
		t.Errorf("METRICS.md has\n%v\nthe roles register\n%v", documented, have)
	}
}
