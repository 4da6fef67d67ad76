// Package e2e runs the programs as processes, with environment variables alone, on real and on embedded servers, and looks at
// them from outside: exit codes, what they print, /readyz, the log, the dead letters, the read models.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/tests/backend"
)

func TestMain(m *testing.M) {
	backend.Main(m, func() {
		if programs.dir != "" {
			os.RemoveAll(programs.dir)
		}
	})
}

// patience is for what must happen, on two cores that others are using too.
const patience = 60 * time.Second

// long is SWITCHBOARD_LONG=1: the same with more.
var long = os.Getenv("SWITCHBOARD_LONG") != ""

var programs struct {
	once sync.Once
	dir  string
	err  error
}

// program is the path of a program of cmd, which are all built once.
func program(t testing.TB, name string) string {
	t.Helper()
	programs.once.Do(func() {
		if programs.dir, programs.err = os.MkdirTemp("", "switchboard-e2e-"); programs.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", programs.dir, "switchboard/cmd/ingest", "switchboard/cmd/processor", "switchboard/cmd/switchboard").CombinedOutput()
		if err != nil {
			programs.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return filepath.Join(programs.dir, name)
}

// eventually asks until the answer is "", which is what is awaited; else the answer says what is there instead.
func eventually(t testing.TB, what string, ask func() string) {
	t.Helper()
	within(t, patience, what, ask)
}

func within(t testing.TB, limit time.Duration, what string, ask func() string) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		got := ask()
		if got == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %s", what, limit, got)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// buffer is what a process has written so far.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// environ is the environment of a process: ours without what is Switchboard's, then what is given.
func environ(env []string) []string {
	var out []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SWITCHBOARD_") {
			out = append(out, v)
		}
	}
	return append(out, env...)
}

// ran is a command that has ended.
type ran struct {
	code     int
	out, err string
}

// run runs a command to its end.
func run(t testing.TB, env []string, name string, args ...string) ran {
	t.Helper()
	return runIn(t, t.TempDir(), env, nil, name, args...)
}

func runIn(t testing.TB, dir string, env []string, stdin []byte, name string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t, name), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = &out, &errs, environ(env), dir
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	if err := backend.Start(cmd, 9); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	_ = cmd.Wait() // the code says it
	if ctx.Err() != nil {
		t.Fatalf("%s %s did not end:\n%s%s", name, strings.Join(args, " "), out.String(), errs.String())
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// wants checks the exit code and that every text stands in what was printed.
func (r ran) wants(t testing.TB, code int, texts ...string) ran {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d; printed\n%s%s", r.code, code, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.out+r.err, text) {
			t.Errorf("%q is not in\n%s%s", text, r.out, r.err)
		}
	}
	return r
}
