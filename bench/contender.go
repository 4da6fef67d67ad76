package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// contender is a program that folds the facts into cards in Redis: ours in some shape, or a peer.
type contender struct {
	name  string
	cards string // what stands before card:<subscriber>; of ours it depends on the partition
	start func(ctx context.Context, t *site, ends []int64) (*child, error)
	begun string // the news with which it begins to take events
	// seen is how many events what lies in Redis reflects.
	seen func(ctx context.Context, t *site) (int64, error)
}

// contest is what came of one.
type contest struct {
	StartMs           float64 // from the start of the process to the first write that can be seen
	CatchUp           float64 // events a second, from taking the first event until all can be seen
	SecondHalf        float64 // the same over the second half of them, when all that warms up is warm
	Live              float64
	CPU               float64 // us an event, of its process, while live
	PeakBytes         int64
	cards             map[string]map[string]string
	CardsDiffer       int
	RedisCPU, OwnCPU  float64 // cores, while live
	CatchUpSecondsAll float64 // from the start of the process
}

// ahead is how many events of a partition may be on their way while live: fewer than would count as catching up, and
// enough for a peer that writes 20 times a second.
const ahead = 4000

// compete lets a contender catch up with a log of its own, and then follow its head as fast as it can.
func (b *bench) compete(ctx context.Context, c *contender, past, future *corpus, sample []string) (r contest, err error) {
	t, err := b.servers.newSite(ctx)
	if err != nil {
		return r, err
	}
	if err := past.produce(ctx, t); err != nil {
		return r, err
	}
	if err := b.servers.empty(ctx); err != nil {
		return r, err
	}
	p, err := c.start(ctx, t, past.ends())
	if err != nil {
		return r, err
	}
	defer p.kill()
	if err := c.catchUp(ctx, t, p, int64(past.n), &r); err != nil {
		return r, fmt.Errorf("%s: %w", c.name, err)
	}
	if r.cards, err = c.read(ctx, t, sample); err != nil {
		return r, err
	}
	if err := b.follow(ctx, c, t, p, newStream(future, past), &r); err != nil {
		return r, fmt.Errorf("%s: %w", c.name, err)
	}
	r.PeakBytes = p.process().peakBytes()
	_, err = p.end(ctx)
	return r, err
}

func (c *contender) catchUp(ctx context.Context, t *site, p *child, n int64, r *contest) error {
	begun, err := p.await(ctx, c.begun)
	if err != nil {
		return err
	}
	var first, half time.Time
	var atHalf int64
	for limit := time.Now().Add(10 * time.Minute); ; time.Sleep(2 * time.Millisecond) {
		seen, err := c.seen(ctx, t)
		now := time.Now()
		switch {
		case err != nil:
			return err
		case now.After(limit):
			return fmt.Errorf("%d of %d events can be seen after 10 minutes", seen, n)
		}
		if seen > 0 && first.IsZero() {
			first = now
		}
		if seen >= n/2 && half.IsZero() {
			half, atHalf = now, seen
		}
		if seen >= n {
			r.StartMs = float64(first.Sub(p.began).Microseconds()) / 1000
			r.CatchUp = float64(n) / now.Sub(begun.At).Seconds()
			if n > atHalf {
				r.SecondHalf = float64(n-atHalf) / now.Sub(half).Seconds()
			}
			r.CatchUpSecondsAll = now.Sub(p.began).Seconds()
			return nil
		}
	}
}

// follow produces as fast as what can be seen follows.
func (b *bench) follow(ctx context.Context, c *contender, t *site, p *child, s *stream, r *contest) error {
	client, err := newProducer(t.brokers, time.Millisecond)
	if err != nil {
		return err
	}
	defer client.Close()
	until := time.Now().Add(2*b.warmUp() + b.seconds)
	var from time.Time
	var began int64
	var redis redisState
	var own time.Duration
	for {
		seen, err := c.seen(ctx, t)
		if err != nil {
			return err
		}
		now := time.Now()
		if from.IsZero() && until.Sub(now) < b.seconds {
			from, began, redis, own = now, seen, b.servers.redisState(ctx), p.process().cpu()
		}
		if now.After(until) || s.left() == 0 {
			if from.IsZero() {
				return errors.New("the events were used up before the measurement began")
			}
			took := now.Sub(from).Seconds()
			r.Live = float64(seen-began) / took
			r.RedisCPU, r.OwnCPU = b.servers.redisState(ctx).since(redis).cpu.Seconds()/took, (p.process().cpu()-own).Seconds()/took
			r.CPU = r.OwnCPU / r.Live * 1e6
			return client.Flush(ctx)
		}
		s.topUpTo(ctx, client, t.topic(), int64(ahead*len(s.base)), seen)
		time.Sleep(time.Millisecond)
	}
}

// read is the cards of some subscribers, but for what tells of offsets.
func (c *contender) read(ctx context.Context, t *site, sample []string) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	for _, id := range sample {
		prefix := c.cards
		if prefix == "" {
			var err error
			if prefix, err = t.keyPrefix(ctx, id); err != nil {
				return nil, err
			}
		}
		card, err := t.redis.HGetAll(ctx, prefix+"card:"+id).Result()
		if err != nil {
			return nil, err
		}
		maps.DeleteFunc(card, func(field, _ string) bool {
			return field == "@" || field == "contacts" || field[0] == 'w' && field[1] == ':'
		})
		all[id] = card
	}
	return all, nil
}

// differ counts the cards that are not the same.
func differ(a, b map[string]map[string]string) (n int) {
	for id, card := range a {
		if len(card) == 0 || !maps.Equal(card, b[id]) {
			n++
		}
	}
	return n
}

// ours is our processor, with what more its environment says.
func ours(name string, environ ...string) *contender {
	var known *positions
	return &contender{
		name: name, begun: "claimed",
		start: func(ctx context.Context, t *site, ends []int64) (*child, error) {
			return t.start(ctx, spec{Role: "processor", Ends: ends}, environ...)
		},
		seen: func(ctx context.Context, t *site) (int64, error) {
			if known == nil {
				p, err := t.positions(ctx)
				if err != nil {
					return 0, ctx.Err() // not every partition is served yet
				}
				known = p
			}
			if err := known.read(ctx); err != nil {
				return 0, err
			}
			return known.sum(), nil
		},
	}
}

// peer is a program of bench/peers.
func peer(name string, command []string, environ func(t *site) []string) *contender {
	const prefix = "peer:"
	return &contender{
		name: name, begun: "consuming", cards: prefix,
		start: func(ctx context.Context, t *site, _ []int64) (*child, error) {
			return startPeer(ctx, command, environ(t))
		},
		seen: func(ctx context.Context, t *site) (n int64, err error) {
			counts, err := t.redis.HVals(ctx, prefix+"events").Result()
			for _, text := range counts {
				v, _ := strconv.ParseInt(text, 10, 64)
				n += v
			}
			return n, err
		},
	}
}
