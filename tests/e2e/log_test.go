package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/tests/backend"
)

// subjectIn is a number of nobody (Ofcom's range for drama) whose facts belong into a partition.
func subjectIn(partition int32, n int) event.Subject {
	for i := n * 1000; ; i++ {
		if s := event.Subject(fmt.Sprintf("+4477009%05d", i)); event.PartitionOf(s, partitions) == partition {
			return s
		}
	}
}

// factOf is a call as intake would have made it.
func factOf(subject event.Subject, n int) *event.CallReported {
	e := &event.CallReported{
		Common:      event.Common{Subject: subject, OccurredAt: 1_709_510_400_000 + int64(n)*60_000, UTCOffsetS: 3600, Source: "e2e"},
		Report:      event.Report{Counterpart: fmt.Sprintf("+4477009%05d", 90_000+n%7), Direction: event.In, Outcome: event.Answered},
		CallDetails: event.CallDetails{DurationS: int32(n % 600)},
	}
	e.ID = event.IDOf(e)
	return e
}

// poison is a record that cannot be folded, and the class of its dead letter.
type poison struct {
	name, class string
	record      *kgo.Record
}

// poisons is every kind of bad record of RELIABILITY.md 3.4 that a producer of facts can write, all meant for one partition.
func (s *site) poisons(partition int32) []poison {
	n := 0
	fresh := func() *event.CallReported { n++; return factOf(subjectIn(partition, 1), 10_000+n) }
	good := func() *kgo.Record { return s.Record(fresh()) }
	raw := func(value []byte) *kgo.Record { r := good(); r.Value = value; return r }
	changed := func(change func(value []byte) []byte) *kgo.Record {
		r := good()
		r.Value = change(bytes.Clone(r.Value))
		return r
	}
	broken := func(change func(*event.CallReported)) *kgo.Record {
		e := fresh()
		change(e)
		e.ID = event.IDOf(e)
		r := s.Record(e)
		r.Partition = partition
		return r
	}
	submitted := call("+447700900001", "+447700900002", 1)
	report, err := s.Encoder.EncodeSubmitted(nil, &submitted)
	if err != nil {
		s.Fatal(err)
	}
	noise := make([]byte, 1_000_000)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	noise[0] = 0x7f
	list := []poison{
		{"wrong magic", pipeline.ClassBadFrame, changed(func(v []byte) []byte { v[0] = 0x7f; return v })},
		{"text", pipeline.ClassBadFrame, raw([]byte(`{"subject":"+447700900001"}`))},
		{"empty", pipeline.ClassBadFrame, raw([]byte{})},
		{"one byte", pipeline.ClassBadFrame, raw([]byte{0xC3})},
		{"ends in the fingerprint", pipeline.ClassBadFrame, changed(func(v []byte) []byte { return v[:7] })},
		{"ends in the schema id", pipeline.ClassBadFrame, raw([]byte{0, 0, 0})},
		{"as large as the broker takes", pipeline.ClassBadFrame, raw(noise)},
		{"unknown fingerprint", pipeline.ClassUnknownSchema, changed(func(v []byte) []byte { v[2] ^= 0xff; return v })},
		{"unknown schema id", pipeline.ClassUnknownSchema, changed(func(v []byte) []byte { return append([]byte{0, 0, 0, 0, 99}, v[10:]...) })},
		{"no body", pipeline.ClassBadAvro, changed(func(v []byte) []byte { return v[:10] })},
		{"truncated", pipeline.ClassBadAvro, changed(func(v []byte) []byte { return v[:len(v)-1] })},
		{"trailing bytes", pipeline.ClassBadAvro, changed(func(v []byte) []byte { return append(v, 0, 0, 0) })},
		{"a length that never ends", pipeline.ClassBadAvro, changed(func(v []byte) []byte { return append(v[:26], bytes.Repeat([]byte{0xff}, 12)...) })},
		{"a report that is no fact", pipeline.ClassUnexpected, raw(report)},
		{"negative duration", pipeline.ClassInvalidField, broken(func(e *event.CallReported) { e.DurationS = -1 })},
		{"endless duration", pipeline.ClassInvalidField, broken(func(e *event.CallReported) { e.DurationS = 1 << 30 })},
		{"no direction", pipeline.ClassInvalidField, broken(func(e *event.CallReported) { e.Direction = event.DirectionUnknown })},
		{"no subject", pipeline.ClassInvalidField, broken(func(e *event.CallReported) { e.Subject = "" })},
		{"endless subject", pipeline.ClassInvalidField, broken(func(e *event.CallReported) { e.Subject = event.Subject(strings.Repeat("4", 300)) })},
		{"after the year 9999", pipeline.ClassInvalidField, broken(func(e *event.CallReported) { e.OccurredAt = 1 << 55 })},
		{"offset of a day", pipeline.ClassInvalidField, broken(func(e *event.CallReported) { e.UTCOffsetS = 86_400 })},
		{"wrong partition", pipeline.ClassWrongPartition, func() *kgo.Record {
			r := s.Record(factOf(subjectIn((partition+1)%partitions, 1), 10_999))
			r.Partition = partition
			return r
		}()},
		{"key is the subject", pipeline.ClassBadKey, func() *kgo.Record { r := good(); r.Key = []byte(subjectIn(partition, 1)); return r }()},
		{"key is the id as text", pipeline.ClassBadKey, func() *kgo.Record {
			e := fresh()
			r := s.Record(e)
			r.Key = []byte(e.ID.String())
			return r
		}()},
		{"random id", pipeline.ClassBadID, func() *kgo.Record { e := fresh(); e.ID[5]++; return s.Record(e) }()},
		{"same id, other content", pipeline.ClassBadID, func() *kgo.Record { e := fresh(); e.DurationS++; return s.Record(e) }()},
	}
	return list
}

