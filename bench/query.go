package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"switchboard/internal/app"
	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/indicator"
)

// queryCost is what one question costs, asked by one analyst of a Redis that does nothing else.
type queryCost struct {
	Query      string
	Reports    int // of the subscriber
	P50, P99   float64
	Asked      int
	PerReports float64 // ns of the median for each report of the subscriber
}

// measureQuery asks about subscribers with ever more reports, a tenth as many contacts.
func measureQuery(ctx context.Context, b *bench) error {
	t, err := b.servers.newSite(ctx)
	if err != nil {
		return err
	}
	large := []int{min(1_000, b.events/20), b.events / 20, b.events / 2}
	total := b.events / 20 // others, and then
	for _, n := range large {
		total += n
	}
	r := newReporter(total, b.subscribers, 0)
	r.uneven = func(r *reporter) (int, int, bool) {
		at := r.rand.IntN(total)
		for who, n := range large {
			if at -= n; at < 0 {
				return who, 1_000_000*(who+1) + r.rand.IntN(max(n/10, 1)), true
			}
		}
		return 0, 0, false
	}
	b.say("query: %s events", number(float64(total)))
	c, err := newCorpus(r, total, t.partitions)
	if err != nil {
		return err
	}
	if err := c.produce(ctx, t); err != nil {
		return err
	}
	ends := c.ends()
	c = nil
	if _, err := b.catchupOnce(ctx, t, ends, spec{}); err != nil {
		return err
	}
	asked, closeIt, err := app.OpenConsole(ctx, t.config)
	if err != nil {
		return err
	}
	defer closeIt()
	var all []queryCost
	for who, n := range large {
		for _, q := range questions(asked, event.Subject(phone(who))) {
			cost, err := b.ask(ctx, q.ask)
			if err != nil {
				return fmt.Errorf("%s of %d reports: %w", q.name, n, err)
			}
			cost.Query, cost.Reports, cost.PerReports = q.name, n, cost.P50*1000/float64(n)
			all = append(all, cost)
			name := fmt.Sprintf("query %s, %s reports", q.name, number(float64(n)))
			b.add(figure(name+", p50", cost.P50, "us", q.by), figure(name+", p99", cost.P99, "us", fmt.Sprintf("of %d", cost.Asked)))
		}
		b.say("query: subscriber of %s reports", number(float64(n)))
	}
	return b.details("query", all)
}

// question is what an analyst asks.
type question struct {
	name, by string
	ask      func(context.Context) error
}

func questions(c *console.Console, id event.Subject) []question {
	day := console.Query{Subject: id, Period: oneDay()}
	return []question{
		{"card", "one HGETALL", func(ctx context.Context) error { _, err := c.Card(ctx, console.Query{Subject: id}); return err }},
		{"contacts, the first 50", "every contact is read to find them", func(ctx context.Context) error {
			_, err := c.Contacts(ctx, console.Query{Subject: id, Limit: 50})
			return err
		}},
		{"timeline, one day", "the weeks of the day are read", func(ctx context.Context) error { _, err := c.Timeline(ctx, day); return err }},
		{"timeline, the last 50", "the newest weeks are read, until they have 50", func(ctx context.Context) error {
			_, err := c.Timeline(ctx, console.Query{Subject: id, Limit: 50})
			return err
		}},
	}
}

// oneDay is one in the second week of the log.
func oneDay() indicator.Period {
	day, err := indicator.ParseBound("2026-01-14")
	if err != nil {
		panic(err)
	}
	return indicator.Period{From: day, To: day}
}

// ask asks again and again for the time of a phase, 5 times at least and 2000 at most.
func (b *bench) ask(ctx context.Context, ask func(context.Context) error) (queryCost, error) {
	var took []float64
	for until := time.Now().Add(b.seconds / 2); len(took) < 5 || len(took) < 2000 && time.Now().Before(until); {
		began := time.Now()
		if err := ask(ctx); err != nil {
			return queryCost{}, err
		}
		took = append(took, float64(time.Since(began).Nanoseconds())/1000)
	}
	slices.Sort(took)
	return queryCost{P50: quantile(took, 50), P99: quantile(took, 99), Asked: len(took)}, nil
}
