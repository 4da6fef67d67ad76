package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/event"
	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

// logStart is where a partition of a topic begins.
func (s *site) logStart(topic string, p int32) int64 {
	s.Helper()
	starts, err := s.Admin.ListStartOffsets(s.Context(), topic)
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
	s := folded(t, backend.Real(t), local.Options{Settings: map[string][]string{"calls.reports": append([]string{"retention: 2s"}, quick...), "dead-letters": {"retention: 2s"}}})
	before := s.Serving(0)
	s.Halt()
	ends := s.Ends()
	for p := range int32(partitions) {
		s.Until("the log is empty", func() bool { return s.logStart(s.Reports, p) == ends[p] })
	}
	s.Start()
	s.Until("both partitions are live", func() bool {
		for p := range int32(partitions) {
			if s.Lane(p).Next != ends[p] {
				return false
			}
		}
		return true
	})
	s.Append(100)
	s.CaughtUp()
	s.Exact()
	if s.Serving(0) != before {
		t.Error("something was rebuilt")
	}
	s.Halt()
}

// TestOldTimes: reports of 1970 are not deleted with their age, since it is the broker's clock that counts. Another topic, with the producer's, shows
// that this broker would have.
//
//fault:e5 records stamped 1970 by their producer stay, where a topic with CreateTime loses them
func TestOldTimes(t *testing.T) {
	t.Parallel()
	s := newSite(t, backend.Real(t), local.Options{Settings: map[string][]string{"calls.reports": {"segment: 1s"}}})
	other := s.On.Prefix + "created"
	configs := map[string]*string{"message.timestamp.type": kadm.StringPtr("CreateTime"), "segment.ms": kadm.StringPtr("1000"), "retention.ms": kadm.StringPtr("3600000")}
	if _, err := s.Admin.CreateTopic(t.Context(), 1, 1, configs, other); err != nil {
		t.Fatal(err)
	}
	old := time.UnixMilli(1000)
	var records []*kgo.Record
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		e := local.Call(r)
		e.OccurredAt = old.UnixMilli()
		e.ID = event.IDOf(e)
		s.Facts = append(s.Facts, e)
		record := s.Record(e)
		record.Timestamp = old
		records = append(records, record, &kgo.Record{Topic: other, Value: record.Value, Timestamp: old})
	}
	s.Write(records...)
	s.Write(&kgo.Record{Topic: other, Value: []byte("of today")}) // closes the segment
	s.Until("the other topic has lost its records", func() bool { return s.logStart(other, 0) > 0 })
	for p := range int32(partitions) {
		if start := s.logStart(s.Reports, p); start != 0 {
			t.Errorf("partition %d begins at %d", p, start)
		}
	}
	s.Start()
	s.CaughtUp()
	s.Exact()
	s.Halt()
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
	s := folded(t, backend.Real(t), local.Options{Settings: map[string][]string{"calls.reports": quick}})
	s.Halt()
	s.Append(100)
	erased := s.Facts[350]
	record := s.Record(erased)
	record.Value = nil
	s.Write(record)
	s.Facts = append(s.Facts[:350:350], s.Facts[351:]...)
	r := rand.New(rand.NewPCG(9, 9))
	nudged := time.Time{}
	s.Until("the fact and its tombstone are gone", func() bool {
		if time.Since(nudged) > 500*time.Millisecond { // a broker closes a segment when the next record comes
			e := local.Call(r)
			e.Subject, nudged = erased.Envelope().Subject, time.Now()
			e.ID = event.IDOf(e)
			s.Facts = append(s.Facts, e)
			s.Write(s.Record(e))
		}
		gone := true
		s.records(record.Partition, func(r *kgo.Record) { gone = gone && string(r.Key) != string(record.Key) })
		return gone
	})
	s.Start()
	s.CaughtUp()
	s.Exact()
	if err := s.Redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.Until("folded anew", func() bool { return s.Next(0) >= 0 && s.Next(1) >= 0 })
	s.CaughtUp()
	s.Exact()
	s.Halt()
}

