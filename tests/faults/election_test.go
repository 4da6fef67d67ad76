package faults

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
	"switchboard/tests/site/local"
)

// TestUncleanElection: a copy of the partitions falls behind, the only one that has what was acknowledged and folded since then dies, and an operator makes
// a leader of the one that is behind. Other facts take the offsets of those that are lost. By rule 4 a generation is built beside, from the log as it
// is; the one that has folded what is lost is folded no further. Two installations share the brokers.
//
//fault:k4 forced on a real cluster (SWITCHBOARD_LONG=1), offsets used again: built beside, exact, the old generation stays what it was (rule 4)
func TestUncleanElection(t *testing.T) {
	if os.Getenv("SWITCHBOARD_LONG") == "" {
		t.Skip("three brokers: only with SWITCHBOARD_LONG=1 (make test-long)")
	}
	const newest, behind = 1, 2 // brokers; the third one keeps the quorum
	servers := backend.OwnKafka(t, 3)
	kinds := []struct {
		name    string
		running bool // the processor goes on through all of it; else it looks when the offsets are used again, and leader epochs tell
		says    string
	}{
		{"away", false, "the log was truncated and overwritten: leader epoch"},
		{"running", true, "the log was truncated"},
	}
	sites := make([]*site, len(kinds))
	was := make([]folds, len(kinds))
	for i := range kinds {
		b := backend.Backend{Name: "three brokers", Brokers: servers.Brokers, Redis: []string{backend.RealRedis(t).Addr}, Prefix: backend.Prefix()}
		s := newSite(t, b, local.Options{Copies: 3, Settings: map[string][]string{"calls.reports": {"replication: 2", "min_insync: 1"}}})
		s.copiesOn(newest, behind)
		s.Append(300)
		s.Start()
		s.CaughtUp()
		sites[i] = s
	}
	servers.Pause(t, behind)
	for i, kind := range kinds {
		s := sites[i]
		s.awaitPartitions("one copy falls behind", func(p kadm.PartitionDetail) bool { return slices.Equal(p.ISR, []int32{newest}) })
		was[i].kept, was[i].cut = len(s.Facts), s.Ends()
		s.Append(200)
		s.CaughtUp()
		s.Exact()
		was[i].facts, was[i].ends = s.Facts, s.Ends()
		for p := range int32(partitions) {
			was[i].serving[p] = s.Serving(p)
		}
		if !kind.running {
			s.Halt()
		}
	}
	servers.Kill(t, newest)
	servers.Resume(t, behind)
	for i, kind := range kinds {
		t.Log(kind.name)
		s, was := sites[i], &was[i]
		s.awaitPartitions("nobody leads", func(p kadm.PartitionDetail) bool { return p.Leader == -1 })
		s.elect(kadm.ElectLiveReplica, behind)
		if got := s.Ends(); !slices.Equal(got, was.cut) {
			t.Fatalf("the log ends at %v, the copy fell behind at %v", got, was.cut)
		}
		s.Facts = slices.Clone(s.Facts[:was.kept])
		s.Append(601)
		for p, end := range s.Ends() {
			if end <= was.ends[p] {
				t.Fatalf("partition %d ends at %d, the position is %d: write more", p, end, was.ends[p])
			}
		}
		if !kind.running {
			s.Start()
		}
		for p := range int32(partitions) {
			s.Until("another generation serves", func() bool { return s.Serving(p) != was.serving[p] })
		}
		s.CaughtUp()
		s.Exact()
		s.rebuilt(was, kind.says)
	}
	servers.Start(t) // what it alone had is cut off
	for i, s := range sites {
		t.Log(kinds[i].name)
		s.awaitPartitions("both copies are in sync", func(p kadm.PartitionDetail) bool { return len(p.ISR) == 2 })
		s.elect(kadm.ElectPreferredReplica, newest)
		s.Append(100)
		s.CaughtUp()
		s.Exact()
		s.noLetters()
		s.Halt()
	}
}

// folds is what was folded before a log lost its tail.
type folds struct {
	facts   []event.Event
	kept    int     // facts that stay
	cut     []int64 // where the log ends then
	ends    []int64 // where it ended, and the position was
	serving [partitions]pipeline.LaneID
}

// rebuilt holds the generations against what rule 4 says of them.
func (s *site) rebuilt(was *folds, says string) {
	s.Helper()
	set, err := view.NewSet(view.Names())
	if err != nil {
		s.Fatal(err)
	}
	models, err := redisview.New(redisview.Options{Addrs: s.On.Redis})
	if err != nil {
		s.Fatal(err)
	}
	defer models.Close()
	facts := reference.Parted(was.facts, partitions)
	for p := range int32(partitions) {
		old := was.serving[p]
		pos, found, err := models.Position(s.Context(), old)
		if err != nil || !found || pos.Next != was.ends[p] {
			s.Errorf("partition %d: the old generation is at %d (%v), it was at %d and is folded no further", p, pos.Next, err, was.ends[p])
		}
		reference.Holds(s, s.Node(p), old, set, facts[p]) // it has not changed
		lines, err := models.List(s.Context(), s.Partition(p))
		if err != nil || len(lines) != 2 || !strings.HasPrefix(lines[0].Reason, says) {
			s.Errorf("partition %d: the list of generations does not say %q: %+v (%v)", p, says, lines, err)
		}
	}
}

// copiesOn puts the copies of the facts on some brokers, the first of which leads.
func (s *site) copiesOn(brokers ...int32) {
	s.Helper()
	var to kadm.AlterPartitionAssignmentsReq
	for p := range int32(partitions) {
		to.Assign(s.Reports, p, brokers)
	}
	moved, err := s.Admin.AlterPartitionAssignments(s.Context(), to)
	if err == nil {
		err = moved.Error()
	}
	if err != nil {
		s.Fatal(err)
	}
	s.awaitPartitions("the copies are where they should be", func(p kadm.PartitionDetail) bool {
		return slices.Equal(p.Replicas, brokers) && len(p.ISR) == len(brokers)
	})
	s.elect(kadm.ElectPreferredReplica, brokers[0])
}

// elect asks for a leader until it leads all partitions of facts.
func (s *site) elect(how kadm.ElectLeadersHow, leader int32) {
	s.Helper()
	set := kadm.TopicsSet{}
	for p := range int32(partitions) {
		set.Add(s.Reports, p)
	}
	s.awaitPartitions("it leads", func(p kadm.PartitionDetail) bool {
		if p.Leader == leader {
			return true
		}
		_, _ = s.Admin.ElectLeaders(s.Context(), how, set) // a broker that is just back cannot yet be elected
		return false
	})
}

// awaitPartitions waits until something holds for each partition of facts. Brokers that do not answer meanwhile are asked again.
func (s *site) awaitPartitions(what string, holds func(kadm.PartitionDetail) bool) {
	s.Helper()
	s.Until(what, func() bool {
		topics, err := s.Admin.ListTopics(s.Context(), s.Reports)
		if err != nil || len(topics[s.Reports].Partitions) != partitions {
			return false
		}
		for _, p := range topics[s.Reports].Partitions {
			if !holds(p) {
				return false
			}
		}
		return true
	})
}
