package faults

import (
	"testing"
	"time"

	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

// TestSlotMoves moves the slot of a partition to another node, key by key, while it is folded.
//
//fault:p21 every key of a partition is in the slot of its position
//fault:p22 a slot that moves: no key moved, half of them, all but not announced, announced; exact, nothing broken, no dead letter
func TestSlotMoves(t *testing.T) {
	t.Parallel()
	s := folded(t, backend.RealCluster(t), local.Options{})
	before := s.Serving(0)
	slot := backend.SlotOf(t, s.On.Redis, redisview.PosKey(before))
	keys := slot.Keys()
	named := 0
	for _, key := range slot.At.Keys(t.Context(), redisview.Prefix(before)+"*").Val() {
		named++
		if other := s.Redis.ClusterKeySlot(t.Context(), key).Val(); other != slot.Number {
			t.Errorf("%s is in slot %d, the position in %d", key, other, slot.Number)
		}
	}
	if named < 20 || len(keys) < named {
		t.Fatalf("the slot has %d keys, %d of the generation", len(keys), named)
	}
	slot.Begin()
	s.Append(200) // what makes no key goes on at the old node, the rest is answered with ASK
	slot.Migrate(keys[:len(keys)/2])
	aborted := func() int64 {
		l := s.Lane(0)
		return l.Commits[pipeline.Aborted.String()] + l.Claims[pipeline.Aborted.String()]
	}
	seen, end := aborted(), s.Ends()[1]
	s.Append(100)
	s.Until("the other partition, whose slot stays, goes on", func() bool { return s.Next(1) > end })
	s.Until("it is refused, and tries again", func() bool { return aborted() > seen || s.Lane(0).State == pipeline.Claiming })
	for moving := slot.Keys(); len(moving) > 0; moving = slot.Keys() {
		slot.Migrate(moving)
	}
	s.Append(100)
	slot.Announce()
	announced := time.Now()
	s.Append(100)
	s.CaughtUp()
	if took := time.Since(announced); took > 10*time.Second { // it was a minute, go-redis's own rhythm
		t.Errorf("the new node was found after %v", took)
	}
	s.Exact()
	s.noLetters()
	if at := s.Node(0).Options().Addr; at != slot.To.Options().Addr {
		t.Errorf("the partition is at %s, not at %s", at, slot.To.Options().Addr)
	}
	if s.Serving(0) != before || s.Lane(0).Stopped != nil {
		t.Errorf("it was rebuilt, or is stopped: %+v", s.Lane(0))
	}
	s.Halt()
}
