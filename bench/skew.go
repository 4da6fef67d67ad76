package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// skew is a shape of a log, by how a reporter deals out its reports.
type skew struct {
	name   string
	even   bool // what the uneven ones behind it are held against
	uneven func(*reporter) (who, contact int, ok bool)
}

// skews are those that catching up should not mind. Contacts that nobody had before are more to store, whoever has them: a million of them
// in one hand are held against a million that are spread.
func skews(b *bench) []skew {
	contacts := func(who func(*reporter) int) func(r *reporter) (int, int, bool) {
		next := 0
		return func(r *reporter) (int, int, bool) {
			if r.rand.IntN(2) == 0 {
				return 0, 0, false
			}
			next++
			return who(r), next, true // never twice the same
		}
	}
	many := number(float64(b.events / 2))
	return []skew{
		{"uniform", true, nil},
		{"one subscriber with 30 % of all events", false, func(r *reporter) (int, int, bool) { return 0, -1, r.rand.IntN(10) < 3 }},
		{"uniform, " + many + " contacts more", true, contacts(func(r *reporter) int { return r.rand.IntN(b.subscribers) })},
		{"one subscriber with " + many + " contacts", false, contacts(func(*reporter) int { return 0 })},
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
			s := spec{}
			if b.profile != "" { // of the last one
				s.Profile = filepath.Join(b.profile, "skew")
			}
			round, err := b.catchupOnce(ctx, t, ends, s)
			if err != nil {
				return err
			}
			all[skew.name] = append(all[skew.name], round)
		}
		all[skew.name] = all[skew.name][1:] // the first one warms the broker's files
		seconds := float64(b.events) / median(all[skew.name], func(r *catchupRound) float64 { return r.Ours })
		b.say("skew: %s: %.2f s", skew.name, seconds)
		if skew.even {
			uniform = seconds
			b.add(figure("skew: "+skew.name, seconds, "s", fmt.Sprintf("%s events of %s subscribers, from the first claim", number(float64(b.events)), number(float64(b.subscribers)))))
			continue
		}
		b.add(faster("skew: "+skew.name, seconds, "s", uniform, 1/1.3, "within 1.3 times the even one; its partition is one lane"))
	}
	return b.details("skew", all)
}
