package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"switchboard/tests/backend"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"switchboard": main}) }

// TestScripts runs the command line as scripts: `exits CODE switchboard ...` checks the exit code, then stdout and stderr are
// matched. Each script has a broker and a Redis of its own in this process, without any topic, and no other environment. GOLDEN=1
// rewrites what cmp compares.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: os.Getenv("GOLDEN") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(env *testscript.Env) error {
			env.Setenv("SWITCHBOARD_ENV", "dev")
			env.Setenv("SWITCHBOARD_KAFKA_KIND", "embedded")
			env.Setenv("SWITCHBOARD_REDIS_KIND", "embedded")
			tb := env.T().(testing.TB)
			env.Setenv("SWITCHBOARD_KAFKA_BROKERS", strings.Join(backend.EmbeddedKafka(tb), ","))
			env.Setenv("SWITCHBOARD_REDIS_ADDRS", backend.EmbeddedRedis(tb))
			return nil
		},
	})
}

// exits runs a program that must end with an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
