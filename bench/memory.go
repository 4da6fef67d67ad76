package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sizes is what so many events take: the most memory that each role had, and what lies in the servers.
type sizes struct {
	Events                                            int
	ProcessorPeak, SnapshotterPeak, IngestPeak        int64
	RedisBytes, LogBytes, SnapshotBytes, RecordsBytes int64 // RecordsBytes: of keys and values, before compression
}

// measureMemory folds one and five million events, the same subscribers, to see what grows.
func measureMemory(ctx context.Context, b *bench) error {
	var all []*sizes
	for _, n := range []int{b.events / 2, b.events / 2 * 5} {
		s, err := b.sizes(ctx, n)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	b.memoryRows(all[0], all[1])
	return b.details("memory", all)
}

func (b *bench) sizes(ctx context.Context, n int) (*sizes, error) {
	t, err := b.servers.newSite(ctx)
	if err != nil {
		return nil, err
	}
	s := &sizes{Events: n}
	ends := make([]int64, t.partitions)
	b.say("memory: %s events", number(float64(n)))
	// Piece by piece: five million facts at once would be gigabytes in this process.
	for from, piece := 0, b.events/2; from < n; from += piece {
		c, err := newCorpus(newReporter(piece, b.subscribers, from/piece*weeks), piece, t.partitions)
		if err != nil {
			return nil, err
		}
		if err := c.produce(ctx, t); err != nil {
			return nil, err
		}
		for p, end := range c.ends() {
			ends[p] += end
		}
		s.RecordsBytes += c.bytes
	}
	if err := b.servers.empty(ctx); err != nil {
		return nil, err
	}
	before := b.servers.redisState(ctx).memory
	folded, err := b.catchupOnce(ctx, t, ends, spec{})
	if err != nil {
		return nil, err
	}
	s.ProcessorPeak, s.RedisBytes = folded.PeakBytes, b.servers.redisState(ctx).memory-before
	if s.SnapshotterPeak, err = b.snapshotOf(ctx, t, ends); err != nil {
		return nil, err
	}
	s.LogBytes, s.SnapshotBytes = t.logBytes(ctx, t.topic()), t.logBytes(ctx, t.prefix+"snapshots")
	taken, err := b.inbox(ctx, n)
	if err != nil {
		return nil, err
	}
	s.IngestPeak = taken.PeakBytes
	return s, nil
}

// snapshotOf makes snapshots of a whole log, and is the most memory that it took.
func (b *bench) snapshotOf(ctx context.Context, t *site, ends []int64) (int64, error) {
	p, err := t.start(ctx, spec{Role: "snapshotter", Ends: ends}, "SWITCHBOARD_SNAPSHOT_EVERY="+snapshotEvery(int(sum(ends))))
	if err != nil {
		return 0, err
	}
	defer p.kill()
	if _, err := p.await(ctx, "reached"); err != nil {
		return 0, err
	}
	n, err := p.end(ctx)
	return n.PeakBytes, err
}

// logBytes is what the first broker keeps of a topic on its disk; 0 when it does not say.
func (t *site) logBytes(ctx context.Context, topic string) (n int64) {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.brokers...))
	if err != nil {
		return 0
	}
	defer client.Close()
	req := kmsg.NewPtrDescribeLogDirsRequest()
	of := kmsg.NewDescribeLogDirsRequestTopic()
	of.Topic = topic
	for p := range int32(12) {
		of.Partitions = append(of.Partitions, p)
	}
	req.Topics = append(req.Topics, of)
	answer, err := req.RequestWith(ctx, client)
	if err != nil {
		return 0
	}
	for _, dir := range answer.Dirs {
		for _, topic := range dir.Topics {
			for _, p := range topic.Partitions {
				n += p.Size
			}
		}
	}
	return n
}

func (b *bench) memoryRows(few, many *sizes) {
	grew := fmt.Sprintf("%s events; the limit is at %s", number(float64(many.Events)), number(float64(few.Events)))
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	for _, role := range []struct {
		name      string
		few, many int64
	}{{"processor", few.ProcessorPeak, many.ProcessorPeak}, {"snapshotter", few.SnapshotterPeak, many.SnapshotterPeak}, {"ingest", few.IngestPeak, many.IngestPeak}} {
		b.add(faster("peak memory of "+role.name, mib(role.many), "MiB", mib(role.few), 0.8, grew))
	}
	for _, s := range []*sizes{few, many} {
		n, subscribers := float64(s.Events), float64(b.subscribers)
		of := fmt.Sprintf("; %s events of %s subscribers", number(n), number(subscribers))
		b.add(
			figure("Redis, bytes an event"+of, float64(s.RedisBytes)/n, "bytes", "all views, used_memory"),
			figure("Redis, bytes a subscriber"+of, float64(s.RedisBytes)/subscribers, "bytes", ""),
			figure("Kafka, bytes an event"+of, float64(s.LogBytes)/n, "bytes", fmt.Sprintf("one copy, lz4; %.0f before", float64(s.RecordsBytes)/n)),
			figure("snapshots, bytes an event"+of, float64(s.SnapshotBytes)/n, "bytes", "all that were made, older ones included"),
		)
	}
}
