package kafkalog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

func TestConsumerReadsEverything(t *testing.T) {
	onEach(t, 3, func(b *bench) {
		noLeaks(b.t)
		b.fill(b.appender(), 2000)
		var mu sync.Mutex
		got := make(map[event.Partition][]pipeline.Raw)
		var done atomic.Int32
		_, stop := b.member(nil, func(ctx context.Context, p *Partition) {
			a := p.Assignment()
			if a.GroupOffset != -1 || a.Metadata != "" {
				b.t.Errorf("assignment of a new group: %+v", a)
			}
			p.SeekTo(0, -1)
			err := takeAll(ctx, p, 2000, func(records []pipeline.Raw) {
				mu.Lock()
				defer mu.Unlock()
				got[a.Partition] = append(got[a.Partition], records...)
			})
			if err != nil {
				b.t.Error(err)
			}
			done.Add(1)
			<-ctx.Done()
		})
		b.until("everything", func() bool { return done.Load() == 3 })
		stop()
		for p, records := range got {
			if len(records) != 2000 {
				b.t.Errorf("%s: %d records", p, len(records))
			}
			for i, r := range records {
				if r.Offset != int64(i) || string(r.Key) != "k" || binary.BigEndian.Uint64(r.Value) != uint64(i) || r.AppendedMs == 0 {
					b.t.Fatalf("%s: record %d is %+v", p, i, r)
				}
			}
		}
	})
}

// TestSeekDiscards: the first record after SeekTo(x) is x, and no record is missing or comes twice until the next seek.
//
//fault:p8 what was polled before a seek is not folded
func TestSeekDiscards(t *testing.T) {
	onEach(t, 2, func(b *bench) {
		noLeaks(b.t)
		const count = 5000
		b.fill(b.appender(), count)
		seed := rand.Uint64()
		b.t.Logf("seed %d", seed)
		var done atomic.Int32
		small := func(o *ConsumerOptions) { o.QueueRecords, o.FetchMaxBytes = 700, 64<<10 }
		_, stop := b.member(small, func(ctx context.Context, p *Partition) {
			defer done.Add(1)
			random := rand.New(rand.NewPCG(seed, uint64(p.id.Number)))
			for range 25 {
				from := random.Int64N(count)
				if random.IntN(4) == 0 {
					from = p.taken // where the client believes to be already
				}
				if from >= count {
					from = 0
				}
				p.SeekTo(from, int32(random.IntN(2)-1))
				next := from
				for want := random.Int64N(2000); next-from < want && next < count; {
					records, n, err := p.Take(ctx, 1+random.IntN(800), 10*time.Second)
					if err != nil {
						b.t.Errorf("seed %d: take at %d: %v", seed, next, err)
						return
					}
					for _, r := range records {
						if r.Offset != next {
							b.t.Errorf("seed %d: after SeekTo(%d): offset %d, want %d", seed, from, r.Offset, next)
							return
						}
						next++
					}
					if n != next {
						b.t.Errorf("seed %d: next is %d, want %d", seed, n, next)
					}
				}
			}
		})
		b.until("all seeks", func() bool { return done.Load() == 2 })
		stop()
	})
}

//fault:p24 a lane that takes nothing pauses its partition: memory is bounded
//fault:e12 a partition that stands still does not hold up the others
func TestSlowLanePauses(t *testing.T) {
	onEach(t, 2, func(b *bench) {
		noLeaks(b.t)
		const count = 20_000
		b.fill(b.appender(), count)
		full := make(chan struct{})
		var done atomic.Int32
		small := func(o *ConsumerOptions) { o.QueueRecords, o.FetchMaxBytes = 1000, 64<<10 }
		c, stop := b.member(small, func(ctx context.Context, p *Partition) {
			p.SeekTo(0, -1)
			if p.id.Number == 0 {
				select { // takes nothing while the other partition is read to its end
				case <-full:
				case <-ctx.Done():
				}
			}
			next := int64(0)
			err := takeAll(ctx, p, count, func(records []pipeline.Raw) {
				for _, r := range records {
					if r.Offset != next {
						b.t.Fatalf("offset %d, want %d", r.Offset, next)
					}
					next++
				}
			})
			if err != nil {
				b.t.Error(err)
			}
			if p.id.Number == 1 {
				slow := p.consumer.partition(b.topic, 0)
				state := func() (n int, full bool) {
					slow.mu.Lock()
					defer slow.mu.Unlock()
					return len(slow.queue), slow.full
				}
				b.until("the slow lane is full", func() bool { _, full := state(); return full })
				if n, _ := state(); n < 1000 || n > 12_000 {
					b.t.Errorf("the slow lane has %d records waiting", n)
				}
				close(full)
			}
			done.Add(1)
		})
		b.until("both", func() bool { return done.Load() == 2 })
		if q := c.Stats().QueuedBytes; q != 0 {
			b.t.Errorf("%d bytes are queued at the end", q)
		}
		stop()
	})
}

