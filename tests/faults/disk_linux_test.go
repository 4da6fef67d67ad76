package faults

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

// TestDiskFull lets the append-only file grow no further, as a full disk does: Redis answers MISCONF to every write, and reads on. A limit of
// the process does it without a disk of its own.
//
//fault:p19 the append-only file cannot grow: nothing skipped, not ready, heals; and killed while it is full
func TestDiskFull(t *testing.T) {
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		t.Skip("no prlimit on the PATH")
	}
	// A signal that is ignored here is ignored in what is started from here; else Redis would be ended by it.
	signal.Ignore(syscall.SIGXFSZ)
	b := backend.Real(t)
	signal.Reset(syscall.SIGXFSZ)
	s := folded(t, b, local.Options{})
	limit := func(bytes any) {
		t.Helper()
		if out, err := exec.Command(prlimit, "--pid", fmt.Sprint(b.Server.PID()), fmt.Sprint("--fsize=", bytes, ":unlimited")).CombinedOutput(); err != nil {
			t.Fatalf("prlimit: %v: %s", err, out)
		}
	}
	for _, killed := range []bool{false, true} {
		s.Append(100)
		s.CaughtUp()
		files, _ := filepath.Glob(filepath.Join(b.Server.Dir, "appendonlydir", "*.incr.aof"))
		if len(files) != 1 {
			t.Fatalf("append-only files: %v", files)
		}
		info, err := os.Stat(files[0])
		if err != nil {
			t.Fatal(err)
		}
		limit(info.Size() + 500)
		s.Append(300)
		s.Until("Redis refuses to write", func() bool {
			err := s.Redis.Set(t.Context(), "probe", "x", 0).Err()
			return err != nil && strings.HasPrefix(err.Error(), "MISCONF")
		})
		s.Until("the processor says so", func() bool { return s.Processor.Ready() != nil })
		if s.Next(0) < 0 {
			t.Error("nothing can be read any more")
		}
		if killed {
			b.Server.Kill()
			b.Server.Start()
		} else {
			limit("unlimited")
		}
		s.CaughtUp()
		s.Exact()
	}
	s.noLetters()
	s.Halt()
}
