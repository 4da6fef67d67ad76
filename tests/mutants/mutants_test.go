// Package mutants tests the tests: each protection of the commit is taken out of the code in turn, and the suite must turn red. The changed
// file is given to the compiler by -overlay; nothing in the repository changes. A mutant that survives is a hole in the suite.
package mutants

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mutant is one protection taken out, and the tests that must notice.
type mutant struct {
	name  string
	long  bool // only with SWITCHBOARD_LONG=1
	edits []edit
	pkg   string // whose tests
	run   string // which of them, as -test.run
	env   []string
}

// edit replaces a text that occurs exactly once in a file.
type edit struct{ file, old, new string }

const (
	redisLane = "internal/redisview/lane.go"
	redisPos  = "internal/redisview/pos.go"
	batch     = "internal/pipeline/batch.go"
	flight    = "internal/pipeline/flight.go"
	lane      = "internal/pipeline/lane.go"
	folding   = "internal/fold/subscriber.go"
	poller    = "internal/kafkalog/poller.go"
	group     = "internal/kafkalog/group.go"
)

var mutants = []mutant{
	{name: "no WATCH", pkg: "./tests/commit", run: "TestEveryStep/exact/late", edits: []edit{
		{redisLane, `pipe.Do(ctx, "WATCH", l.pos)`, `pipe.Do(ctx, "EXISTS", l.pos)`},
		{redisLane, `t.pipe.Do(t.ctx, "WATCH", t.lane.pos)`, `t.pipe.Do(t.ctx, "EXISTS", t.lane.pos)`},
	}},
	{name: "a subject split over chunks", pkg: "./tests/commit", run: "TestEveryStep/exact/crash_after", edits: []edit{
		{batch, "\tchunk := &Chunk{\n", `	if half := len(c.mutations) / 2; half > 0 {
		first := &Chunk{Mutations: c.mutations[:half], Part: c.part, Before: t.progress.Next, Ahead: max(t.ahead, b.progress.Next), Progress: b.progress}
		if outcome, err := t.store.Commit(ctx, first); outcome != Applied {
			return errors.Join(errors.New(outcome.String()), err)
		}
		c.mutations = c.mutations[half:]
		c.part++
	}
	chunk := &Chunk{
`},
	}},
	{name: "records behind a seek folded", pkg: "./internal/kafkalog", run: "TestRecordsBehindSeek", edits: []edit{
		{poller, `p.run == 0 || p.run != p.noted || p.err != nil`, `p.run == 0 || p.err != nil`},
	}},
	{name: "no commit of a batch without mutations", pkg: "./tests/commit", run: "TestEveryStep/exact/crash_after", edits: []edit{
		{batch, "\tchunk := &Chunk{\n", `	if len(c.mutations) == 0 && !b.progress.Seeding && last {
		t.progress = b.progress
		return nil
	}
	chunk := &Chunk{
`},
	}},
	{name: "@ ignored, duplicates off", pkg: "./tests/commit", run: "TestEveryStep/off/crash_after", edits: []edit{
		{folding, `if offset <= s.At {`, `if false {`},
	}},

	{name: "whatever became of a chunk taken as applied", pkg: "./tests/commit", run: "TestEveryStep/exact/(refused|stolen)", edits: []edit{
		{flight, `switch f.outcome {`, `switch Applied {`},
	}},

	{name: "position written first", long: true, pkg: "./tests/commit", run: "TestEveryStep/exact/crash_after", edits: []edit{
		{batch, "\tif last {\n\t\tchunk.Part = 0\n\t}\n", "\tchunk.Part = 0\n"},
	}},
	{name: "totals of the whole batch in its first chunk", long: true, pkg: "./tests/commit", run: "TestEveryStep/exact/crash_after", edits: []edit{
		{batch, "\t\tc.totals.Add(w.subject.Change())\n", ""},
		{batch, "\tc := newPending(t)\n", "\tc := newPending(t)\n\tfor _, w := range b.subjects {\n\t\tc.totals.Add(w.subject.Change())\n\t}\n"},
	}},
	{name: "ahead left out", long: true, pkg: "./tests/commit", run: "TestEveryStep/exact/crash_after", edits: []edit{
		{redisPos, `return []any{"part", c.Part, "ahead", c.Ahead}`, `return []any{"part", c.Part}`},
	}},
	{name: "lease check taken as passed", long: true, pkg: "./tests/commit", run: "TestLeaseDecides", edits: []edit{
		{lane, "case LeaseLost:\n\t\t\treturn false", "case LeaseLost:\n\t\t\treturn true"},
	}},
	{name: "owner kept after revoke", long: true, pkg: "./internal/kafkalog", run: "TestRebalanceStorm/embedded", edits: []edit{
		{group, "\tc.endLanes(list)\n", ""},
	}},
	{name: "dedupe off", long: true, pkg: "./internal/fold", run: ".", edits: []edit{
		{folding, `case !week.Present[t.Entry]:`, `case !t.amendment || !week.Present[t.Entry]:`},
	}},

	// The same protections in the attack and in chaos, where it takes luck: enough seeds, and the first red one is enough.
	{name: "no WATCH, attacked", long: true, pkg: "./tests/attack", run: "TestAttack", env: seeds(20), edits: []edit{
		{redisLane, `pipe.Do(ctx, "WATCH", l.pos)`, `pipe.Do(ctx, "EXISTS", l.pos)`},
		{redisLane, `t.pipe.Do(t.ctx, "WATCH", t.lane.pos)`, `t.pipe.Do(t.ctx, "EXISTS", t.lane.pos)`},
	}},
	{name: "no WATCH, in chaos", long: true, pkg: "./tests/chaos", run: "TestChaos", env: []string{"CHAOS_SEEDS=3"}, edits: []edit{
		{redisLane, `pipe.Do(ctx, "WATCH", l.pos)`, `pipe.Do(ctx, "EXISTS", l.pos)`},
		{redisLane, `t.pipe.Do(t.ctx, "WATCH", t.lane.pos)`, `t.pipe.Do(t.ctx, "EXISTS", t.lane.pos)`},
	}},
	{name: "@ ignored, attacked", long: true, pkg: "./tests/attack", run: "TestAttack/duplicates-off", env: seeds(20), edits: []edit{
		{folding, `if offset <= s.At {`, `if false {`},
	}},
}

