package backend

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	all := []string{
		"p.TestA\tembedded kafka\tkfake", "p.TestA\tembedded redis\tminiredis",
		"p.TestA\treal kafka\t4.3.1", "p.TestA\treal redis\t7.0.15", "p.TestA\treal redis\t7.0.15",
		"q.TestB\treal redis\t7.0.15 cluster",
	}
	for _, test := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"nothing", nil, "backends: no test used any"},
		{"all", all, "backends: real Kafka 4.3.1 + real Redis 7.0.15, 7.0.15 cluster: 2 suites; embedded kfake + miniredis: 1 suites"},
		{"one missing", append(all, "r.TestC\tmissing redis\tnot installed", "r.TestC\treal kafka\t4.3.1"),
			"backends: real Kafka 4.3.1 + real Redis 7.0.15, 7.0.15 cluster: 2 suites; embedded kfake + miniredis: 1 suites. " +
				"NO REAL REDIS: 1 SUITES RAN EMBEDDED ONLY OR NOT AT ALL: r.TestC"},
		{"embedded only", []string{"p.TestA\tembedded redis\tminiredis", "p.TestA\tmissing kafka\tno java"},
			"backends: real servers: 0 suites; embedded kfake + miniredis: 1 suites. " +
				"NO REAL KAFKA: 1 SUITES RAN EMBEDDED ONLY OR NOT AT ALL: p.TestA"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "report")
			for _, line := range test.lines {
				fields := strings.Split(line, "\t")
				if err := appendReport(path, fields[0], fields[1], fields[2]); err != nil {
					t.Fatal(err)
				}
			}
			out, err := exec.Command("./summary", path).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := strings.TrimSpace(string(out)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestSuiteNamesPackageAndTest(t *testing.T) {
	t.Run("sub", func(t *testing.T) {
		if got, want := suite(t.Name()), "switchboard/tests/backend.TestSuiteNamesPackageAndTest"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestMissingSkipsLoudlyOrFails(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report")
	t.Setenv("SWITCHBOARD_TEST_REPORT", report)
	for _, test := range []struct {
		ci, require string
		fatal       bool
	}{{"", "", false}, {"true", "", true}, {"", "1", true}} {
		t.Setenv("CI", test.ci)
		t.Setenv("SWITCHBOARD_REQUIRE_REAL", test.require)
		outcome := &recorder{TB: t}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			missing(outcome, "kafka", errors.New("no java\nmore"))
		}()
		<-ended
		if outcome.fatal != test.fatal || outcome.skipped == test.fatal {
			t.Errorf("CI=%q SWITCHBOARD_REQUIRE_REAL=%q: fatal %v, skipped %v", test.ci, test.require, outcome.fatal, outcome.skipped)
		}
	}
	text, err := os.ReadFile(report)
	if want := suite(t.Name()) + "\tmissing kafka\tno java\n"; string(text) != want {
		t.Errorf("report %q (%v), want %q", text, err, want)
	}
}

// recorder takes down how missing ends a test, and ends the goroutine instead.
type recorder struct {
	testing.TB
	fatal, skipped bool
}

func (r *recorder) Fatalf(string, ...any) {
	r.fatal = true
	runtime.Goexit()
}

func (r *recorder) Skipf(string, ...any) {
	r.skipped = true
	runtime.Goexit()
}
