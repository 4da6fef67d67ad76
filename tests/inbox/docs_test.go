package inbox

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/tests/backend"
)

const page = "../../docs/producing.md"

// TestExamplesOfThePage runs the examples of docs/producing.md as they stand there, twice.
func TestExamplesOfThePage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```(python|sh)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 4 {
		t.Fatalf("%d examples, want 4", len(blocks))
	}
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		program := python(t)
		path := filepath.Dir(kcat(t))
		s := newSite(t, b)
		dir := t.TempDir()
		schemas, err := filepath.Abs("../../schemas")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(schemas, filepath.Join(dir, "schemas")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for _, block := range blocks {
				cmd := exec.Command(program, "-c", block[2])
				if block[1] == "sh" {
					cmd = exec.Command("sh", "-c", block[2])
				}
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "BROKERS="+strings.Join(b.Brokers, ","), "PREFIX="+b.Prefix, "PATH="+path+":"+os.Getenv("PATH"))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s\n%s", err, block[2], out)
				}
			}
		}
		in := s.Ingest(nil)
		s.Start()
		s.taken()
		facts := s.facts(
			event.Submitted{Kind: "call", Subscriber: "+447700900123", Direction: "out", StartedAt: 1772439330000, Counterpart: "+447700900456", Outcome: "answered", DurationS: 74, Zone: "Europe/London"},
			event.Submitted{Kind: "text", Subscriber: "+447700900123", Direction: "in", StartedAt: 1772439400000, Counterpart: "+447700900789"},
		)
		direct := &event.CallReported{
			Common:      event.Common{Subject: "+447700900001", OccurredAt: 1_325_376_864_000, UTCOffsetS: 3600},
			Report:      event.Report{Counterpart: "+447700900002", Direction: event.Out, Outcome: event.Answered, AntennaID: "702"},
			CallDetails: event.CallDetails{DurationS: 860},
		}
		direct.ID = event.IDOf(direct)
		s.exact(append(facts, direct))
		if letters := s.letters(); len(letters) > 0 {
			t.Errorf("dead letters: %v", letters)
		}
		in.Stop()
		s.Halt()
	})
}

// TestVectorsOfThePage: the ids of the page are those of its contents, and every class of dead letters has a rule there.
func TestVectorsOfThePage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	vectors := regexp.MustCompile("(?m)^\\| `(\\{.*\\})` \\| `([0-9a-f-]{36})` \\|$").FindAllStringSubmatch(string(text), -1)
	if len(vectors) != 3 {
		t.Fatalf("%d vectors, want 3", len(vectors))
	}
	for _, v := range vectors {
		if !json.Valid([]byte(v[1])) {
			t.Errorf("%s is no JSON", v[1])
		}
		if got := event.IDOfContent([]byte(v[1])).String(); got != v[2] {
			t.Errorf("%s\nhas the id %s, the page says %s", v[1], got, v[2])
		}
	}
	for _, class := range []string{
		pipeline.ClassBadFrame, pipeline.ClassBadAvro, pipeline.ClassUnknownSchema, pipeline.ClassUnexpected, pipeline.ClassInvalidField,
		pipeline.ClassBadID, pipeline.ClassBadKey, pipeline.ClassWrongPartition, pipeline.ClassTooLarge, pipeline.ClassPanic,
	} {
		if !strings.Contains(string(text), "| `"+class+"` |") {
			t.Errorf("no rule has the class %s", class)
		}
	}
}
