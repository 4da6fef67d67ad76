package replay

import (
	"slices"
	"strings"
	"testing"

	"switchboard/internal/app"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
)

// TestTruncated: a broker that loses the tail of its log, as after a power cut, makes a generation beside (rule 4): read models are the fold of
// what the log holds now, the serving generation is folded no further, and what was lost is noted. One broker loses the tails of four installations.
//
//fault:k5 the tail of a real log cut off, and written over: built beside from before it, exact (rule 4)
//fault:k3 a broker that comes back without the tail of its log, as after a power cut
func TestTruncated(t *testing.T) {
	own := backend.OwnKafka(t, 1)
	kinds := []struct {
		name        string
		overwritten bool // the log has grown beyond the position again before the processor looks; leader epochs tell
		running     bool // the processor goes on through all of it
		snapshots   bool
	}{
		{name: "shorter"},
		{name: "overwritten", overwritten: true, snapshots: true},
		{name: "shorter, running", running: true, snapshots: true},
		{name: "overwritten, without a snapshot", overwritten: true},
	}
	sites := make([]*site, len(kinds))
	lost := make([]lostTail, len(kinds))
	for i, kind := range kinds {
		server := backend.RealRedis(t)
		s := newSite(t, backend.Backend{Name: "real", Brokers: own.Brokers, Redis: []string{server.Addr}, Prefix: backend.Prefix(), Server: server})
		sites[i] = s
		s.Append(300)
		lost[i] = lostTail{kept: len(s.Facts), cut: s.Ends()}
		if kind.snapshots {
			s.snapshot()
			lost[i].manifests = s.manifests()
		}
		s.Append(200)
		if kind.snapshots {
			s.snapshot() // of what is lost
		}
		s.Start()
		s.CaughtUp()
		s.Exact()
		lost[i].ends, lost[i].served = s.Ends(), s.servingAll()
		if !kind.running {
			s.Halt()
		}
	}
	own.Kill(t, 1)
	for i, s := range sites {
		for p, offset := range lost[i].cut {
			own.Cut(t, 1, s.Reports, int32(p), offset)
		}
	}
	own.Start(t)
	for i, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			s, was := sites[i], &lost[i]
			s.TB = t
			s.Facts = s.Facts[:was.kept]
			if got := s.Ends(); !slices.Equal(got, was.cut) {
				t.Fatalf("the log ends at %v, it was cut at %v", got, was.cut)
			}
			if kind.overwritten {
				s.Append(600)
				for p, end := range s.Ends() {
					if end <= was.ends[p] {
						t.Fatalf("partition %d ends at %d, the position is %d: write more", p, end, was.ends[p])
					}
				}
			}
			if !kind.running {
				s.Start()
			}
			for p := range int32(partitions) {
				s.Until("the flip", func() bool { return s.serving(p) != was.served[p] })
			}
			s.Append(100)
			s.CaughtUp()
			s.Exact()
			s.rebuilt(was, kind.overwritten)
			s.Halt()
		})
	}
}

// lostTail is what a site had before its log lost its tail.
type lostTail struct {
	kept      int     // facts that stay
	cut       []int64 // where the log ends then
	ends      []int64 // where it ended, and the position was
	served    [partitions]pipeline.Generation
	manifests [partitions]string // of the snapshots that stay usable; empty: none
}

// rebuilt holds the generations against what rule 4 says of them.
func (s *site) rebuilt(was *lostTail, overwritten bool) {
	s.Helper()
	says := "the log was truncated: it ends at"
	if overwritten {
		says = "the log was truncated and overwritten: leader epoch"
	}
	models, err := redisview.New(redisview.Options{Addrs: s.On.Redis})
	if err != nil {
		s.Fatal(err)
	}
	defer models.Close()
	for p := range int32(partitions) {
		pos, found, err := models.Position(s.Context(), pipeline.LaneID{Partition: s.Partition(p), Generation: was.served[p]})
		if err != nil || !found || pos.Next != was.ends[p] {
			s.Errorf("partition %d: the old generation is at %d (%v), it was at %d and is folded no further", p, pos.Next, err, was.ends[p])
		}
		want := was.manifests[p]
		if want == "" {
			want = pipeline.SeedStart
		}
		if got := s.seedOf(p); got != want {
			s.Errorf("partition %d was folded from %q, want %q", p, got, want)
		}
		lines, err := models.List(s.Context(), s.Partition(p))
		if err != nil || len(lines) != 2 || !strings.HasPrefix(lines[0].Reason, says) {
			s.Errorf("partition %d: the list of generations does not say what was lost: %+v (%v)", p, lines, err)
		}
	}
}

func (s *site) servingAll() (all [partitions]pipeline.Generation) {
	for p := range int32(partitions) {
		all[p] = s.serving(p)
	}
	return all
}

// manifests is the newest usable snapshot of each partition, as a position names it.
func (s *site) manifests() (all [partitions]string) {
	s.Helper()
	snapshots, err := app.OpenSnapshots(s.Config, s.Logger)
	if err != nil {
		s.Fatal(err)
	}
	defer snapshots.Close()
	for p := range int32(partitions) {
		m, refused, err := snapshots.Newest(s.Context(), s.Partition(p))
		if err != nil || m == nil {
			s.Fatalf("no snapshot of partition %d: %v (%v)", p, refused, err)
		}
		all[p] = pipeline.Beginning{Manifest: m.Offset}.String()
	}
	return all
}