// bomb appends a batch that compresses to nothing and decompresses to more than anybody accepts.
func (s *site) bomb(partition int32) *kgo.Record {
	s.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(s.On.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerBatchMaxBytes(80<<20), kgo.BrokerMaxWriteBytes(100<<20))
	if err != nil {
		s.Fatal(err)
	}
	defer c.Close()
	r := s.Record(factOf(subjectIn(partition, 1), 20_000))
	r.Value = make([]byte, 70<<20)
	if err := c.ProduceSync(s.Context(), r).FirstErr(); err != nil {
		s.Fatalf("produce a bomb: %v", err)
	}
	return r
}

// transactions appends good facts in transactions of which the first and the last are aborted, and gives the committed ones.
func (s *site) transactions(partition int32) []event.Event {
	s.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(s.On.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(s.On.Prefix+"tx"))
	if err != nil {
		s.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	var committed []event.Event
	for i, commit := range []bool{false, true, true, false} {
		if err := c.BeginTransaction(); err != nil {
			s.Fatal(err)
		}
		for n := range 3 {
			e := factOf(subjectIn(partition, 2), 30_000+10*i+n)
			if err := c.ProduceSync(ctx, s.Record(e)).FirstErr(); err != nil {
				s.Fatalf("produce in a transaction: %v", err)
			}
			if commit {
				committed = append(committed, e)
			}
		}
		if err := c.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
			s.Fatalf("end a transaction: %v", err)
		}
	}
	return committed
}

// TestBadRecords writes every kind of bad record straight into the facts, between good ones of the same subjects. Each gets its dead
// letter, a pointer without payload; the good ones are unharmed; folding again writes the same letters.
//
//fault:e1 every frame and body that is wrong
//fault:e2 an unknown fingerprint and an unknown schema id
//fault:e3 values that no fact has
//fault:e6 a record as large as the broker takes
//fault:e7 a batch that unpacks to 70 MiB
//fault:e8 a tombstone
//fault:e10 an id that is not that of the content
//fault:k10 transactions, the last one aborted
//fault:k16 facts in the wrong partition
func TestBadRecords(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := builtSite(t, b)
		want := map[string]string{} // key of the letter -> class
		name := map[string]string{}
		list := s.poisons(1)
		appendAll := func(list []poison) {
			for i, p := range list {
				s.Write(s.Record(factOf(subjectIn(1, 1), i)), p.record, s.Record(factOf(subjectIn(1, 3+i%3), i)), s.Record(factOf(subjectIn(2, 1), i)))
				key := fmt.Sprintf("%s/%d/%d", s.Reports, p.record.Partition, p.record.Offset)
				want[key], name[key] = p.class, p.name
			}
		}
		appendAll(list[:len(list)/2]) // met while catching up
		p := start(t, s.with("SWITCHBOARD_AVRO_SCHEMA_IDS=17:call_reported.v1", "SWITCHBOARD_OBSERVABILITY_LOG_LEVEL=debug"), "processor").ready()
		appendAll(list[len(list)/2:]) // met live
		bomb := s.bomb(1)
		want[fmt.Sprintf("%s/1/%d", s.Reports, bomb.Offset)] = pipeline.ClassTooLarge
		// What is none of ours and none the less good: Confluent's framing with an id of the table, a tombstone, transactions.
		confluent := s.Record(factOf(subjectIn(1, 1), 5_000))
		confluent.Value = append([]byte{0, 0, 0, 0, 17}, confluent.Value[10:]...)
		tombstone := s.Record(factOf(subjectIn(1, 1), 5_001))
		tombstone.Value = nil
		s.Write(confluent, tombstone)
		committed := s.transactions(3)
		s.Write(s.Record(factOf(subjectIn(1, 1), 6_000)))
		s.CaughtUp() // also of partition 3, which ends with the marker of an abort

		check := func() map[string]string {
			values := map[string]string{}
			for _, r := range s.Read(s.Letters) {
				key := string(r.Key)
				if before, twice := values[key]; twice && before != string(r.Value) {
					t.Errorf("two letters of %s differ:\n%s\n%s", key, before, r.Value)
				}
				values[key] = string(r.Value)
				var fields map[string]any
				if err := json.Unmarshal(r.Value, &fields); err != nil {
					t.Fatalf("letter %q: %v", r.Value, err)
				}
				known := []string{"class", "leader_epoch", "offset", "partition", "reason", "topic", "topic_id", "v"}
				if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, known) {
					t.Errorf("a letter has %v, want a pointer of %v", got, known)
				}
				if strings.Contains(string(r.Value), "7700900") || len(r.Headers) > 0 {
					t.Errorf("a letter holds a number, or headers: %s %v", r.Value, r.Headers)
				}
				if class := fmt.Sprint(fields["class"]); want[key] != class {
					t.Errorf("letter of %s (%s): %s, want class %q", key, name[key], r.Value, want[key])
				}
			}
			for key, class := range want {
				if values[key] == "" {
					t.Errorf("no letter of %s (%s), want %s", key, name[key], class)
				}
			}
			return values
		}
		first := check()
		if n := p.metric("switchboard_processor_dead_letters_total"); int(n) != len(want) {
			t.Errorf("%v dead letters counted, want %d", n, len(want))
		}
		if n := p.metric("switchboard_processor_tombstones"); n != 1 {
			t.Errorf("%v tombstones counted", n)
		}
		facts := len(s.compare(t, confluent))
		if facts < 3*len(list)+len(committed) {
			t.Errorf("only %d facts were good", facts)
		}
		// Redis emptied: noticed, folded again, and every letter written again is the one that is there.
		if err := s.Redis.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		s.CaughtUp()
		s.compare(t, confluent)
		if again := check(); !maps.Equal(first, again) {
			t.Errorf("a refold wrote other letters:\n%v\n%v", first, again)
		}
		p.ready()
		if strings.Contains(p.log.String(), "7700900") {
			t.Errorf("the log holds a number")
		}
	})
}

