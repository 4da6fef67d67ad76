package kafkalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// letter is the value of a dead letter: JSON, so that any tool shows it as it is. It says nothing about the time
// (the broker stamps) and nothing about who found it, so that a refold writes the same bytes again.
type letter struct {
	Version     int    `json:"v"`
	Topic       string `json:"topic"`
	Partition   int32  `json:"partition"`
	Offset      int64  `json:"offset"`
	LeaderEpoch int32  `json:"leader_epoch"` // -1: not known
	TopicID     string `json:"topic_id"`     // 22 characters of base64url; it tells a topic from one of the same name made later
	Class       string `json:"class"`
	Reason      string `json:"reason"` // for people; no personal data
}

// EncodeDeadLetter is the key and the value of a dead letter in the log: topic/partition/offset, and JSON.
func EncodeDeadLetter(d pipeline.DeadLetter) (key, value []byte) {
	value, err := json.Marshal(letter{
		Version: 1, Topic: d.Partition.Topic, Partition: d.Partition.Number, Offset: d.Offset, LeaderEpoch: d.LeaderEpoch,
		TopicID: d.TopicID.String(), Class: d.Class, Reason: d.Reason,
	})
	if err != nil {
		panic(err) // strings and numbers
	}
	return []byte(d.Partition.String() + "/" + strconv.FormatInt(d.Offset, 10)), value
}

// DecodeDeadLetter reads the value of a dead letter. Fields that it does not know are those of a later version.
func DecodeDeadLetter(value []byte) (pipeline.DeadLetter, error) {
	var l letter
	if err := json.Unmarshal(value, &l); err != nil {
		return pipeline.DeadLetter{}, fmt.Errorf("decode dead letter: %w", err)
	}
	if l.Version < 1 || l.Topic == "" {
		return pipeline.DeadLetter{}, errors.New("decode dead letter: not one of ours")
	}
	id, err := event.ParseTopicID(l.TopicID)
	if err != nil {
		return pipeline.DeadLetter{}, fmt.Errorf("decode dead letter: topic_id: %w", err)
	}
	return pipeline.DeadLetter{
		Partition: event.Partition{Topic: l.Topic, Number: l.Partition}, TopicID: id, Offset: l.Offset, LeaderEpoch: l.LeaderEpoch, Class: l.Class, Reason: l.Reason,
	}, nil
}

// DeadLetters appends to topic, each letter to the partition that Kafka's default partitioner takes for its key.
func DeadLetters(a *Appender, topic string) pipeline.DeadLetters {
	return func(ctx context.Context, letters []pipeline.DeadLetter) error {
		if len(letters) == 0 {
			return nil
		}
		partitions, err := a.Partitions(ctx, topic)
		if err != nil {
			return fmt.Errorf("append %d dead letters: %w", len(letters), err)
		}
		records := make([]Record, len(letters))
		for i, d := range letters {
			key, value := EncodeDeadLetter(d)
			number := event.PartitionOf(event.Subject(key), partitions) // the same hash
			records[i] = Record{Partition: event.Partition{Topic: topic, Number: number}, Key: key, Value: value}
		}
		for _, result := range a.Append(ctx, records) {
			err = errors.Join(err, result.Err)
		}
		if err != nil {
			return fmt.Errorf("append %d dead letters to %s: %w", len(letters), topic, err)
		}
		return nil
	}
}
