package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// volatile is what differs from run to run in the output of the demo.
var volatile = regexp.MustCompile(`generation \w+ · [^\n]* behind`)

// TestDemo holds the terminal output of `make demo ARGS=--exit` against a golden file, so that a change of it is looked at.
func TestDemo(t *testing.T) {
	golden := filepath.Join("testdata", "demo.golden")
	for _, v := range []string{"DEV_KAFKA_LISTEN", "DEV_REDIS_LISTEN", "INGEST_LISTEN", "OBSERVABILITY_LISTEN"} {
		t.Setenv("SWITCHBOARD_"+v, "127.0.0.1:0")
	}
	t.Setenv("SWITCHBOARD_LOCAL_DIR", t.TempDir())
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"dev", "--demo", "--exit"}, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	got := volatile.ReplaceAllString(out.String(), "generation G · at most N behind")
	if os.Getenv("GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the demo prints\n%s\ninstead of\n%s", got, want)
	}
	if !strings.Contains(errs.String(), "1482 reports: appended") {
		t.Errorf("stderr: %s", errs.String())
	}
}
