package daemon

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails when goroutines of ours outlive the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leaked(2 * time.Second); left != "" && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines left:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// leaked is the stacks with a frame of this package, once they have had until the deadline to end.
func leaked(limit time.Duration) string {
	for deadline := time.Now().Add(limit); ; runtime.Gosched() {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		var left []string
		for _, stack := range strings.Split(string(stacks), "\n\n")[1:] { // the first is ours
			if strings.Contains(stack, "switchboard/internal/daemon") {
				left = append(left, stack)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
	}
}
