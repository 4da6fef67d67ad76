package replay

import (
	"testing"

	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
)

// TestRewind: a stock reset to the start becomes a build beside the serving generation, which goes on serving and being folded; then v:serving
// flips, the old generation is kept, and everything is exact (rule 8).
//
//fault:p11 reset to the start by the stock tool: built beside, flipped, exact (rule 8)
func TestRewind(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := newSite(t, b)
		s.Append(2000)
		s.Start()
		s.CaughtUp()
		s.Exact()
		before := []pipeline.Generation{s.serving(0), s.serving(1)}
		s.Halt()

		s.reset("--to-earliest", map[int32]int64{0: 0, 1: 0})
		s.Start()
		for p := range int32(partitions) {
			s.Until("the flip", func() bool { return s.serving(p) != before[p] })
		}
		s.Append(500)
		s.CaughtUp()
		s.Exact()
		models, err := redisview.New(redisview.Options{Addrs: b.Redis})
		if err != nil {
			t.Fatal(err)
		}
		defer models.Close()
		for p := range int32(partitions) {
			s.Until("the lines say which one serves", func() bool {
				lines, err := models.List(t.Context(), s.Partition(p))
				return err == nil && len(lines) == 2 && lines[0].State == pipeline.Served && lines[1].State == pipeline.Served
			})
			if n, err := s.Redis.Exists(t.Context(), redisview.PosKey(pipeline.LaneID{Partition: s.Partition(p), Generation: before[p]})).Result(); n != 1 || err != nil {
				t.Errorf("the old generation of partition %d is gone (%v)", p, err)
			}
		}
		s.Halt()
		s.Start() // nothing is asked for any more: the same generations go on
		after := []pipeline.Generation{s.serving(0), s.serving(1)}
		s.Append(100)
		s.CaughtUp()
		s.Exact()
		if after[0] != s.serving(0) || after[1] != s.serving(1) {
			t.Error("a restart built again")
		}
		s.Halt()
	})
}
