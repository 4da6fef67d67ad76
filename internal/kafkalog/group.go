package kafkalog

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/event"
)

// The callbacks of the group, in the order in which a partition meets them. None runs beside another; assigned and
// released exclude the poller too (BlockRebalanceOnPoll).

// assigned makes partitions known, and paused: nothing is fetched before their lanes have sought.
// It is called at every start of a session, also when nothing is added.
func (c *Consumer) assigned(_ context.Context, client *kgo.Client, added map[string][]int32) {
	if len(added) > 0 {
		client.PauseFetchPartitions(added)
		c.count.rebalances.Add(1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = nil
	c.sessions++
	for _, p := range c.partitions {
		if p.lost {
			c.renew(p)
		}
	}
	for topic, numbers := range added {
		for _, n := range numbers {
			id := event.Partition{Topic: topic, Number: n}
			p := newPartition(c, id)
			if old := c.partitions[id]; old != nil { // given to us twice: franz-go says that this cannot be
				old.cancel()
				p.after = old.done
			}
			c.partitions[id] = p
		}
	}
}

// offsetsFetched notes what the group has of new partitions.
func (c *Consumer) offsetsFetched(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	for _, group := range resp.Groups {
		for _, topic := range group.Topics {
			for _, part := range topic.Partitions {
				p := c.partition(topic.Topic, part.Partition)
				if p == nil || p.fetched {
					continue
				}
				if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
					c.log.Error("the group's offset cannot be read; the partition is not consumed", "partition", p.id.String(), "group", c.o.Group, "error", err)
					continue
				}
				p.fetched = true
				p.assignment.GroupOffset = max(part.Offset, -1)
				if part.Metadata != nil && part.Offset >= 0 {
					p.assignment.Metadata = *part.Metadata
				}
			}
		}
	}
	return nil
}

// begin parks every new partition at an offset that is never fetched, since it is paused, and starts its lane.
func (c *Consumer) begin(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	for topic, numbers := range offsets {
		for n := range numbers {
			numbers[n] = kgo.NewOffset().At(0)
			p := c.partition(topic, n)
			if p == nil {
				continue
			}
			if !p.fetched {
				return nil, fmt.Errorf("the answer about the offset of group %s at %s was not understood", c.o.Group, p.id)
			}
			c.start(p)
		}
	}
	return offsets, nil
}

func (c *Consumer) start(p *Partition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping || p.started {
		return
	}
	p.started = true
	go func() {
		defer close(p.done)
		if p.after != nil {
			<-p.after
		}
		c.lane(p.ctx, p)
		p.end()
	}()
}

// lost notes that a lease check of p, begun in a session, says that we are no member. franz-go then joins again at once and, if the
// partition is still ours in the new session, calls it neither lost nor assigned: its lane has ended, and nobody
// would start another.
func (c *Consumer) lost(p *Partition, session int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.lost = true
	if c.sessions > session {
		c.renew(p)
	}
}

// renew replaces a partition by a new one of the same name, whose lane starts when the old one's has returned and
// the group has told its offset. Consumer.mu is held.
func (c *Consumer) renew(old *Partition) {
	if c.stopping || c.partitions[old.id] != old {
		return
	}
	p := newPartition(c, old.id)
	p.started, p.paused, p.after = true, false, old.done // paused is what the poller makes it
	c.partitions[p.id] = p
	old.cancel()
	go func() {
		defer close(p.done)
		<-p.after
		if c.askAssignment(p) {
			c.lane(p.ctx, p)
		}
		p.end()
	}()
}

// askAssignment asks the group for the offset of p until it knows, or p is released (false).
func (c *Consumer) askAssignment(p *Partition) bool {
	admin := kadm.NewClient(c.client)
	for try := 1; ; try++ {
		offsets, err := admin.FetchOffsetsForTopics(p.ctx, c.o.Group, p.id.Topic)
		if err == nil {
			if o, ok := offsets.Lookup(p.id.Topic, p.id.Number); ok && o.At >= 0 {
				p.assignment.GroupOffset, p.assignment.Metadata, err = o.At, o.Metadata, o.Err
			}
		}
		if err == nil {
			return true
		}
		if c.quiet.ok("assignment") {
			c.log.Warn("the group's offset cannot be read; trying again", "partition", p.id.String(), "group", c.o.Group, "error", err)
		}
		if backOff(p.ctx, min(try, 20)) != nil {
			return false
		}
	}
}

// released is both revoked and lost: in either case the lanes end before the group goes on.
func (c *Consumer) released(_ context.Context, client *kgo.Client, gone map[string][]int32) {
	var list []*Partition
	for topic, numbers := range gone {
		for _, n := range numbers {
			if p := c.partition(topic, n); p != nil {
				list = append(list, p)
			}
		}
	}
	if len(list) == 0 {
		return
	}
	c.count.rebalances.Add(1)
	c.endLanes(list)
	c.forget(list)
	client.ResumeFetchPartitions(gone)
}

// endLanes ends the lanes of partitions and waits for them. It may be called again.
func (c *Consumer) endLanes(list []*Partition) {
	var wait sync.WaitGroup
	for _, p := range list {
		p.cancel()
		c.mu.Lock()
		started := p.started
		p.started = true // not from now on
		c.mu.Unlock()
		if started {
			wait.Go(func() { <-p.done })
		} else {
			close(p.done)
		}
	}
	wait.Wait()
}

func (c *Consumer) forget(list []*Partition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range list {
		if c.partitions[p.id] == p {
			delete(c.partitions, p.id)
		}
	}
}
