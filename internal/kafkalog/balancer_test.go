package kafkalog

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestBalancerSpreadsEachTopic lets members come and go, in the rounds of the cooperative protocol, and holds that each topic is spread evenly,
// that nothing belongs to two members, and that no more moves than must.
func TestBalancerSpreadsEachTopic(t *testing.T) {
	t.Parallel()
	topics := map[string]int32{"calls": 12, "devices": 4}
	names := slices.Sorted(maps.Keys(topics))
	has := map[string]map[string][]int32{} // member, topic: partitions
	generation := int32(0)
	settle := func(members ...string) (moved int) {
		maps.DeleteFunc(has, func(m string, _ map[string][]int32) bool { return !slices.Contains(members, m) })
		for range 3 { // rounds: what moves is first taken, then given
			generation++
			b := newBalancer()
			var said []kmsg.JoinGroupResponseMember
			for _, m := range members {
				j := kmsg.NewJoinGroupResponseMember()
				j.MemberID, j.ProtocolMetadata = m, b.JoinGroupMetadata(slices.Clone(names), has[m], generation)
				said = append(said, j)
			}
			of, all, err := b.MemberBalancer(said)
			if err != nil || len(all) != len(topics) {
				t.Fatal(all, err)
			}
			plan, err := of.(kgo.GroupMemberBalancerOrError).BalanceOrError(topics)
			if err != nil {
				t.Fatal(err)
			}
			next := map[string]map[string][]int32{}
			for _, a := range plan.IntoSyncAssignment() {
				if next[a.MemberID], err = b.ParseSyncAssignment(a.MemberAssignment); err != nil {
					t.Fatal(err)
				}
				for topic, list := range next[a.MemberID] {
					for _, p := range list {
						if !slices.Contains(has[a.MemberID][topic], p) {
							moved++
						}
					}
				}
			}
			has = next
		}
		for topic, n := range topics {
			seen := map[int32]string{}
			for _, m := range members {
				k := len(has[m][topic])
				if least := int(n) / len(members); k < least || k > least+1 {
					t.Errorf("%d members: %s has %d partitions of %s", len(members), m, k, topic)
				}
				for _, p := range has[m][topic] {
					if seen[p] != "" {
						t.Errorf("%s/%d is of %s and %s", topic, p, seen[p], m)
					}
					seen[p] = m
				}
			}
			if len(seen) != int(n) {
				t.Errorf("%d of %d partitions of %s are assigned", len(seen), n, topic)
			}
		}
		return moved
	}
	for _, step := range []struct {
		members []string
		most    int // partitions that may change hands
	}{
		{[]string{"a"}, 16}, {[]string{"a", "b"}, 8}, {[]string{"a", "b", "c"}, 6}, {[]string{"a", "b", "c"}, 0}, {[]string{"b", "c"}, 7}, {[]string{"b", "c", "d", "e"}, 8},
	} {
		if moved := settle(step.members...); moved > step.most {
			t.Errorf("%v: %d partitions changed hands, want at most %d", step.members, moved, step.most)
		}
	}
	// All of the busy topic with one member, all of the quiet one with the other: as the stock balancer leaves it.
	has = map[string]map[string][]int32{"a": {"calls": {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}, "b": {"devices": {0, 1, 2, 3}}}
	settle("a", "b")
	if t.Failed() {
		t.Log(fmt.Sprint(has))
	}
}
