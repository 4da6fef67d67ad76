package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// stream is facts that are still to be produced, by one goroutine. Offsets follow from their order: nobody else writes to the topic.
type stream struct {
	facts *corpus
	base  []int64 // offset of the first of each partition
	sent  []int
	total int
	out   int
	turn  int
}

// newStream continues a log that holds past.
func newStream(facts, past *corpus) *stream {
	s := &stream{facts: facts, total: facts.n, sent: make([]int, len(facts.parts))}
	for _, list := range past.parts {
		s.base = append(s.base, int64(len(list)))
	}
	return s
}

func (s *stream) left() int64 { return int64(s.total - s.out) }

// ends is where each partition ends, by what was produced.
func (s *stream) ends() []int64 {
	ends := make([]int64, len(s.base))
	for p := range ends {
		ends[p] = s.base[p] + int64(s.sent[p])
	}
	return ends
}

func (s *stream) produced() (n int64) {
	for _, end := range s.ends() {
		n += end
	}
	return n
}

// topUp produces until each partition is a window ahead of what is folded.
func (s *stream) topUp(ctx context.Context, client *kgo.Client, topic string, folded []int64) {
	for p := range folded {
		for s.base[p]+int64(s.sent[p])-folded[p] < window && s.sent[p] < len(s.facts.parts[p]) {
			s.send(ctx, client, topic, p, nil)
		}
	}
}

// topUpTo produces until so many events more than were seen are on their way, whichever partitions they are in.
func (s *stream) topUpTo(ctx context.Context, client *kgo.Client, topic string, ahead, seen int64) {
	for s.produced()-seen < ahead && s.left() > 0 {
		for range min(ahead, s.left(), 500) {
			s.one(ctx, client, topic)
		}
	}
}

// one produces one fact of the next partition that has any, and says which.
func (s *stream) one(ctx context.Context, client *kgo.Client, topic string) (partition int) {
	return s.oneAcked(ctx, client, topic, nil)
}

// oneAcked is one, which calls acked when the brokers have it, one call at a time.
func (s *stream) oneAcked(ctx context.Context, client *kgo.Client, topic string, acked func(*kgo.Record, error)) (partition int) {
	for {
		s.turn = (s.turn + 1) % len(s.base)
		if s.sent[s.turn] < len(s.facts.parts[s.turn]) {
			s.send(ctx, client, topic, s.turn, acked)
			return s.turn
		}
	}
}

func (s *stream) send(ctx context.Context, client *kgo.Client, topic string, p int, acked func(*kgo.Record, error)) {
	raw := &s.facts.parts[p][s.sent[p]]
	s.sent[p]++
	s.out++
	client.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(p), Key: raw.Key, Value: raw.Value}, acked)
}