func seeds(n int) []string { return []string{fmt.Sprint("ATTACK_SEEDS=", n)} }

func TestMutants(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	long := os.Getenv("SWITCHBOARD_LONG") == "1"
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			began := time.Now()
			binary := m.build(t, root) // also of a mutant that is not run: its texts must be there
			if m.long && !long {
				t.Skip("SWITCHBOARD_LONG=1 runs it")
			}
			out, red := m.test(t, root, binary)
			if !red {
				t.Fatalf("it survives %s of %s:\n%s", m.run, m.pkg, out)
			}
			t.Logf("red after %.0f s: %s", time.Since(began).Seconds(), firstFailure(out))
		})
	}
	t.Run("unchanged", func(t *testing.T) {
		if !long {
			t.Skip("SWITCHBOARD_LONG=1 runs it")
		}
		ran := map[string]bool{}
		for _, m := range mutants {
			if which := m.pkg + " " + m.run; !ran[which] && m.env == nil {
				ran[which] = true
				m.edits = nil
				if out, red := m.test(t, root, m.build(t, root)); red {
					t.Errorf("%s is red without any change, so that its mutants prove nothing:\n%s", which, out)
				}
			}
		}
	})
}

// build makes the test binary with the edits, or only checks them when the mutant is not to be run.
func (m *mutant) build(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	changed := map[string]string{}
	for _, e := range m.edits {
		text, known := changed[e.file]
		if !known {
			b, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		if n := strings.Count(text, e.old); n != 1 {
			t.Fatalf("the text to be changed occurs %d times in %s, not once: the code has moved on, follow it here:\n%s", n, e.file, e.old)
		}
		changed[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	if m.long && os.Getenv("SWITCHBOARD_LONG") != "1" {
		return ""
	}
	replace := map[string]string{}
	for file, text := range changed {
		to := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, file)] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "mutant.test")
	cmd := exec.Command("go", "test", "-c", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, m.pkg)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the mutant cannot be built: %v\n%s", err, out)
	}
	return binary
}

// patience is how long its tests may take: one that hangs is red.
func (m *mutant) patience() string {
	if m.env != nil {
		return "20m"
	}
	return "2m"
}

// test runs the tests of a mutant. Red is a test that failed or never ended, not one that could not begin.
func (m *mutant) test(t *testing.T, root, binary string) (output string, red bool) {
	t.Helper()
	cmd := exec.Command(binary, "-test.run", m.run, "-test.failfast", "-test.timeout", m.patience(), "-test.v")
	cmd.Dir = filepath.Join(root, m.pkg)
	cmd.Env = append(os.Environ(), m.env...)
	cmd.Env = append(cmd.Env, "GOFLAGS=-overlay="+filepath.Join(filepath.Dir(binary), "overlay.json")) // of programs that it builds
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	output = out.String()
	if strings.Contains(output, "no tests to run") || strings.Contains(output, "--- SKIP") {
		if os.Getenv("CI") != "true" && strings.Contains(output, "--- SKIP") {
			t.Skip("its tests are skipped here")
		}
		t.Fatalf("its tests do not run:\n%s", output)
	}
	return output, err != nil && (strings.Contains(output, "--- FAIL") || strings.Contains(output, "test timed out"))
}

// firstFailure is the line that says what failed.
func firstFailure(output string) string {
	for line := range strings.Lines(output) {
		if strings.Contains(line, "_test.go:") {
			return strings.TrimSpace(line)
		}
	}
	return "without a word"
}
