package pipeline

import (
	"strings"
	"testing"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

var (
	ourTopic   = event.TopicID{1}
	otherTopic = event.TopicID{2}
)

// ordinary is a partition on which nothing has happened but folding: the log is 10..100, everything else is at 50.
func ordinary() *Observed {
	return &Observed{
		Group:   Assignment{Partition: event.Partition{Topic: "calls.reports", Number: 3}, GroupOffset: 50, Metadata: ours(50)},
		Log:     LogState{TopicID: ourTopic, Partitions: 12, Start: 10, End: 100, EpochEnd: 100},
		Serving: "g1", Found: true,
		Pos: Pos{Next: 50, Ahead: 50, TopicID: ourTopic, Partitions: 12, Fold: fold.Version, LeaderEpoch: 4},
	}
}

// ours is the metadata of a commit of ours at an offset.
func ours(next int64) string {
	return Certificate{TopicID: ourTopic, Next: next, Generation: "g1", Run: "R", Version: "v"}.String()
}

// TestDecide is DESIGN.md 6 as a table: every row, at its edges, and rows that hold at the same time in the order of their
// numbers. Row 2, the builder, is
// tried by tests/replay.
//
//fault:p11 every rule of a reset, as a table
//fault:k5 rule 4
//fault:k13 rule 1: another number of partitions is refused
func TestDecide(t *testing.T) {
	group := func(offset int64, metadata string) func(*Observed) {
		return func(o *Observed) { o.Group.GroupOffset, o.Group.Metadata = offset, metadata }
	}
	missing := func(o *Observed) { o.Found, o.Pos, o.Serving = false, Pos{}, "" }
	next := func(n int64) func(*Observed) {
		return func(o *Observed) {
			o.Pos.Next = n
			if n >= 0 {
				o.Group.GroupOffset, o.Group.Metadata = n, ours(n)
			}
		}
	}
	log := func(start, end int64) func(*Observed) {
		return func(o *Observed) { o.Log.Start, o.Log.End, o.Log.EpochEnd = start, end, end }
	}
	set := func(f func(*Observed)) func(*Observed) { return f }
	all := func(changes ...func(*Observed)) func(*Observed) {
		return func(o *Observed) {
			for _, change := range changes {
				change(o)
			}
		}
	}
	for _, row := range []struct {
		name     string
		change   func(*Observed)
		action   Action
		rule     int
		rollback bool
		says     string // in Why
	}{
		{"1: another topic id", set(func(o *Observed) { o.Pos.TopicID = otherTopic }), Stop, 1, false, otherTopic.String()},
		{"1: another partition count", set(func(o *Observed) { o.Log.Partitions = 13 }), Stop, 1, false, "had 12 partitions and has 13"},
		{"1: another partition count cannot be adopted", set(func(o *Observed) { o.Log.Partitions, o.Adopted = 13, ourTopic }), Stop, 1, false, "had 12 partitions and has 13"},
		{"1: a new partition of a topic that had fewer", all(missing, func(o *Observed) { o.Log.Partitions, o.Expected = 13, 12 }), Stop, 1, false, "had 12 partitions and has 13"},
		{"1: another topic id, adopted", set(func(o *Observed) { o.Pos.TopicID, o.Adopted = otherTopic, ourTopic }), Create, 1, false, "adopted"},
		{"1: another topic id, an earlier one adopted", set(func(o *Observed) { o.Pos.TopicID, o.Adopted = otherTopic, otherTopic }), Stop, 1, false, ""},
		{"1: another topic, the position missing, the group's offset ours", all(missing, group(50, Certificate{TopicID: otherTopic, Next: 50}.String())), Stop, 1, false, otherTopic.String()},
		{"1 does not hold: the position missing, the mark of another topic worth nothing", all(missing, group(49, Certificate{TopicID: otherTopic, Next: 50}.String())), Create, 3, false, ""},
		{"1 before 3: another topic and broken", set(func(o *Observed) { o.Pos.TopicID, o.Pos.Broken = otherTopic, "x" }), Stop, 1, false, ""},
		{"1 before 11: another topic and a foreign offset", all(group(50, "them"), func(o *Observed) { o.Pos.TopicID = otherTopic }), Stop, 1, false, ""},

		{"3: nothing at all", all(missing, group(-1, "")), Create, 3, false, "no position"},
		{"3: Redis lost everything, the group knows", missing, Create, 3, false, "no position"},
		{"3: Redis lost everything, the group was reset", all(missing, group(20, "")), Create, 3, false, ""},
		{"3: Redis lost everything, a foreign offset", all(missing, group(20, "them")), Create, 3, false, ""},
		{"3: Redis lost everything under a running process", all(missing, func(o *Observed) { o.Certified = true }), Create, 3, false, ""},
		{"3: v:serving names what has no position", set(func(o *Observed) { o.Found, o.Pos = false, Pos{} }), Create, 3, false, ""},
		{"3: made and never seeded", next(-1), Seed, 3, false, "never seeded"},
		{"3: made and never seeded, of an empty log", all(next(-1), log(0, 0)), Seed, 3, false, ""},
		{"3: broken", set(func(o *Observed) { o.Pos.Broken = "WRONGTYPE" }), Beside, 3, false, "WRONGTYPE"},
		{"3 before 4: broken and truncated", all(next(120), func(o *Observed) { o.Pos.Broken = "x" }), Beside, 3, false, "broken"},

		{"4: the log ends before", next(101), Beside, 4, false, "ends at 100"},
		{"4 does not hold: at the end", next(100), GoOn, 7, false, ""},
		{"4: overwritten: our epoch ends before", set(func(o *Observed) { o.Log.EpochEnd = 49 }), Beside, 4, false, "leader epoch 4 ends at 49"},
		{"4: overwritten: our epoch is not known any more", set(func(o *Observed) { o.Log.EpochEnd = -1 }), Beside, 4, false, "leader epoch 4"},
		{"4 does not hold: our epoch ends where we are, another leader has taken over", set(func(o *Observed) { o.Log.EpochEnd = 50 }), GoOn, 7, false, ""},
		{"4 does not hold: no epoch folded yet", set(func(o *Observed) { o.Pos.LeaderEpoch, o.Log.EpochEnd = -1, -1 }), GoOn, 7, false, ""},
		{"4 before 5: the log was emptied and begins anew", all(next(50), log(0, 0)), Beside, 4, false, "ends at 0"},

		{"5: deleted unread", all(next(50), log(51, 100)), Beside, 5, false, "1 offsets were deleted unread"},
		{"5: deleted unread, all of it", all(next(50), log(100, 100)), Beside, 5, false, "50 offsets were deleted unread"},
		{"5 does not hold: at the start", all(next(50), log(50, 100)), GoOn, 7, false, ""},
		{"5 does not hold: everything expired behind us", all(next(100), log(100, 100)), GoOn, 7, false, ""},
		{"5 before 6: deleted unread, by another fold", all(log(51, 100), func(o *Observed) { o.Pos.Fold++ }), Beside, 5, false, ""},

		{"6: we are older", set(func(o *Observed) { o.Pos.Fold = fold.Version + 1 }), Stop, 6, false, "fold version 2"},
		{"6: we are newer", set(func(o *Observed) { o.Pos.Fold = fold.Version - 1 }), Beside, 6, false, "fold version 0"},
		{"6 before 7: ours, by another fold", set(func(o *Observed) { o.Pos.Fold++ }), Stop, 6, false, ""},

		{"7: nothing happened", set(func(*Observed) {}), GoOn, 7, false, ""},
		{"7: the group is behind: a report was lost", group(40, ours(40)), GoOn, 7, false, ""},
		{"7: the group is ahead: Redis lost writes", group(60, ours(60)), GoOn, 7, true, ""},
		{"7: the group is ahead in the topic that was adopted away", group(60, Certificate{TopicID: otherTopic, Next: 60}.String()), GoOn, 7, false, ""},
		{"7: of another generation", group(50, Certificate{TopicID: ourTopic, Next: 50, Generation: "g0"}.String()), GoOn, 7, false, ""},
		{"7: certified, and Redis went back under us", all(group(60, ours(60)), func(o *Observed) { o.Certified = true }), GoOn, 7, false, ""},
		{"7: certified: what the group had when it gave us the partition is history", all(group(40, ""), func(o *Observed) { o.Certified = true }), GoOn, 7, false, ""},
		{"7: certified, and before that a foreign offset", all(group(40, "them"), func(o *Observed) { o.Certified = true }), GoOn, 7, false, ""},

		{"8: rewound by a stock tool", group(49, ""), Beside, 8, false, "reset to offset 49"},
		{"8: rewound to the start", group(0, ""), Beside, 8, false, "reset to offset 0"},
		{"8: metadata of ours with another offset counts as none", group(49, ours(50)), Beside, 8, false, ""},
		{"8: metadata of a later version counts as none", group(49, "v2|whatever"), Beside, 8, false, ""},
		{"8: a damaged checksum counts as none", group(49, strings.Replace(ours(49), "|R|", "|S|", 1)), Beside, 8, false, ""},

		{"9: the group was deleted", group(-1, ""), GoOn, 9, false, ""},
		{"9: reset to where we are", group(50, ""), GoOn, 9, false, ""},
		{"9: reset to where we are, by metadata of a later version", group(50, "v2|whatever"), GoOn, 9, false, ""},

		{"10: reset forward", group(51, ""), GoOn, 10, false, "a reset forward, or Redis restored"},
		{"10: far beyond the end", group(1_000_000, ""), GoOn, 10, false, ""},

		{"11: another program", group(50, "them"), Refuse, 11, false, `"them"`},
		{"11: another program, behind", group(40, "{}"), Refuse, 11, false, "another program"},
		{"11: what only looks like ours", group(50, "v1"), Refuse, 11, false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := ordinary()
			row.change(o)
			d := Decide(o)
			if d.Action != row.action || d.Rule != row.rule || d.Rollback != row.rollback {
				t.Errorf("action %d by rule %d, rollback %t (%s); want action %d by rule %d, rollback %t", d.Action, d.Rule, d.Rollback, d.Why, row.action, row.rule, row.rollback)
			}
			if !strings.Contains(d.Why, row.says) {
				t.Errorf("says %q, which lacks %q", d.Why, row.says)
			}
			if d.Why == "" || d.Action == Stop && d.Hint == "" {
				t.Errorf("an operator is left alone with %+v", d)
			}
		})
	}
}