// compare is folded for a log that holds a fact in Confluent's framing.
func (s *site) compare(t *testing.T, confluent *kgo.Record) []event.Event {
	t.Helper()
	decoder, err := avrowire.NewDecoder(nil)
	if err != nil {
		t.Fatal(err)
	}
	value := append(bytes.Clone(s.Record(factOf(subjectIn(1, 1), 5_000)).Value[:10]), confluent.Value[5:]...)
	e, err := decoder.Decode(value)
	if err != nil {
		t.Fatal(err)
	}
	facts := append(s.facts(), e)
	s.Holds(facts)
	return facts
}

// TestDeadLettersUnavailable: a record that nobody could be told of is not passed. Its partition waits, the others go on, and
// everything heals by itself.
//
//fault:e11 the partition waits and says so, the others go on, it heals
func TestDeadLettersUnavailable(t *testing.T) {
	t.Parallel()
	b, broker := faulty(t)
	s := builtSite(t, b)
	for _, c := range []struct {
		name  string
		fault kfake.Fault
	}{
		{"no replicas", noReplicas(s.Letters)},
		{"not allowed", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.Letters, Err: kerr.TopicAuthorizationFailed, Count: -1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, s.with("SWITCHBOARD_SHUTDOWN_DRAIN_DEADLINE=2s"), "processor").ready()
			s.CaughtUp()
			bad := s.Record(factOf(subjectIn(0, 1), 1))
			bad.Value = []byte("poison")
			other := s.Record(factOf(subjectIn(1, 1), 2))
			fault := broker.Fault(c.fault)
			s.Write(s.Record(factOf(subjectIn(0, 1), 2)), bad, s.Record(factOf(subjectIn(0, 1), 3)), other)
			p.says("the partition waits")
			eventually(t, "not ready", func() string {
				if status, reasons := p.readiness(); status != http.StatusServiceUnavailable || !strings.Contains(reasons["processor/lanes"], "dead letters") {
					return fmt.Sprint(status, reasons)
				}
				return ""
			})
			eventually(t, "the others go on", func() string {
				if s.Next(1) <= other.Offset {
					return fmt.Sprint(s.Next(1))
				}
				return ""
			})
			if next := s.Next(0); next > bad.Offset {
				t.Errorf("the position is %d, beyond %d", next, bad.Offset)
			}
			if n := len(s.deadLetters()[fmt.Sprintf("%s/0/%d", s.Reports, bad.Offset)]); n != 0 {
				t.Errorf("%d letters", n)
			}
			fault.Remove()
			s.folded()
			p.ready()
			if n := len(s.deadLetters()[fmt.Sprintf("%s/0/%d", s.Reports, bad.Offset)]); n == 0 {
				t.Error("no letter")
			}
		})
	}
}
