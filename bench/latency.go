package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// latency produces at half of the maximum, every millisecond what is due by the clock, and reads all positions all the time: an event is
// visible at the first reading that finds `next` beyond its offset. Its time begins when it was due, so that a producer that is late makes
// the figure worse and not better. What comes first is not measured: for half a minute a broker compiles anew what it does to small batches,
// with half of one of two cores.
func (l *live) latency(ctx context.Context) error {
	rate := l.details.EventsPerSecond / 2
	l.say("live: latency at %s events/s", number(rate))
	seen := watchPositions(ctx, l.positions)
	p := &paced{live: l, rate: rate, due: make([][]time.Time, len(l.positions.next)), first: slices.Clone(l.positions.next)}
	err := p.produce(ctx, 3*l.seconds, l.stream.left()*3/4)
	p.from = time.Now()
	before := l.usage(ctx)
	err = errors.Join(err, p.produce(ctx, l.seconds, l.stream.left()))
	took := time.Since(p.from)
	l.details.LatencyCPU = l.usage(ctx).since(before).cores(took.Seconds())
	err = errors.Join(err, l.await(ctx))
	time.Sleep(5 * time.Millisecond) // one more reading
	readings, failed := seen()
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	visible, acked := p.visible(readings), p.acknowledged()
	if len(visible) == 0 || len(acked) == 0 {
		return fmt.Errorf("no latency was measured")
	}
	l.details.LatencyEventsPerSecond = float64(len(visible)) / took.Seconds()
	l.details.LatencyMs, l.details.AckedMs = map[string]float64{}, map[string]float64{}
	for _, q := range []float64{50, 90, 99, 99.9} {
		l.details.LatencyMs[fmt.Sprint("p", q)], l.details.AckedMs[fmt.Sprint("p", q)] = quantile(visible, q), quantile(acked, q)
	}
	l.details.LatencyMs["max"] = visible[len(visible)-1]
	return nil
}

// paced produces by the clock.
type paced struct {
	*live
	rate  float64
	due   [][]time.Time // of each partition, from first on
	first []int64       // offsets
	from  time.Time     // what was due earlier is not measured
	acks  []ack
}

type ack struct{ due, at time.Time }

// produce produces for a time, but not more than most.
func (p *paced) produce(ctx context.Context, d time.Duration, most int64) error {
	n := min(int64(p.rate*d.Seconds())+1, most)
	began := time.Now()
	for sent := int64(0); sent < n; {
		for wanted := min(n, int64(p.rate*time.Since(began).Seconds())); sent < wanted; sent++ {
			due := began.Add(time.Duration(float64(sent) / p.rate * float64(time.Second)))
			at := p.stream.oneAcked(ctx, p.client, p.site.topic(), func(*kgo.Record, error) { p.acks = append(p.acks, ack{due, time.Now()}) })
			p.due[at] = append(p.due[at], due)
		}
		time.Sleep(time.Millisecond)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// visible is what it took until events could be seen, milliseconds, ascending.
func (p *paced) visible(readings []reading) (all []float64) {
	for n, due := range p.due {
		i := 0
		for _, r := range readings {
			for ; i < len(due) && p.first[n]+int64(i) < r.next[n]; i++ {
				if !due[i].Before(p.from) {
					all = append(all, milliseconds(r.at.Sub(due[i])))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// acknowledged is what it took until the brokers had them. The producer must be flushed.
func (p *paced) acknowledged() (all []float64) {
	for _, a := range p.acks {
		if !a.due.Before(p.from) {
			all = append(all, milliseconds(a.at.Sub(a.due)))
		}
	}
	slices.Sort(all)
	return all
}

// reading is one look at all positions.
type reading struct {
	at   time.Time
	next []int64
}

// watchPositions reads them all the time, until the function that it returns is called.
func watchPositions(ctx context.Context, of *positions) (stop func() ([]reading, error)) {
	p := *of
	p.next = slices.Clone(of.next)
	var done atomic.Bool
	var wg sync.WaitGroup
	var list []reading
	var failed error
	wg.Go(func() {
		for !done.Load() {
			if failed = p.read(ctx); failed != nil {
				return
			}
			list = append(list, reading{time.Now(), slices.Clone(p.next)})
			time.Sleep(time.Millisecond) // five times as often, the reading took a fifth of the machine
		}
	})
	return func() ([]reading, error) {
		done.Store(true)
		wg.Wait()
		return list, failed
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// quantile of a sorted list, in percent.
func quantile(sorted []float64, percent float64) float64 {
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*percent/100))]
}
