package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchboard/tests/backend"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childVariable); spec != "" {
		os.Exit(childMain(spec))
	}
	backend.Main(m)
}

// TestRun runs all of it with tiny numbers on embedded servers, so that it cannot rot. What it measures here means nothing.
func TestRun(t *testing.T) {
	b := backend.Embedded(t)
	environ := append(os.Environ(), "SWITCHBOARD_KAFKA_KIND=embedded", "SWITCHBOARD_KAFKA_BROKERS="+strings.Join(b.Brokers, ","),
		"SWITCHBOARD_REDIS_KIND=embedded", "SWITCHBOARD_REDIS_ADDRS="+b.Redis[0])
	o := options{
		events: 2000, subscribers: 50, wide: 300, only: groupNames(), rounds: 1, seconds: 300 * time.Millisecond, out: t.TempDir(), viewsTable: true,
	}
	var out strings.Builder
	if err := run(t.Context(), o, environ, &out); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	text, err := os.ReadFile(filepath.Join(o.out, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"limit: drain", "catch-up, 50", "start to first write", "live at maximum", "event to visible", "Redis time of timeline", "ingest over HTTP, batches of 100", "ingest goodput", "catch-up, 300", "acknowledged events", "restore seconds, 2,000 reports of 50", "refold seconds",
		"skew: one subscriber with 30 %", "start to first write, at the head", "inbox to the log", "import to the log", "Redis, bytes an event", "query card, 1,000", "scaling: one Redis, 4"} {
		found := false
		for _, r := range rows {
			if name := r["row"].(string); strings.HasPrefix(name, want) {
				found = true
				if r["value"].(float64) <= 0 && !strings.HasPrefix(want, "acknowledged") && !strings.HasPrefix(want, "Redis") {
					t.Errorf("%s: %v %v", name, r["value"], r["unit"])
				}
				if strings.HasPrefix(want, "acknowledged") && r["met"] != true {
					t.Errorf("%s: %v", name, r["value"])
				}
			}
		}
		if !found {
			t.Errorf("there is no row %q", want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.123456: "0.123", 12.3456: "12.3", 99.96: "100", 100: "100", 1234.4: "1,234", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}
