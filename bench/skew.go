package main

import (
	"context"
	"fmt"
)

// skews are the shapes of logs that catching up should not mind, by how a reporter deals out its reports.
func skews(b *bench) []struct {
	name   string
	uneven func(*reporter) (who, contact int, ok bool)
} {
	next := 0
	return []struct {
		name   string
		uneven func(*reporter) (who, contact int, ok bool)
	}{
		{"uniform", nil},
		{"one subscriber with 30 % of all events", func(r *reporter) (int, int, bool) { return 0, -1, r.rand.IntN(10) < 3 }},
		{fmt.Sprintf("one subscriber with %s contacts", number(float64(b.events/2))), func(r *reporter) (int, int, bool) {
			if r.rand.IntN(2) == 0 {
				return 0, 0, false
			}
			next++
			return 0, next, true // never twice the same
		}},
	}
}

// measureSkew catches up with logs of the same size, one even and the others not.
func measureSkew(ctx context.Context, b *bench) error {
	all := map[string][]catchupRound{}
	uniform := 0.0
	for _, skew := range skews(b) {
		t, err := b.servers.newSite(ctx)
		if err != nil {
			return err
		}
		r := newReporter(b.events, b.subscribers, 0)
		r.uneven = skew.uneven
		c, err := b.fill(ctx, t, r)
		if err != nil {
			return err
		}
		ends := c.ends()
		c = nil
		for range b.rounds + 1 {
			round, err := b.catchupOnce(ctx, t, ends, spec{})
			if err != nil {
				return err
			}
			all[skew.name] = append(all[skew.name], round)
		}
		all[skew.name] = all[skew.name][1:] // the first one warms the broker's files
		seconds := float64(b.events) / median(all[skew.name], func(r *catchupRound) float64 { return r.Ours })
		b.say("skew: %s: %.2f s", skew.name, seconds)
		if skew.uneven == nil {
			uniform = seconds
			b.add(figure("skew: "+skew.name, seconds, "s", fmt.Sprintf("%s events of %s subscribers, from the first claim", number(float64(b.events)), number(float64(b.subscribers)))))
			continue
		}
		b.add(faster("skew: "+skew.name, seconds, "s", uniform, 1/1.3, "within 1.3 times the even one; its partition is one lane"))
	}
	return b.details("skew", all)
}
