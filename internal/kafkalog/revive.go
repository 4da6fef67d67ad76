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
			end, ok := ends.Lookup(p.id.Topic, p.id.Number)
			if !ok || end.Err != nil {
				continue
			}
			if at, stuck := p.stuck(end.Offset, c.o.StandStill); stuck {
				c.log.Warn("nothing came of a partition though its log goes on; seeking again", "partition", p.id.String(), "at", at, "end", end.Offset)
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

// maxPatience bounds how long a fetch may take before it counts as lost.
const maxPatience = 5 * time.Minute

// stuck notes that the log goes on to end, and tells whether that has been so for so long that the fetch of it must be lost. A seek drops a fetch
// that was only slow, and everything that it has brought: the next one is given twice the time, or it might never come to its end.
func (p *Partition) stuck(end int64, long time.Duration) (at int64, stuck bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	switch {
	case p.polled >= end || p.run != p.noted || p.err != nil:
		return p.polled, false
	case p.missed.IsZero():
		p.missed = now
		return p.polled, false
	}
	if p.patience = max(p.patience, long); now.Sub(p.missed) < p.patience {
		return p.polled, false
	}
	p.again, p.missed, p.patience = true, now, min(2*p.patience, maxPatience)
	return p.polled, true
}

// came notes that something was polled. What came late may do so again.
func (p *Partition) came() {
	p.heard = time.Now()
	p.patience = 0
	if !p.missed.IsZero() {
		p.patience = min(2*p.heard.Sub(p.missed), maxPatience)
	}
	p.missed = time.Time{}
}
