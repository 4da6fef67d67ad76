package local

import (
	"fmt"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/event"
	"switchboard/tests/site"
)

// Call is a random call of a few subscribers; hardly any comes twice.
func Call(r *rand.Rand) *event.CallReported {
	e := &event.CallReported{
		Common:      event.Common{Subject: event.Subject(fmt.Sprint("s", r.IntN(20))), OccurredAt: 1_700_000_000_000 + r.Int64N(30*86400)*1000},
		Report:      event.Report{Counterpart: fmt.Sprint("c", r.IntN(9)), Direction: event.Direction(1 + r.IntN(2)), Outcome: event.Answered},
		CallDetails: event.CallDetails{DurationS: int32(r.IntN(300))},
	}
	e.ID = event.IDOf(e)
	return e
}

// Append adds n new calls.
func (s *Site) Append(n int) {
	s.Helper()
	r := rand.New(rand.NewPCG(s.made, 5))
	s.made += uint64(n)
	list := make([]event.Event, n)
	for i := range list {
		list[i] = Call(r)
	}
	s.Add(list...)
}

// Add appends facts to the log, and to Facts.
func (s *Site) Add(list ...event.Event) {
	s.Helper()
	s.Facts = append(s.Facts, list...)
	var records []*kgo.Record
	for _, e := range list {
		records = append(records, s.Record(e))
	}
	s.Write(records...)
}

// Record is a fact as it stands in the log.
func (s *Site) Record(e event.Event) *kgo.Record {
	s.Helper()
	value, err := s.Encoder.Encode(nil, e)
	if err != nil {
		s.Fatal(err)
	}
	p, id := s.PlaceOf(e), e.Envelope().ID
	return &kgo.Record{Topic: p.Topic, Partition: p.Number, Key: id[:], Value: value}
}

// Write appends records, which then know their offsets.
func (s *Site) Write(records ...*kgo.Record) {
	s.Helper()
	if err := s.Kafka.ProduceSync(s.Context(), records...).FirstErr(); err != nil {
		s.Fatalf("write: %v", err)
	}
}

// Read is what stands in a topic, as site.Read has it.
func (s *Site) Read(topic string) []*kgo.Record {
	s.Helper()
	return site.Read(s, s.Admin, s.On.Brokers, topic)
}

// PlaceOf is the partition that a fact belongs to.
func (s *Site) PlaceOf(e event.Event) event.Partition {
	topic := s.Reports
	if e.About() == event.Devices {
		topic = s.Devices
	}
	return event.Partition{Topic: topic, Number: event.PartitionOf(e.Envelope().Subject, s.counts[topic])}
}

// Partition is one of the facts about subscribers.
func (s *Site) Partition(n int32) event.Partition {
	return event.Partition{Topic: s.Reports, Number: n}
}

// Ends are the ends of the partitions of facts about subscribers.
func (s *Site) Ends() []int64 {
	s.Helper()
	return s.EndsOf(s.Reports)
}

// EndsOf are the ends of a topic's partitions, behind what is committed: those of transactions that are open are where these began.
func (s *Site) EndsOf(topic string) []int64 {
	s.Helper()
	list, err := s.ends(topic)
	if err != nil {
		s.Fatal(err)
	}
	return list
}

func (s *Site) ends(topic string) ([]int64, error) {
	ends, err := s.Admin.ListCommittedOffsets(s.Context(), topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", topic, err)
	}
	list := make([]int64, len(ends[topic]))
	ends.Each(func(o kadm.ListedOffset) { list[o.Partition] = o.Offset })
	return list, nil
}
