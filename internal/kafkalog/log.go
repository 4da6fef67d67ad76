package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// Log answers questions about partitions, and reads them without a group. It is for any number of goroutines.
type Log struct {
	o      Options
	client *kgo.Client
}

var _ pipeline.Log = (*Log)(nil)

// NewLog is a Log; it connects when it is first asked.
func NewLog(o Options) (*Log, error) {
	client, err := o.client(kgo.MaxDecompressBatchBytes(maxDecompressed))
	if err != nil {
		return nil, err
	}
	return &Log{o: o, client: client}, nil
}

// Close ends the connections.
func (l *Log) Close() { l.client.Close() }

// Reach is nil if a broker answers within ctx.
func (l *Log) Reach(ctx context.Context) error { return l.o.reach(ctx, l.client) }

// What ListOffsets takes for a time.
const (
	earliest = -2
	latest   = -1
)

// The isolation levels on the wire. Consumers have the second.
const (
	readUncommitted = 0
	readCommitted   = 1
)

// attempts is how often a partition is asked for whose leader has just moved.
const attempts = 5

// Observe asks the brokers anew: a metadata request of its own, then the partition's leader. End is the last stable
// offset: nothing behind it is handed to a consumer. A topic or partition that is not there is *MissingTopic.
func (l *Log) Observe(ctx context.Context, p event.Partition, leaderEpoch int32) (pipeline.LogState, error) {
	var state pipeline.LogState
	err := l.atLeader(ctx, p, func(at leader) (err error) {
		state, err = l.observe(ctx, p, leaderEpoch, at)
		return err
	})
	return state, err
}

// leader is who leads a partition, and what the same answer said about its topic.
type leader struct {
	broker    *kgo.Broker
	epoch     int32
	clusterID string
	topic     *kmsg.MetadataResponseTopic
}

// atLeader finds the leader of a partition and calls f, again if that turns out not to be the leader.
func (l *Log) atLeader(ctx context.Context, p event.Partition, f func(leader) error) error {
	for try := 1; ; try++ {
		at, err := l.leader(ctx, p)
		if err == nil {
			err = f(at)
		}
		if err == nil || try == attempts || !kerr.IsRetriable(err) || errors.Is(err, kerr.UnknownTopicOrPartition) {
			return err
		}
		if err := backOff(ctx, try); err != nil {
			return err
		}
	}
}

func (l *Log) leader(ctx context.Context, p event.Partition) (leader, error) {
	resp, err := metadata(ctx, l.client, p.Topic)
	if err != nil {
		return leader{}, err
	}
	at := leader{topic: &resp.Topics[0]}
	if resp.ClusterID != nil {
		at.clusterID = *resp.ClusterID
	}
	if err := topicError(p.Topic, at.topic.ErrorCode); err != nil {
		return leader{}, err
	}
	for _, part := range at.topic.Partitions {
		if part.Partition != p.Number {
			continue
		}
		if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
			return leader{}, fmt.Errorf("partition %s: %w", p, err)
		}
		at.broker, at.epoch = l.client.Broker(int(part.Leader)), part.LeaderEpoch
		return at, nil
	}
	return leader{}, fmt.Errorf("partition %s does not exist: topic %s has %d", p, p.Topic, len(at.topic.Partitions))
}

func (l *Log) observe(ctx context.Context, p event.Partition, leaderEpoch int32, at leader) (pipeline.LogState, error) {
	state := pipeline.LogState{ClusterID: at.clusterID, TopicID: event.TopicID(at.topic.TopicID), Partitions: int32(len(at.topic.Partitions))}
	var err error
	if state.Start, err = listOffset(ctx, at, p, earliest); err != nil {
		return state, err
	}
	if state.End, err = listOffset(ctx, at, p, latest); err != nil {
		return state, err
	}
	state.EpochEnd = state.End
	if leaderEpoch >= 0 {
		state.EpochEnd, err = epochEnd(ctx, at, p, leaderEpoch)
	}
	return state, err
}

func listOffset(ctx context.Context, at leader, p event.Partition, when int64) (int64, error) {
	resp, err := at.broker.RetriableRequest(ctx, listRequest(when, p))
	if err != nil {
		return 0, fmt.Errorf("ask for the offsets of %s: %w", p, err)
	}
	topics := resp.(*kmsg.ListOffsetsResponse).Topics
	if len(topics) != 1 || len(topics[0].Partitions) != 1 {
		return 0, fmt.Errorf("ask for the offsets of %s: no answer", p)
	}
	part := &topics[0].Partitions[0]
	if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
		return 0, fmt.Errorf("ask for the offsets of %s: %w", p, err)
	}
	return part.Offset, nil
}

