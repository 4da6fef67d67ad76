package replay

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"switchboard/internal/app"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
)

// decided waits until the lane of a partition has decided by a rule.
func (s *site) decided(p int32, rule int) pipeline.Decision {
	s.Helper()
	var d pipeline.Decision
	s.Until("a decision by the rule", func() bool {
		d = s.Lane(p).Decision
		return d.Rule == rule
	})
	return d
}

// stopped waits until a partition is stopped, and checks that the reason and the hint say something.
func (s *site) stopped(p int32, rule int, says string) {
	s.Helper()
	var why *pipeline.Stopped
	s.Until("the partition stops", func() bool {
		why = s.Lane(p).Stopped
		return why != nil
	})
	if why.Rule != rule || !strings.Contains(why.Error(), says) {
		s.Errorf("stopped by rule %d: %v; want rule %d and %q", why.Rule, why, rule, says)
	}
}

// folded is a site with facts that are folded, and a processor that has stopped.
func folded(t *testing.T, b backend.Backend, n int) *site {
	s := newSite(t, b)
	s.Append(n)
	s.Start()
	s.CaughtUp()
	s.Halt()
	return s
}

// TestGroupIsNoPosition: the group's offsets deleted, the group deleted, reset to where it is: folding goes on at the position, and certifies it (rule 9).
//
//fault:p10 offsets deleted, the group deleted: it goes on at the position (rule 9)
func TestGroupIsNoPosition(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := folded(t, b, 300)
		before := s.serving(0)
		if b.Name == "embedded" {
			if _, err := s.Admin.DeleteOffsets(t.Context(), s.group, kadm.TopicsSet{s.Reports: {0: {}, 1: {}}}); err != nil {
				t.Fatal(err)
			}
		} else {
			s.consumerGroups("--delete-offsets", "--topic", s.Reports)
		}
		s.Append(100)
		s.Start()
		s.CaughtUp()
		s.decided(0, 9)
		s.Halt()
		if b.Name == "embedded" {
			if _, err := s.Admin.DeleteGroup(t.Context(), s.group); err != nil {
				t.Fatal(err)
			}
		} else {
			s.consumerGroups("--delete")
		}
		s.Append(100)
		s.Start()
		s.CaughtUp()
		s.decided(0, 9)
		s.Exact()
		if s.serving(0) != before {
			t.Error("something was rebuilt")
		}
		s.Halt()
	})
}

// TestResetForward: skipping is not offered; both readings are said, folding goes on where it was (rule 10).
//
//fault:p11 reset forward: nothing is skipped (rule 10)
func TestResetForward(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := folded(t, b, 200)
		s.Append(200)
		ends := s.Ends()
		s.reset("--to-latest", map[int32]int64{0: ends[0], 1: ends[1]})
		s.Start()
		if d := s.decided(0, 10); !strings.Contains(d.Why, "reset forward") || !strings.Contains(d.Why, "older dump") {
			t.Errorf("says %q", d.Why)
		}
		s.CaughtUp()
		s.Exact()
		s.Halt()
	})
}

// TestRefusals: a rewind that nothing covers, and another program in our group: folding goes on, nothing is committed, the processor is degraded and
// says why (rules 8 and 11).
//
//fault:p11 resets that nothing covers, and another program in the group: refused, said (rules 8 and 11)
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		rule     int
		offset   int64
		metadata string
		says     string
	}{
		"rewound into the middle": {8, 10, "", "a replay"},
		"another program":         {11, 10, "them", `"them"`},
	} {
		t.Run(name, func(t *testing.T) {
			backend.Each(t, func(t *testing.T, b backend.Backend) {
				s := folded(t, b, 200)
				var o kadm.Offsets
				o.Add(kadm.Offset{Topic: s.Reports, Partition: 0, At: c.offset, LeaderEpoch: -1, Metadata: c.metadata})
				if err := s.Admin.CommitAllOffsets(t.Context(), s.group, o); err != nil {
					t.Fatal(err)
				}
				s.Append(100)
				s.Start()
				s.CaughtUp()
				s.Exact()
				d := s.decided(0, c.rule)
				if d.Action != pipeline.Refuse || !strings.Contains(d.Why, c.says) || d.Hint == "" {
					t.Errorf("decided %+v", d)
				}
				if err := s.Processor.Ready(); err == nil {
					t.Error("the processor says that all is well")
				}
				got, err := s.Admin.FetchOffsets(t.Context(), s.group)
				if err != nil {
					t.Fatal(err)
				}
				if at, _ := got.Lookup(s.Reports, 0); at.At != c.offset || at.Metadata != c.metadata {
					t.Errorf("the group was told %+v", at)
				}
				s.Halt()
			})
		})
	}
}

// TestDeletedHead: records that were deleted unread stop the partition with their number, until an operator asks for what is left (rule 5); what was folded before they were deleted does
// not matter.
//
//fault:k7 deleted unread: stopped with the number (rule 5)
func TestDeletedHead(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := folded(t, b, 100)
		s.Append(200)
		var o kadm.Offsets
		o.AddOffset(s.Reports, 0, s.Ends()[0], -1)
		if _, err := s.Admin.DeleteRecords(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		s.Start()
		s.stopped(0, 5, "deleted unread")
		before := s.serving(0)
		s.replay(true, s.Partition(0))
		s.Until("what is left is served", func() bool { return s.serving(0) != before })
		s.Facts = slices.DeleteFunc(s.Facts, func(e event.Event) bool { return event.PartitionOf(e.Envelope().Subject, partitions) == 0 })
		s.Append(100)
		s.CaughtUp()
		s.Exact()
		s.ready()
		s.Halt()
	})
}

