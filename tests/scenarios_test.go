package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"switchboard/internal/event"
	"switchboard/internal/intake"
	"switchboard/internal/view"
	"switchboard/tests/reference"
)

// TestScenarios shows as text what reports and device events do to the read models: events as they come in by HTTP, one a line, and the
// mutations that each of them leads to. $n in an event stands for the id of the n-th one. GOLDEN=1 rewrites the mutations.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("scenarios/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var golden *txtar.File
			var got string
			for i := range archive.Files {
				switch f := &archive.Files[i]; f.Name {
				case "events":
					got = play(t, string(f.Data))
				case "mutations":
					golden = f
				default:
					t.Fatalf("%s: unknown part %q", file, f.Name)
				}
			}
			if golden == nil || got == string(golden.Data) {
				return
			}
			if os.Getenv("GOLDEN") == "" {
				t.Fatalf("%s: the mutations are\n%s\ninstead of\n%s", file, got, golden.Data)
			}
			golden.Data = []byte(got)
			if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// facts reads events as HTTP would, with the clock at the end of 2026.
func facts(t *testing.T, lines string) []event.Event {
	t.Helper()
	in, err := intake.New(intake.Options{Now: func() time.Time { return time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	var list []event.Event
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		for i, e := range list {
			line = strings.ReplaceAll(line, fmt.Sprintf(`"$%d"`, i+1), `"`+e.Envelope().ID.String()+`"`)
		}
		accept := in.AcceptJSON
		if strings.Contains(line, `"device":`) {
			accept = in.AcceptDeviceJSON
		}
		e, err := accept([]byte(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		list = append(list, e)
	}
	return list
}

func play(t *testing.T, lines string) string {
	t.Helper()
	events := facts(t, lines)
	names := view.Names()
	if events[0].About() == event.Devices {
		names = view.DeviceNames()
	}
	set, err := view.NewSet(names)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	fold := reference.NewFold(set)
	for offset, e := range events {
		fmt.Fprintf(&out, "%d %s\n", offset, e.Type())
		for _, m := range fold.Add(int64(offset), e) {
			fmt.Fprintf(&out, "  %s\n", m)
		}
	}
	return out.String()
}

// TestEveryEventHasAScenario is part of the wiring: an event that no scenario shows is not finished.
func TestEveryEventHasAScenario(t *testing.T) {
	files, _ := filepath.Glob("scenarios/*.txtar")
	shown := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range event.Types() {
			shown[e.Type()] = shown[e.Type()] || strings.Contains(string(data), " "+e.Type()+"\n")
		}
	}
	var missing []string
	for _, e := range event.Types() {
		if !shown[e.Type()] {
			missing = append(missing, e.Type())
		}
	}
	if sort.Strings(missing); len(missing) > 0 {
		t.Errorf("no scenario shows %v", missing)
	}
}
