package kafkalog

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// revive looks now and then for partitions that stand still although the log goes on, and has them sought again, until ctx is done.
func (c *Consumer) revive(ctx context.Context) {
	admin := kadm.NewClient(c.client)
	for {
		pause(ctx, c.o.StandStill)
		if ctx.Err() != nil {
			return
		}
		var still []*Partition
		for _, p := range c.all() {
			if p.standsStill(c.o.StandStill) {
				still = append(still, p)
			}
		}
		if len(still) == 0 {
			continue
		}
		ends, err := admin.ListCommittedOffsets(ctx, c.o.Topics...) // what an open transaction holds up is not news
		if err != nil {
			continue // the next look says more
		}
		for _, p := range still {
			if end, ok := ends.Lookup(p.id.Topic, p.id.Number); ok && end.Err == nil && p.stuck(end.Offset) {
				c.log.Warn("nothing came of a partition though its log goes on; seeking again", "partition", p.id.String(), "at", end.Offset)
				c.waker.wake()
			}
		}
	}
}

// standsStill tells whether nothing has come for so long of a partition that the client should fetch.
func (p *Partition) standsStill(long time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run > 0 && p.run == p.noted && !p.full && p.err == nil && !p.ended && time.Since(p.heard) > long
}

// stuck notes that the log goes on to end, and tells whether that is beyond what was polled.
func (p *Partition) stuck(end int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.polled >= end || p.run != p.noted || p.err != nil {
		return false
	}
	p.again, p.heard = true, time.Now()
	return true
}
