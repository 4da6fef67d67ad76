package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/event"
	"switchboard/tests/backend"
)

// logStart is where a partition of a topic begins.
func (s *site) logStart(topic string, p int32) int64 {
	s.Helper()
	starts, err := s.admin.ListStartOffsets(s.Context(), topic)
	if err != nil {
		s.Fatal(err)
	}
	start, _ := starts.Lookup(topic, p)
	return start.Offset
}

// TestRetention lets a broker delete everything that was folded while nothing comes in, and the processor is not there.
//
//fault:k7 an idle log that retention has emptied: no gap, the read models stay and go on
func TestRetention(t *testing.T) {
	t.Parallel()
	s := folded(t, backend.Real(t), options{facts: append([]string{"retention: 2s"}, quick...), letters: []string{"retention: 2s"}})
	before := s.serving(0)
	s.halt()
	ends := s.ends()
	for p := range int32(partitions) {
		s.until("the log is empty", func() bool { return s.logStart(s.topic, p) == ends[p] })
	}
	s.start()
	s.until("both partitions are live", func() bool {
		for p := range int32(partitions) {
			if s.lane(p).Next != ends[p] {
				return false
			}
		}
		return true
	})
	s.append(100)
	s.caughtUp()
	s.exact()
	if s.serving(0) != before {
		t.Error("something was rebuilt")
	}
	s.halt()
}

// TestOldTimes: reports of 1970 are not deleted with their age, since it is the broker's clock that counts. Another topic, with the producer's, shows
// that this broker would have.
//
//fault:e5 records stamped 1970 by their producer stay, where a topic with CreateTime loses them
func TestOldTimes(t *testing.T) {
	t.Parallel()
	s := newSite(t, backend.Real(t), options{facts: []string{"segment: 1s"}})
	other := s.b.Prefix + "created"
	configs := map[string]*string{"message.timestamp.type": kadm.StringPtr("CreateTime"), "segment.ms": kadm.StringPtr("1000"), "retention.ms": kadm.StringPtr("3600000")}
	if _, err := s.admin.CreateTopic(t.Context(), 1, 1, configs, other); err != nil {
		t.Fatal(err)
	}
	old := time.UnixMilli(1000)
	var records []*kgo.Record
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		e := s.call(r)
		e.OccurredAt = old.UnixMilli()
		e.ID = event.IDOf(e)
		s.facts = append(s.facts, e)
		record := s.record(e)
		record.Timestamp = old
		records = append(records, record, &kgo.Record{Topic: other, Value: record.Value, Timestamp: old})
	}
	s.write(records...)
	s.write(&kgo.Record{Topic: other, Value: []byte("of today")}) // closes the segment
	s.until("the other topic has lost its records", func() bool { return s.logStart(other, 0) > 0 })
	for p := range int32(partitions) {
		if start := s.logStart(s.topic, p); start != 0 {
			t.Errorf("partition %d begins at %d", p, start)
		}
	}
	s.start()
	s.caughtUp()
	s.exact()
	s.halt()
}

// quick is a topic that a broker of tests compacts within seconds.
var quick = []string{"segment: 1s", "min_compaction_lag: 1ms", "max_compaction_lag: 1s", "delete_retention: 1s", `settings: {min.cleanable.dirty.ratio: "0.001"}`}

// TestTombstone erases a fact, lets the broker compact the fact away and then its tombstone, and folds what is left: with the processor that saw both,
// with one that was away meanwhile, and from the start.
//
//fault:k8 a processor that was away while facts in front of it were compacted away: the fold of what is left
//fault:k9 the tombstone itself is gone: a rebuild from the start does not know the fact
func TestTombstone(t *testing.T) {
	t.Parallel()
	s := folded(t, backend.Real(t), options{facts: quick})
	s.halt()
	s.append(100)
	erased := s.facts[350]
	record := s.record(erased)
	record.Value = nil
	s.write(record)
	s.facts = append(s.facts[:350:350], s.facts[351:]...)
	r := rand.New(rand.NewPCG(9, 9))
	nudged := time.Time{}
	s.until("the fact and its tombstone are gone", func() bool {
		if time.Since(nudged) > 500*time.Millisecond { // a broker closes a segment when the next record comes
			e := s.call(r)
			e.Subject, nudged = erased.Envelope().Subject, time.Now()
			e.ID = event.IDOf(e)
			s.facts = append(s.facts, e)
			s.produce([]event.Event{e})
		}
		gone := true
		s.records(record.Partition, func(r *kgo.Record) { gone = gone && string(r.Key) != string(record.Key) })
		return gone
	})
	s.start()
	s.caughtUp()
	s.exact()
	if err := s.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.until("folded anew", func() bool { return s.next(0) >= 0 && s.next(1) >= 0 })
	s.caughtUp()
	s.exact()
	s.halt()
}

