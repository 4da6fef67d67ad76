package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// corpus is facts as they stand in the log, by partition.
type corpus struct {
	parts [][]pipeline.Raw
	n     int
	bytes int64 // of keys and values
}

// firstWeek is a Monday; reports are spread over four weeks from it, in order of time.
const (
	firstWeek = 1_767_571_200_000 // 2026-01-05
	weeks     = 4
)

// reporter makes reports that look like life as far as their cost goes: three calls to two texts, two out of three with one of the five
// favourites among a subscriber's twenty contacts. No duplicates, no amendments: what they cost is not measured here.
type reporter struct {
	rand        *rand.Rand
	subscribers int
	start, step int64 // microseconds
	// uneven, if any, says for some reports who makes them and, if the number is not negative, with which contact.
	uneven func(r *reporter) (who, contact int, ok bool)
}

// newReporter spreads n reports over four weeks that begin from weeks after the first one.
func newReporter(n, subscribers, from int) *reporter {
	const week = 7 * 24 * 3600 * 1_000_000
	return &reporter{
		rand: rand.New(rand.NewPCG(uint64(n), uint64(from))), subscribers: subscribers,
		start: firstWeek*1000 + int64(from)*week, step: weeks * week / int64(n),
	}
}

func phone(n int) string { return fmt.Sprintf("+4477%08d", n) }

// submitted is the i-th report, as a client sends it.
func (r *reporter) submitted(i int) event.Submitted {
	who := r.rand.IntN(r.subscribers)
	favourite := r.rand.IntN(5)
	if r.rand.IntN(3) == 0 {
		favourite = 5 + r.rand.IntN(15)
	}
	contact := -1
	if r.uneven != nil {
		if other, c, ok := r.uneven(r); ok {
			who, contact = other, c
		}
	}
	if contact < 0 {
		contact = (who*7919 + favourite*104_729) % 99_999_999
	}
	zone := int32(3600)
	s := event.Submitted{
		Kind: "text", Subscriber: phone(who), Counterpart: phone(contact), Direction: "in",
		StartedAt: (r.start + int64(i)*r.step) / 1000, UTCOffsetS: &zone, AntennaID: fmt.Sprint(who%500*4 + r.rand.IntN(4)),
	}
	if r.rand.IntN(2) == 0 {
		s.Direction = "out"
	}
	if r.rand.IntN(5) < 3 {
		s.Kind, s.Outcome, s.DurationS = "call", "answered", int32(r.rand.IntN(600))
	}
	return s
}

// fact is the i-th report as a fact.
func (r *reporter) fact(i int) event.Event {
	s := r.submitted(i)
	c := event.Common{Subject: event.Subject(s.Subscriber), OccurredAt: s.StartedAt, UTCOffsetS: *s.UTCOffsetS, RecordedAt: s.StartedAt + 60_000, Source: "bench"}
	d, _ := event.ParseDirection(s.Direction)
	rep := event.Report{Counterpart: s.Counterpart, Direction: d, AntennaID: s.AntennaID, CounterpartRegion: "GB", CounterpartType: event.Mobile}
	var e event.Event = &event.TextReported{Common: c, Report: rep}
	if s.Kind == "call" {
		rep.Outcome = event.Answered
		e = &event.CallReported{Common: c, Report: rep, CallDetails: event.CallDetails{DurationS: s.DurationS}}
	}
	e.Envelope().ID = event.IDOf(e)
	return e
}

// newCorpus encodes n facts, in as many goroutines as there are cores.
func newCorpus(r *reporter, n int, partitions int32) (*corpus, error) {
	enc, err := avrowire.NewEncoder(nil)
	if err != nil {
		return nil, err
	}
	c := &corpus{parts: make([][]pipeline.Raw, partitions), n: n}
	const slice = 20_000
	for at := 0; at < n; at += slice {
		facts := make([]event.Event, min(slice, n-at))
		for i := range facts {
			facts[i] = r.fact(at + i)
		}
		values := make([][]byte, len(facts))
		var encoding errgroup.Group
		share := (len(facts) + runtime.NumCPU() - 1) / runtime.NumCPU()
		for from := 0; from < len(facts); from += share {
			encoding.Go(func() (err error) {
				for i := from; i < min(from+share, len(facts)) && err == nil; i++ {
					values[i], err = enc.Encode(nil, facts[i])
				}
				return err
			})
		}
		if err := encoding.Wait(); err != nil {
			return nil, err
		}
		for i, e := range facts {
			id := e.Envelope().ID
			p := event.PartitionOf(e.Envelope().Subject, partitions)
			raw := pipeline.Raw{Offset: int64(len(c.parts[p])), AppendedMs: firstWeek, Key: id[:], Value: values[i]}
			c.parts[p] = append(c.parts[p], raw)
			c.bytes += int64(len(raw.Key) + len(raw.Value))
		}
	}
	return c, nil
}

// ends is where each partition ends in a log that holds the corpus and nothing else.
func (c *corpus) ends() []int64 {
	ends := make([]int64, len(c.parts))
	for p, list := range c.parts {
		ends[p] = int64(len(list))
	}
	return ends
}

func sum(list []int64) (n int64) {
	for _, v := range list {
		n += v
	}
	return n
}

// cut parts a corpus in two, so many percent of each partition and the rest.
func (c *corpus) cut(percent int) (head, tail *corpus) {
	head, tail = &corpus{}, &corpus{}
	for _, list := range c.parts {
		n := len(list) * percent / 100
		head.parts, tail.parts = append(head.parts, list[:n]), append(tail.parts, list[n:])
		head.n, tail.n = head.n+n, tail.n+len(list)-n
	}
	return head, tail
}

// newProducer appends as the roles do.
func newProducer(brokers []string, linger time.Duration) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(linger),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.MaxBufferedRecords(100_000))
}

// produce appends a corpus to the log of a site.
func (c *corpus) produce(ctx context.Context, t *site) error {
	client, err := newProducer(t.brokers, 10*time.Millisecond)
	if err != nil {
		return err
	}
	defer client.Close()
	var mu sync.Mutex
	var failed error
	for i, more := 0, true; more; i++ {
		more = false
		for p, list := range c.parts {
			if i >= len(list) {
				continue
			}
			more = true
			client.Produce(ctx, &kgo.Record{Topic: t.topic(), Partition: int32(p), Key: list[i].Key, Value: list[i].Value}, func(_ *kgo.Record, err error) {
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			})
		}
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	return failed
}

func listEnds(ctx context.Context, client *kgo.Client, topic string, partitions int32) ([]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	for p := range partitions {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p, -1
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	ends := make([]int64, partitions)
	for _, rt := range resp.Topics {
		for _, p := range rt.Partitions {
			ends[p.Partition] = p.Offset
		}
	}
	return ends, nil
}