// TestDecideNeverPassesAGap: whatever is observed, nobody goes on at a position that the log does not have, that another log had, or that
// another meaning led to; and nobody who stops is without a reason.
//
//fault:k7 no combination of positions passes a gap
func TestDecideNeverPassesAGap(t *testing.T) {
	offsets := []int64{-1, 0, 9, 10, 11, 50, 99, 100, 101}
	metadata := func(g int64) []string { return []string{"", ours(g), ours(g + 1), "v2|x", "them"} }
	seen := map[int]int{}
	for _, c := range offsets {
		for _, g := range offsets {
			for _, m := range metadata(g) {
				for flags := range 1 << 6 {
					flag := func(i int) bool { return flags>>i&1 == 1 }
					o := ordinary()
					o.Pos.Next, o.Group.GroupOffset, o.Group.Metadata = c, g, m
					o.Certified = flag(0)
					if flag(1) {
						o.Found, o.Pos = false, Pos{}
					}
					if flag(2) {
						o.Log.TopicID = otherTopic
					}
					if flag(3) {
						o.Log.EpochEnd = 20
					}
					if flag(4) {
						o.Pos.Fold = 7
					}
					if flag(5) {
						o.Pos.Broken = "x"
					}
					d := Decide(o)
					seen[d.Rule]++
					if d.Why == "" || d.Rule == 0 || d.Action == Stop && d.Hint == "" {
						t.Fatalf("%+v: %+v", o, d)
					}
					if d.Action == GoOn && (!o.Found || c < o.Log.Start || c > o.Log.End || o.Pos.TopicID != o.Log.TopicID || o.Pos.Fold != fold.Version || o.Pos.Broken != "" || o.Log.EpochEnd < c) {
						t.Fatalf("goes on at %d by rule %d: %+v", c, d.Rule, o)
					}
					if d.Action == Create && o.Found || d.Action == Seed && (!o.Found || c >= 0) {
						t.Fatalf("action %d by rule %d: %+v", d.Action, d.Rule, o)
					}
				}
			}
		}
	}
	for _, rule := range []int{1, 3, 4, 5, 6, 7, 8, 9, 10, 11} {
		if seen[rule] == 0 {
			t.Errorf("rule %d was never met", rule)
		}
	}
}