func listRequest(when int64, partitions ...event.Partition) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, readCommitted
	index := make(map[string]int)
	for _, p := range partitions {
		i, ok := index[p.Topic]
		if !ok {
			i = len(req.Topics)
			index[p.Topic] = i
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = p.Topic
			req.Topics = append(req.Topics, t)
		}
		part := kmsg.NewListOffsetsRequestTopicPartition()
		part.Partition, part.Timestamp = p.Number, when
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, part)
	}
	return req
}

// epochEnd is where a leader epoch ends, -1 if the broker does not know it. If it knows only an older one, it is where that ends: what
// was read of the asked epoch is not in the log.
func epochEnd(ctx context.Context, at leader, p event.Partition, epoch int32) (int64, error) {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.ReplicaID = -1
	t := kmsg.NewOffsetForLeaderEpochRequestTopic()
	t.Topic = p.Topic
	part := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	part.Partition, part.LeaderEpoch, part.CurrentLeaderEpoch = p.Number, epoch, at.epoch
	t.Partitions = append(t.Partitions, part)
	req.Topics = append(req.Topics, t)
	resp, err := at.broker.RetriableRequest(ctx, req)
	if err != nil {
		return 0, fmt.Errorf("ask for the end of epoch %d of %s: %w", epoch, p, err)
	}
	topics := resp.(*kmsg.OffsetForLeaderEpochResponse).Topics
	if len(topics) != 1 || len(topics[0].Partitions) != 1 {
		return 0, fmt.Errorf("ask for the end of epoch %d of %s: no answer", epoch, p)
	}
	answer := &topics[0].Partitions[0]
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		return 0, fmt.Errorf("ask for the end of epoch %d of %s: %w", epoch, p, err)
	}
	return answer.EndOffset, nil
}

// HighWatermarks is the end of every partition of topics, as far as a consumer can read now. A topic that is not there
// is *MissingTopic. It costs a metadata request and one to each broker.
func (l *Log) HighWatermarks(ctx context.Context, topics ...string) (map[event.Partition]int64, error) {
	resp, err := metadata(ctx, l.client, topics...)
	if err != nil {
		return nil, err
	}
	var partitions []event.Partition
	for _, topic := range resp.Topics {
		if err := topicError(*topic.Topic, topic.ErrorCode); err != nil {
			return nil, err
		}
		for _, part := range topic.Partitions {
			partitions = append(partitions, event.Partition{Topic: *topic.Topic, Number: part.Partition})
		}
	}
	return l.ends(ctx, listRequest(latest, partitions...), partitions)
}

// Unstable is how many offsets at the end of each partition no consumer can read yet, because a transaction before them is open: a producer's that goes
// on, or one that hangs. stable are the ends as HighWatermarks has them.
func (l *Log) Unstable(ctx context.Context, stable map[event.Partition]int64) (map[event.Partition]int64, error) {
	partitions := slices.Collect(maps.Keys(stable))
	req := listRequest(latest, partitions...)
	req.IsolationLevel = readUncommitted
	ends, err := l.ends(ctx, req, partitions)
	for p, end := range ends {
		ends[p] = max(0, end-stable[p])
	}
	return ends, err
}

func (l *Log) ends(ctx context.Context, req *kmsg.ListOffsetsRequest, partitions []event.Partition) (map[event.Partition]int64, error) {
	resp, err := req.RequestWith(ctx, l.client)
	if err != nil {
		return nil, fmt.Errorf("ask for the ends of partitions: %w", err)
	}
	ends := make(map[event.Partition]int64, len(partitions))
	for _, topic := range resp.Topics {
		for _, part := range topic.Partitions {
			p := event.Partition{Topic: topic.Topic, Number: part.Partition}
			if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
				return nil, fmt.Errorf("ask for the end of %s: %w", p, err)
			}
			ends[p] = part.Offset
		}
	}
	for _, p := range partitions {
		if _, ok := ends[p]; !ok {
			return nil, fmt.Errorf("ask for the end of %s: no answer", p)
		}
	}
	return ends, nil
}