// TestRecreatedTopic: another topic of the same name is refused (rule 1) until an operator adopts it.
//
//fault:k6 another topic of the same name: stopped, until it is adopted (rule 1)
func TestRecreatedTopic(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := folded(t, b, 100)
		if _, err := s.Admin.DeleteTopics(t.Context(), s.Reports); err != nil {
			t.Fatal(err)
		}
		s.recreate()
		s.Facts = nil
		s.Append(50)
		s.Start()
		s.stopped(0, 1, "replay adopt")
		s.Halt()
		s.adopt()
		s.Start()
		s.CaughtUp()
		s.Exact()
		s.Halt()
	})
}

// TestRecreatedUnderAProcessor: the topic is deleted and made again while a processor folds it: it stops, and goes on when the new one is adopted, without
// a restart (rule 1).
//
//fault:k6 made again under a processor: stopped, and gone on with without a restart when it is adopted (rule 1)
func TestRecreatedUnderAProcessor(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := newSite(t, b)
		s.Append(200)
		s.Start()
		s.CaughtUp()
		before := s.servingAll()
		if _, err := s.Admin.DeleteTopics(t.Context(), s.Reports); err != nil {
			t.Fatal(err)
		}
		s.recreate()
		s.Facts = nil
		s.Append(300)
		for p := range int32(partitions) {
			s.stopped(p, 1, "replay adopt")
		}
		s.adopt()
		s.CaughtUp()
		s.Append(100) // through the group's reader, whose client knew the old topic
		s.CaughtUp()
		s.Exact()
		for p, g := range s.servingAll() {
			if g == before[p] {
				t.Errorf("partition %d is still served by what was folded from the old topic", p)
			}
		}
		s.ready()
		s.Halt()
	})
}

// TestMorePartitions: a topic that gets more partitions is stopped under a processor that runs, and one that starts says so and ends (rule 1): subjects
// would be apart from their history. What a lane of a new partition says is in the table of internal/pipeline.
//
//fault:k13 more partitions under a processor: stopped (rule 1)
func TestMorePartitions(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := newSite(t, b)
		s.Append(200)
		s.Start()
		s.CaughtUp()
		if _, err := s.Admin.CreatePartitions(t.Context(), 1, s.Reports); err != nil {
			t.Fatal(err)
		}
		for p := range int32(partitions) {
			s.stopped(p, 1, "had 2 partitions and has 3")
		}
		s.Halt()
		again := &app.Processor{Config: s.Config, Logger: s.Logger, Version: "replay"}
		if err := again.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "partitions") {
			t.Errorf("a processor that starts says %v", err)
		}
	})
}

// TestCrashInTheMiddle: a build whose process ends is gone on with, not begun again; meanwhile the stock --describe shows its progress as lag (rule 2).
//
//fault:p11 a crash in the middle of a build: gone on with (rule 2)
func TestCrashInTheMiddle(t *testing.T) {
	b := backend.Real(t)
	s := folded(t, b, 3000)
	before := s.serving(0)
	s.reset("--to-earliest", nil)
	builder := s.halfway()
	if current, end, lag := s.described(0); current <= 0 || current >= end || lag != end-current {
		t.Errorf("--describe shows offset %d of %d, lag %d: no progress of the build", current, end, lag)
	}
	s.Start()
	s.Until("the flip", func() bool { return s.serving(0) != before })
	if s.serving(0) != builder {
		t.Errorf("generation %s serves, %s was being built", s.serving(0), builder)
	}
	s.CaughtUp()
	s.Exact()
	s.Halt()
}

// TestReplayRun: an operator asks for new generations; they have the read models that are configured now, while those that serve keep what they
// were made with.
func TestReplayRun(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := newSite(t, b)
		all := s.Config.Processor.Views
		s.Config.Processor.Views = []string{"card", "timeline"}
		s.Append(300)
		s.Start()
		s.CaughtUp()
		s.Halt()
		s.Config.Processor.Views = all
		before := s.servingAll()
		s.Start()
		s.Append(100)
		s.CaughtUp()
		if s.servingAll() != before {
			t.Error("another configuration built by itself")
		}
		s.replay(false, s.Partition(0), s.Partition(1))
		for p := range int32(partitions) {
			s.Until("the flip", func() bool { return s.serving(p) != before[p] })
		}
		s.Append(50)
		s.CaughtUp()
		s.Exact()
		s.Halt()
	})
}

// TestRollback: the generation that served before is folded to the head and serves again.
func TestRollback(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := folded(t, b, 300)
		before := s.serving(0)
		s.reset("--to-earliest", map[int32]int64{0: 0, 1: 0})
		s.Start()
		s.Until("the flip", func() bool { return s.serving(0) != before })
		s.Append(200)
		s.CaughtUp()
		s.rollback(0)
		s.Until("the old one serves again", func() bool { return s.serving(0) == before })
		s.Append(50)
		s.CaughtUp()
		s.Exact()
		s.Halt()
	})
}

// TestOldGenerationsGo: a generation that serves no more is deleted when its time is over.
func TestOldGenerationsGo(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := folded(t, b, 100)
		before := s.serving(0)
		s.Config.Processor.KeepGenerations = 200 * time.Millisecond
		s.reset("--to-earliest", map[int32]int64{0: 0, 1: 0})
		s.Start()
		s.Until("the flip", func() bool { return s.serving(0) != before })
		prefix := redisview.Prefix(pipeline.LaneID{Partition: s.Partition(0), Generation: before})
		s.Until("the old generation is gone", func() bool {
			keys, err := s.Redis.Keys(t.Context(), prefix+"*").Result()
			return err == nil && len(keys) == 0
		})
		s.CaughtUp()
		s.Exact()
		s.Halt()
	})
}