// TestHangingTransaction: a producer opens a transaction and is never heard of again. What comes behind it is not folded, the other partition
// goes on; when the coordinator gives the transaction up, everything else is.
//
//fault:k11 the end of what is stable stands still: the partition waits at it, the other one goes on, the metric says so, the coordinator's abort heals it
func TestHangingTransaction(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := folded(t, b, options{})
		stuck := s.facts[0].Envelope().Subject
		p := event.PartitionOf(stuck, partitions)
		hanging, err := kgo.NewClient(kgo.SeedBrokers(b.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.TransactionalID(b.Prefix+"hangs"), kgo.TransactionTimeout(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := hanging.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		e := s.call(rand.New(rand.NewPCG(7, 7)))
		e.Subject = stuck
		e.ID = event.IDOf(e)
		if err := hanging.ProduceSync(t.Context(), s.record(e)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		stable := s.ends()[p]
		hanging.CloseAllowingRebalance() // without a word to the coordinator
		before := s.next(1 - p)
		s.append(200)
		s.until("the other partition goes on", func() bool { return s.next(1-p) > before })
		if s.ends()[p] == stable && s.next(p) > stable {
			t.Errorf("the position is %d, beyond what is stable, %d", s.next(p), stable)
		}
		held := event.Partition{Topic: s.topic, Number: p}
		s.until("the metric says that records are held up", func() bool { return s.proc.HeldUp(held) > 0 })
		if n := s.proc.HeldUp(event.Partition{Topic: s.topic, Number: 1 - p}); n != 0 {
			t.Errorf("%d records of the other partition are held up", n)
		}
		ended := func() bool {
			committed, all := s.ends(), s.highEnds()
			return committed == all
		}
		s.until("the transaction is given up", ended)
		s.until("the metric says that nothing is held up", func() bool { return s.proc.HeldUp(held) == 0 })
		s.caughtUp()
		s.exact()
		s.noLetters()
		s.halt()
	})
}

// highEnds are the ends of the partitions, transactions that are open included.
func (s *site) highEnds() (list [partitions]int64) {
	s.Helper()
	ends, err := s.admin.ListEndOffsets(s.Context(), s.topic)
	if err != nil {
		s.Fatal(err)
	}
	for p := range list {
		end, _ := ends.Lookup(s.topic, int32(p))
		list[p] = end.Offset
	}
	return list
}

// TestOtherTopic: a processor does not start on a topic whose settings would lose or misdate facts.
//
//fault:k12 the producer's clock, one copy too few that must have it, a policy without deletion, tombstones that go at once: each named, nothing folded
func TestOtherTopic(t *testing.T) {
	t.Parallel()
	s := newSite(t, backend.Real(t), options{})
	s.append(50)
	for key, value := range map[string]string{"message.timestamp.type": "CreateTime", "min.insync.replicas": "2", "cleanup.policy": "compact", "delete.retention.ms": "1000"} {
		was := s.settingOf(key)
		s.setting(key, value)
		s.start()
		if err := s.ended(); err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), s.topic) {
			t.Errorf("%s=%s: the processor ended with %v", key, value, err)
		}
		s.setting(key, was)
	}
	if next := s.next(0); next != -1 {
		t.Errorf("something was folded: %d", next)
	}
	s.start()
	s.caughtUp()
	s.exact()
	s.halt()
}

// settingOf is a setting of the topic of facts.
func (s *site) settingOf(key string) string {
	s.Helper()
	described, err := s.admin.DescribeTopicConfigs(s.Context(), s.topic)
	if err != nil {
		s.Fatal(err)
	}
	for _, c := range described[0].Configs {
		if c.Key == key {
			return c.MaybeValue()
		}
	}
	return ""
}

func (s *site) setting(key, value string) {
	s.Helper()
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}
	if got, err := s.admin.AlterTopicConfigs(s.Context(), change, s.topic); err != nil || got[0].Err != nil {
		s.Fatalf("%s=%s: %v %v", key, value, err, got)
	}
	s.until("the setting is there", func() bool { return s.settingOf(key) == value })
}

// records reads a partition from its start to its end.
func (s *site) records(p int32, each func(*kgo.Record)) {
	s.Helper()
	from := map[string]map[int32]kgo.Offset{s.topic: {p: kgo.NewOffset().AtStart()}}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.b.Brokers...), kgo.ConsumePartitions(from), kgo.KeepControlRecords(), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		s.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	for next, end := int64(0), s.ends()[p]; next < end; {
		fetched := client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			s.Fatal(fmt.Errorf("read partition %d: %w", p, err))
		}
		fetched.EachRecord(func(r *kgo.Record) {
			if next = r.Offset + 1; !r.Attrs.IsControl() {
				each(r)
			}
		})
	}
}
