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

// facts writes events as records of the log: key, partition and framing as the contract has them.
type facts struct {
	topic topology.Topic
	enc   *avrowire.Encoder
}

func newFacts(t topology.Topic) (*facts, error) {
	enc, err := avrowire.NewEncoder(nil)
	if err != nil {
		return nil, fmt.Errorf("encoder of facts: %w", err)
	}
	return &facts{topic: t, enc: enc}, nil
}

func (f *facts) record(e event.Event) (kafkalog.Record, error) {
	c := e.Envelope()
	value, err := f.enc.Encode(nil, e)
	if err != nil {
		return kafkalog.Record{}, fmt.Errorf("encode %s: %w", e.Type(), err)
	}
	p := event.Partition{Topic: f.topic.Name, Number: event.PartitionOf(c.Subject, f.topic.Partitions)}
	return kafkalog.Record{Partition: p, Key: c.ID[:], Value: value}, nil
}

// closeAppender flushes what was appended, within the drain deadline.
func closeAppender(a *kafkalog.Appender, cfg *config.Config) {
	ctx, cancel := context.WithTimeout(context.Background(), max(cfg.Shutdown.DrainDeadline, time.Second))
	defer cancel()
	_ = a.Close(ctx) // whoever waits for a record has its own error
}
