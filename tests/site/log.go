package site

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/view"
	"switchboard/tests/reference"
)

// Log is the facts that stand in Kafka, in the order of their partitions, each as often as it stands there.
type Log map[event.Partition][]event.Event

// ReadLog reads both topics of facts by a client of its own, which knows nothing of internal/kafkalog. What cannot be folded fails the test: no
// producer here sends any.
func (s *Site) ReadLog() Log {
	s.Helper()
	decoder, err := avrowire.NewDecoder(nil)
	if err != nil {
		s.Fatal(err)
	}
	log := Log{}
	for topic, partitions := range s.Topics.Partitions {
		for p := range partitions {
			log[event.Partition{Topic: topic, Number: p}] = nil
		}
		for _, r := range Read(s, s.Admin, s.Direct, topic) {
			e, err := decoder.Decode(r.Value)
			if err == nil {
				err = event.Validate(e)
			}
			if err != nil || event.IDOf(e) != e.Envelope().ID || string(r.Key) != string(e.Envelope().ID[:]) || event.PartitionOf(e.Envelope().Subject, partitions) != r.Partition {
				s.Errorf("%s/%d@%d is no fact: %v", r.Topic, r.Partition, r.Offset, err)
				continue
			}
			p := event.Partition{Topic: topic, Number: r.Partition}
			log[p] = append(log[p], e)
		}
	}
	return log
}

// Read reads a topic from its start to where it ends now, partition by partition, without control records and without what was aborted.
func Read(t testing.TB, admin *kadm.Client, brokers []string, topic string) []*kgo.Record {
	t.Helper()
	ends, err := admin.ListEndOffsets(t.Context(), topic)
	if err != nil || ends.Error() != nil {
		t.Fatalf("ends of %s: %v, %v", topic, err, ends.Error())
	}
	at, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			at[o.Partition], left[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	if len(at) == 0 {
		return nil
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: at}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var records []*kgo.Record
	for len(left) > 0 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		fetches := c.PollFetches(ctx)
		cancel()
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s: %v, %v left", topic, err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= left[r.Partition]-1 {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
		})
	}
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return int(a.Partition - b.Partition) })
	return records
}

// Records are how many there are, and how many different facts.
func (l Log) Records() (records, facts int) {
	seen := map[event.ID]bool{}
	for _, list := range l {
		records += len(list)
		for _, e := range list {
			seen[e.Envelope().ID] = true
		}
	}
	return records, len(seen)
}

// once is the log without what stands in it again.
func (l Log) once() Log {
	out := Log{}
	seen := map[event.ID]bool{}
	for p, list := range l {
		out[p] = nil
		for _, e := range list {
			if id := e.Envelope().ID; !seen[id] {
				seen[id] = true
				out[p] = append(out[p], e)
			}
		}
	}
	return out
}

// hash is the canonical hash of the fold of each partition, by the pure packages alone.
func (l Log) hash() (map[string]string, error) {
	out := map[string]string{}
	for p, list := range l {
		names := view.Names()
		if strings.HasSuffix(p.Topic, "devices.lifecycle") {
			names = view.DeviceNames()
		}
		set, err := view.NewSet(names)
		if err != nil {
			return nil, err
		}
		hash, err := reference.Hash(set, list)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		out[p.String()] = hash.String()
	}
	return out, nil
}

// Hash is the answer of `switchboard verify hash`.
type Hash struct {
	Hash       string
	Records    int64
	Comparable bool
	Partitions []struct {
		Partition, Hash string
		Next            int64
	}
}

// Hash asks the command line.
func (s *Site) Hash(ctx context.Context) (h Hash, err error) {
	out, err := s.Try(ctx, "verify", "hash", "--format", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &h)
	}
	return h, err
}

// Holds compares read models and log with what was sent: every acknowledged fact is in the log, nothing else is, and the read models are the
// fold of the log, in which each fact counts once.
func (s *Site) Holds(l *Ledger, log Log) {
	s.Helper()
	inLog := map[event.ID]bool{}
	for _, list := range log {
		for _, e := range list {
			inLog[e.Envelope().ID] = true
		}
	}
	l.mu.Lock()
	lost, invented := 0, 0
	for id, acknowledged := range l.sent {
		if acknowledged && !inLog[id] {
			if lost++; lost < 5 {
				s.Errorf("%s was acknowledged and is not in the log", id)
			}
		}
	}
	for id := range inLog {
		if _, sent := l.sent[id]; !sent {
			if invented++; invented < 5 {
				s.Errorf("%s is in the log, and nobody sent it", id)
			}
		}
	}
	l.mu.Unlock()
	if lost+invented > 0 {
		s.Errorf("%d acknowledged facts are lost, %d were invented", lost, invented)
	}
	got, err := s.Hash(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	for what, list := range map[string]Log{"the fold of the log": log, "the fold of the log without repetitions": log.once()} {
		want, err := list.hash()
		if err != nil {
			s.Fatal(err)
		}
		if len(got.Partitions) != len(want) {
			s.Errorf("the hash is of %d partitions, there are %d", len(got.Partitions), len(want))
		}
		for _, p := range got.Partitions {
			if p.Hash != want[p.Partition] {
				s.Errorf("%s: the read models at %d have the hash %s, %s has %s", p.Partition, p.Next, p.Hash, what, want[p.Partition])
			}
		}
	}
}