// TestRebalanceStorm: members come and go; at no time do two lanes have one partition, and a successor begins only when its predecessor
// has returned.
//
//fault:p7 members come and go; never two lanes of one partition
func TestRebalanceStorm(t *testing.T) {
	onEach(t, 6, func(b *bench) {
		noLeaks(b.t)
		a := b.appender()
		b.fill(a, 300)
		var held [6]atomic.Int32
		var lanes, taken atomic.Int64
		lane := func(ctx context.Context, p *Partition) {
			lanes.Add(1)
			n := p.id.Number
			if held[n].Add(1) != 1 {
				b.t.Errorf("two lanes have %s", p.id)
			}
			defer held[n].Add(-1)
			p.SeekTo(0, -1)
			for ctx.Err() == nil {
				records, next, err := p.Take(ctx, 50, 100*time.Millisecond)
				if err != nil {
					if !errors.Is(err, pipeline.ErrReleased) {
						b.t.Errorf("%s: %v", p.id, err)
					}
					time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // the chunk in flight
					return
				}
				taken.Add(int64(len(records)))
				p.Report(next, fmt.Sprintf("%s@%d", p.id, next))
			}
		}
		all := func() (n int32) {
			for i := range held {
				n += held[i].Load()
			}
			return n
		}
		_, first := b.member(nil, lane)
		b.until("all partitions have a lane", func() bool { return all() == 6 })
		_, second := b.member(nil, lane)
		_, third := b.member(nil, lane)
		b.until("partitions have moved", func() bool { return all() == 6 && lanes.Load() >= 10 })
		first()
		b.until("all partitions have a lane again", func() bool { return all() == 6 })
		second()
		b.until("the last one has all", func() bool { return all() == 6 })
		third()
		if all() != 0 {
			b.t.Errorf("%d lanes are left", all())
		}
		if taken.Load() < 1800 {
			b.t.Errorf("%d records taken, want at least 1800", taken.Load())
		}
	})
}

//fault:p8 a revoke waits for the lane
func TestRevokeWaitsForLane(t *testing.T) {
	onEach(t, 1, func(b *bench) {
		noLeaks(b.t)
		let, ended := make(chan struct{}), make(chan struct{})
		var began, second atomic.Bool
		_, stop := b.member(nil, func(ctx context.Context, p *Partition) {
			began.Store(true)
			<-ctx.Done()
			if _, _, err := p.Take(b.ctx, 1, time.Hour); !errors.Is(err, pipeline.ErrReleased) {
				b.t.Errorf("Take after release: %v", err)
			}
			if lease := p.Check(b.ctx, 0, ""); lease != pipeline.LeaseLost {
				b.t.Errorf("Check after release: %v", lease)
			}
			<-let
			if second.Load() {
				b.t.Error("the partition was given away while its lane ran")
			}
			close(ended)
		})
		b.until("the first lane", began.Load)
		_, stop2 := b.member(nil, func(ctx context.Context, p *Partition) {
			second.Store(true)
			<-ctx.Done()
		})
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		select {
		case <-stopped:
			b.t.Error("Run returned before its lane")
		case <-time.After(200 * time.Millisecond): // nothing to wait for: nothing must happen
		}
		close(let)
		<-ended
		<-stopped
		b.until("the second lane", second.Load)
		stop2()
	})
}

func TestLaneThatEndsLeavesPartitionPaused(t *testing.T) {
	b := onFake(t, 2)
	noLeaks(t)
	b.fill(b.appender(), 100)
	var other atomic.Int64
	c, stop := b.member(nil, func(ctx context.Context, p *Partition) {
		p.SeekTo(0, -1)
		if p.id.Number == 0 {
			return
		}
		if err := takeAll(ctx, p, 100, func(r []pipeline.Raw) { other.Add(int64(len(r))) }); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
	})
	b.until("the other partition", func() bool { return other.Load() == 100 })
	b.until("the pause", func() bool {
		paused := c.client.PauseFetchPartitions(nil)
		return len(paused[b.topic]) == 1 && paused[b.topic][0] == 0
	})
	if n := len(c.Assigned()); n != 2 {
		t.Errorf("%d partitions are assigned", n)
	}
	stop()
}