// TestHangingTransaction: a producer opens a transaction and is never heard of again. What comes behind it is not folded, the other partition
// goes on; when the coordinator gives the transaction up, everything else is.
//
//fault:k11 the end of what is stable stands still: the partition waits at it, the other one goes on, the metric says so, the coordinator's abort heals it
func TestHangingTransaction(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := folded(t, b, local.Options{})
		stuck := s.Facts[0].Envelope().Subject
		p := event.PartitionOf(stuck, partitions)
		hanging, err := kgo.NewClient(kgo.SeedBrokers(b.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.TransactionalID(b.Prefix+"hangs"), kgo.TransactionTimeout(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := hanging.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		e := local.Call(rand.New(rand.NewPCG(7, 7)))
		e.Subject = stuck
		e.ID = event.IDOf(e)
		if err := hanging.ProduceSync(t.Context(), s.Record(e)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		stable := s.Ends()[p]
		hanging.CloseAllowingRebalance() // without a word to the coordinator
		before := s.Next(1 - p)
		s.Append(200)
		s.Until("the other partition goes on", func() bool { return s.Next(1-p) > before })
		if s.Ends()[p] == stable && s.Next(p) > stable {
			t.Errorf("the position is %d, beyond what is stable, %d", s.Next(p), stable)
		}
		held := event.Partition{Topic: s.Reports, Number: p}
		s.Until("the metric says that records are held up", func() bool { return s.Processor.HeldUp(held) > 0 })
		if n := s.Processor.HeldUp(event.Partition{Topic: s.Reports, Number: 1 - p}); n != 0 {
			t.Errorf("%d records of the other partition are held up", n)
		}
		ended := func() bool {
			committed, all := s.Ends(), s.highEnds()
			return slices.Equal(committed, all[:])
		}
		s.Until("the transaction is given up", ended)
		s.Until("the metric says that nothing is held up", func() bool { return s.Processor.HeldUp(held) == 0 })
		s.CaughtUp()
		s.Exact()
		s.noLetters()
		s.Halt()
	})
}

// highEnds are the ends of the partitions, transactions that are open included.
func (s *site) highEnds() (list [partitions]int64) {
	s.Helper()
	ends, err := s.Admin.ListEndOffsets(s.Context(), s.Reports)
	if err != nil {
		s.Fatal(err)
	}
	for p := range list {
		end, _ := ends.Lookup(s.Reports, int32(p))
		list[p] = end.Offset
	}
	return list
}

// TestOtherTopic: a processor does not start on a topic whose settings would lose or misdate facts.
//
//fault:k12 the producer's clock, one copy too few that must have it, a policy without deletion, tombstones that go at once: each named, nothing folded
func TestOtherTopic(t *testing.T) {
	t.Parallel()
	s := newSite(t, backend.Real(t), local.Options{})
	s.Append(50)
	for key, value := range map[string]string{"message.timestamp.type": "CreateTime", "min.insync.replicas": "2", "cleanup.policy": "compact", "delete.retention.ms": "1000"} {
		was := s.settingOf(key)
		s.setting(key, value)
		s.Start()
		if err := s.Ended(); err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), s.Reports) {
			t.Errorf("%s=%s: the processor ended with %v", key, value, err)
		}
		s.setting(key, was)
	}
	if next := s.Next(0); next != -1 {
		t.Errorf("something was folded: %d", next)
	}
	s.Start()
	s.CaughtUp()
	s.Exact()
	s.Halt()
}

// settingOf is a setting of the topic of facts.
func (s *site) settingOf(key string) string {
	s.Helper()
	described, err := s.Admin.DescribeTopicConfigs(s.Context(), s.Reports)
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
	if got, err := s.Admin.AlterTopicConfigs(s.Context(), change, s.Reports); err != nil || got[0].Err != nil {
		s.Fatalf("%s=%s: %v %v", key, value, err, got)
	}
	s.Until("the setting is there", func() bool { return s.settingOf(key) == value })
}

// records reads a partition from its start to its end.
func (s *site) records(p int32, each func(*kgo.Record)) {
	s.Helper()
	from := map[string]map[int32]kgo.Offset{s.Reports: {p: kgo.NewOffset().AtStart()}}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.On.Brokers...), kgo.ConsumePartitions(from), kgo.KeepControlRecords(), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		s.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	for next, end := int64(0), s.Ends()[p]; next < end; {
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
