package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// drip produces an event of each partition every 5 milliseconds, and sees which of them move in Redis.
type drip struct {
	positions *positions
	client    *kgo.Client
	stop      context.CancelFunc
	wait      sync.WaitGroup
}

func (t *site) drip(ctx context.Context, s *stream) (*drip, error) {
	d := &drip{}
	var err error
	if d.positions, err = t.positions(ctx); err != nil {
		return nil, err
	}
	if d.client, err = newProducer(t.brokers, time.Millisecond); err != nil {
		return nil, err
	}
	ctx, d.stop = context.WithCancel(ctx)
	d.wait.Go(func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			for range s.base {
				if s.left() > 0 {
					s.one(ctx, d.client, t.topic())
				}
			}
			<-ticker.C
		}
	})
	return d, nil
}

func (d *drip) end() {
	d.stop()
	d.wait.Wait()
	d.client.Close()
}

func (d *drip) all() []int {
	list := make([]int, len(d.positions.next))
	for p := range list {
		list[p] = p
	}
	return list
}

// watch is when each of some partitions moved first, by partition; zero: not before limit.
func (d *drip) watch(ctx context.Context, limit time.Time, partitions []int) map[int]time.Time {
	_ = d.positions.read(ctx)
	from := append([]int64(nil), d.positions.next...)
	moved := map[int]time.Time{}
	for _, p := range partitions {
		moved[p] = time.Time{}
	}
	for waiting := len(partitions); waiting > 0 && time.Now().Before(limit) && ctx.Err() == nil; {
		time.Sleep(2 * time.Millisecond)
		if d.positions.read(ctx) != nil {
			continue // Redis is asked again
		}
		for _, p := range partitions {
			if moved[p].IsZero() && d.positions.next[p] > from[p] {
				moved[p] = time.Now()
				waiting--
			}
		}
	}
	return moved
}

// until is when they have moved, all of them.
func (d *drip) until(ctx context.Context, partitions []int) ([]time.Time, error) {
	var list []time.Time
	for p, at := range d.watch(ctx, time.Now().Add(time.Minute), partitions) {
		if at.IsZero() {
			return nil, errors.Join(ctx.Err(), fmt.Errorf("partition %d did not move within a minute", p))
		}
		list = append(list, at)
	}
	return list, nil
}
