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
		s.append(2000)
		s.start()
		s.caughtUp()
		s.exact(s.facts)
		before := []pipeline.Generation{s.serving(0), s.serving(1)}
		s.halt()

		s.reset("--to-earliest", map[int32]int64{0: 0, 1: 0})
		s.start()
		for p := range int32(partitions) {
			s.until("the flip", func() bool { return s.serving(p) != before[p] })
		}
		s.append(500)
		s.caughtUp()
		s.exact(s.facts)
		models, err := redisview.New(redisview.Options{Addrs: b.Redis})
		if err != nil {
			t.Fatal(err)
		}
		defer models.Close()
		for p := range int32(partitions) {
			s.until("the lines say which one serves", func() bool {
				lines, err := models.List(t.Context(), s.partition(p))
				return err == nil && len(lines) == 2 && lines[0].State == pipeline.Served && lines[1].State == pipeline.Served
			})
			if n, err := s.redis.Exists(t.Context(), redisview.PosKey(pipeline.LaneID{Partition: s.partition(p), Generation: before[p]})).Result(); n != 1 || err != nil {
				t.Errorf("the old generation of partition %d is gone (%v)", p, err)
			}
		}
		s.halt()
		s.start() // nothing is asked for any more: the same generations go on
		after := []pipeline.Generation{s.serving(0), s.serving(1)}
		s.append(100)
		s.caughtUp()
		s.exact(s.facts)
		if after[0] != s.serving(0) || after[1] != s.serving(1) {
			t.Error("a restart built again")
		}
		s.halt()
	})
}
