package faults

import (
	"os"
	"runtime"
	"testing"
	"time"

	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

// TestNothingLeaks starts and ends a processor again and again, and lets Redis go away under it: goroutines and descriptors come back to what they were.
//
//fault:h9 goroutines and descriptors after ten processors and ten losses of Redis
func TestNothingLeaks(t *testing.T) {
	b := backend.Embedded(t)
	server := backend.RealRedis(t)
	b.Redis = []string{server.Addr}
	s := newSite(t, b, local.Options{})
	cycle := func() {
		s.Append(20)
		s.Start()
		s.CaughtUp()
		claims := s.Lane(0).LeaseChecks
		server.Kill()
		server.Start()
		s.Until("it has looked again", func() bool { return s.Lane(0).LeaseChecks > claims })
		s.CaughtUp()
		s.Halt()
	}
	cycle() // whatever is made once
	count := func() (goroutines, files int) {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return runtime.NumGoroutine(), len(list)
	}
	goroutines, files := count()
	for range 9 {
		cycle()
	}
	const slack = 5 // kfake and go-redis close a connection when they next look at it
	deadline := time.Now().Add(10 * time.Second)
	for {
		g, f := count()
		if g <= goroutines+slack && f <= files+slack {
			break
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, and %d after nine more; %d descriptors, and %d\n%s", goroutines, g, files, f, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.Exact()
}
