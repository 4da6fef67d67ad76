package replay

import (
	"testing"

	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
)

// snapshot runs a snapshotter until it has made a snapshot of everything, which it does at its end.
func (s *site) snapshot() {
	s.Helper()
	snapshotter := s.Snapshotter(s.Config)
	for p, end := range s.Ends() {
		s.Until("the snapshotter has read everything", func() bool { return snapshotter.Lanes()[s.Partition(int32(p))].Position == end })
	}
	snapshotter.Stop()
}

func (s *site) seedOf(p int32) string {
	return s.Redis.HGet(s.Context(), redisview.PosKey(s.Serving(p)), "seed").Val()
}

// TestRestore: an empty Redis comes back from snapshot and tail without an operator, also when the log has lost its head; and a rewind into the
// middle begins at a snapshot.
//
//fault:p11 reset into the middle: begins at a snapshot (rule 8)
//fault:p15 restored from snapshot and tail without an operator
//fault:k7 the log has lost its head, a snapshot covers it
func TestRestore(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := newSite(t, b)
		s.Append(1500)
		s.snapshot()
		s.Append(500)
		s.Start()
		s.CaughtUp()
		s.Exact()
		if seed := s.seedOf(0); seed == pipeline.SeedStart {
			t.Error("an empty Redis was folded from the start, though there is a snapshot")
		}
		before := s.serving(0)
		if err := s.Redis.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		s.Until("a new generation serves", func() bool { g := s.serving(0); return g != "" && g != before })
		s.CaughtUp()
		s.Exact()
		s.Halt()

		before = s.serving(0)
		ends := s.Ends()
		s.reset("--shift-by -5", map[int32]int64{0: ends[0] - 5, 1: ends[1] - 5})
		s.Start()
		s.Until("the flip", func() bool { return s.serving(0) != before })
		s.CaughtUp()
		s.Exact()
		if seed := s.seedOf(0); seed == pipeline.SeedStart {
			t.Error("the replay began at the start, though a snapshot was nearer")
		}
		s.Halt()
	})
}
