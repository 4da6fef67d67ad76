package app

import (
	"context"
	"fmt"
	"time"

	"switchboard/config"
	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/kafkalog"
	"switchboard/topology"
)

// facts writes events as records of the log: topic, key, partition and framing as the contract has them.
type facts struct {
	topics map[event.SubjectKind]topology.Topic
	enc    *avrowire.Encoder
}

func newFacts(t topology.Topology) (*facts, error) {
	enc, err := avrowire.NewEncoder(nil)
	if err != nil {
		return nil, fmt.Errorf("encoder of facts: %w", err)
	}
	f := &facts{topics: map[event.SubjectKind]topology.Topic{}, enc: enc}
	for _, about := range []event.SubjectKind{event.Subscribers, event.Devices} {
		if f.topics[about], err = factsTopic(t, about); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// topicIDs are the identities of the topics, for tokens.
func (f *facts) topicIDs(ctx context.Context, o kafkalog.Options) (map[event.SubjectKind]event.TopicID, error) {
	ids := make(map[event.SubjectKind]event.TopicID, len(f.topics))
	for about, topic := range f.topics {
		id, err := topicID(ctx, o, topic.Name)
		if err != nil {
			return nil, err
		}
		ids[about] = id
	}
	return ids, nil
}

func (f *facts) record(e event.Event) (kafkalog.Record, error) {
	c := e.Envelope()
	value, err := f.enc.Encode(nil, e)
	if err != nil {
		return kafkalog.Record{}, fmt.Errorf("encode %s: %w", e.Type(), err)
	}
	topic := f.topics[e.About()]
	p := event.Partition{Topic: topic.Name, Number: event.PartitionOf(c.Subject, topic.Partitions)}
	return kafkalog.Record{Partition: p, Key: c.ID[:], Value: value}, nil
}

// closeAppender flushes what was appended, within the drain deadline.
func closeAppender(a *kafkalog.Appender, cfg *config.Config) {
	ctx, cancel := context.WithTimeout(context.Background(), max(cfg.Shutdown.DrainDeadline, time.Second))
	defer cancel()
	_ = a.Close(ctx) // whoever waits for a record has its own error
}
