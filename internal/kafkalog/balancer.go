package kafkalog

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// balancer is franz-go's cooperative-sticky balancer, applied to each topic by itself. The stock one evens out the sum over all
// topics: with two topics and two members it may leave one member all of the busy topic and the other all of the quiet one.
// Members say and are told what the protocol cooperative-sticky has them say, so that only the leader's plan differs.
type balancer struct{ kgo.GroupBalancer }

func newBalancer() kgo.GroupBalancer { return balancer{kgo.CooperativeStickyBalancer()} }

// MemberBalancer reads what the members say.
func (b balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	whole, topics, err := b.GroupBalancer.MemberBalancer(members)
	if err != nil {
		return nil, nil, err
	}
	parsed, ok := whole.(*kgo.ConsumerBalancer)
	if !ok {
		return nil, nil, fmt.Errorf("balance a group: %T is no balancer of consumers", whole)
	}
	return &topicBalancer{sticky: b.GroupBalancer, members: parsed}, topics, nil
}

type topicBalancer struct {
	sticky  kgo.GroupBalancer
	members *kgo.ConsumerBalancer
}

// Balance is never called: BalanceOrError is.
func (*topicBalancer) Balance(map[string]int32) kgo.IntoSyncAssignment { panic("unreachable") }

// BalanceOrError makes a plan for each topic, as if there were no other, and puts them together.
func (b *topicBalancer) BalanceOrError(topics map[string]int32) (kgo.IntoSyncAssignment, error) {
	plan := b.members.NewPlan()
	for topic, partitions := range topics { // order-free: topics do not share partitions
		single, _, err := b.sticky.MemberBalancer(b.only(topic))
		if err != nil {
			return nil, err
		}
		into, err := single.(kgo.GroupMemberBalancerOrError).BalanceOrError(map[string]int32{topic: partitions})
		if err != nil {
			return nil, err
		}
		of, ok := into.(*kgo.BalancePlan)
		if !ok {
			return nil, fmt.Errorf("balance topic %s: %T is no plan", topic, into)
		}
		for i := range b.members.Members() {
			m, _ := b.members.MemberAt(i)
			if list := of.AsMemberIDMap()[m.MemberID][topic]; len(list) > 0 {
				plan.AddPartitions(m, topic, list)
			}
		}
	}
	return plan, nil
}

// only is the members that want a topic, each with what it says about that topic.
func (b *topicBalancer) only(topic string) []kmsg.JoinGroupResponseMember {
	var list []kmsg.JoinGroupResponseMember
	b.members.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		if !slices.Contains(meta.Topics, topic) {
			return
		}
		said := *meta
		said.Topics = []string{topic}
		said.OwnedPartitions = slices.DeleteFunc(slices.Clone(meta.OwnedPartitions), func(o kmsg.ConsumerMemberMetadataOwnedPartition) bool { return o.Topic != topic })
		said.UserData = nil // the same once more, for members that cannot say what they own
		member := *m
		member.ProtocolMetadata = said.AppendTo(nil)
		list = append(list, member)
	})
	return list
}
