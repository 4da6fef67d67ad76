package replay

import (
	"context"
	"testing"

	"switchboard/internal/app"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
)

// snapshot runs a snapshotter until it has made a snapshot of everything, which it does at its end.
func (s *site) snapshot() {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	snap := &app.Snapshotter{Config: s.config, Logger: s.logger()}
	done := make(chan error, 1)
	go func() { done <- snap.Run(ctx) }()
	ends, err := s.admin.ListEndOffsets(s.Context(), s.topic)
	if err != nil {
		s.Fatal(err)
	}
	for p := range int32(partitions) {
		end, _ := ends.Lookup(s.topic, p)
		s.until("the snapshotter has read everything", func() bool { return snap.Lanes()[s.partition(p)].Position == end.Offset })
	}
	cancel()
	if err := <-done; err != nil {
		s.Fatal(err)
	}
}

func (s *site) seedOf(p int32) string {
	return s.redis.HGet(s.Context(), redisview.PosKey(pipeline.LaneID{Partition: s.partition(p), Generation: s.serving(p)}), "seed").Val()
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
		s.append(1500)
		s.snapshot()
		s.append(500)
		s.start()
		s.caughtUp()
		s.exact(s.facts)
		if seed := s.seedOf(0); seed == pipeline.SeedStart {
			t.Error("an empty Redis was folded from the start, though there is a snapshot")
		}
		before := s.serving(0)
		if err := s.redis.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		s.until("a new generation serves", func() bool { g := s.serving(0); return g != "" && g != before })
		s.caughtUp()
		s.exact(s.facts)
		s.halt()

		before = s.serving(0)
		end, err := s.admin.ListEndOffsets(t.Context(), s.topic)
		if err != nil {
			t.Fatal(err)
		}
		end0, _ := end.Lookup(s.topic, 0)
		end1, _ := end.Lookup(s.topic, 1)
		s.reset("--shift-by -5", map[int32]int64{0: end0.Offset - 5, 1: end1.Offset - 5})
		s.start()
		s.until("the flip", func() bool { return s.serving(0) != before })
		s.caughtUp()
		s.exact(s.facts)
		if seed := s.seedOf(0); seed == pipeline.SeedStart {
			t.Error("the replay began at the start, though a snapshot was nearer")
		}
		s.halt()
	})
}
