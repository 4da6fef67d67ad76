package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// takeoverRound is one kill -9, as it is seen in Redis.
type takeoverRound struct {
	TimeoutMs       float64
	FirstMs, LastMs float64 // from the kill until the first, and until every partition of the victim shows a new event
	Partitions      int     // of the victim
	StartMs         float64 // from the start of a processor at the head of the log to its first new event
}

// sessionTimeout is the least that a broker allows.
const sessionTimeout = 6 * time.Second

// measureTakeover kills one of two processors while events come in, and later starts one where none runs.
func measureTakeover(ctx context.Context, b *bench) error {
	var rounds []takeoverRound
	for range b.rounds {
		r, err := b.takeover(ctx)
		if err != nil {
			return err
		}
		b.say("takeover: first %.0f ms, last %.0f ms after the kill, %d partitions; start %.0f ms", r.FirstMs, r.LastMs, r.Partitions, r.StartMs)
		rounds = append(rounds, r)
	}
	m := func(of func(*takeoverRound) float64) float64 { return median(rounds, of) }
	timeout := float64(sessionTimeout.Milliseconds())
	b.add(
		below("kill -9 to first new event by the survivor, minus session timeout", m(func(r *takeoverRound) float64 { return r.FirstMs })-timeout, "ms", 1000,
			fmt.Sprintf("the session, %.0f ms from the last heartbeat, which may be half a second before the kill", timeout)),
		below("the same until the last of the victim's partitions", m(func(r *takeoverRound) float64 { return r.LastMs })-timeout, "ms", 1000,
			fmt.Sprintf("%d partitions; the survivor hears of it with its next heartbeat", rounds[0].Partitions)),
		below("start to first write, at the head of the log", m(func(r *takeoverRound) float64 { return r.StartMs }), "ms", 1000, "start-up checks, joining the group, claims"),
	)
	return b.details("takeover", rounds)
}

func (b *bench) takeover(ctx context.Context) (r takeoverRound, err error) {
	t, err := b.servers.newSite(ctx, "SWITCHBOARD_PROCESSOR_SESSION_TIMEOUT="+sessionTimeout.String())
	if err != nil {
		return r, err
	}
	if err := b.servers.empty(ctx); err != nil {
		return r, err
	}
	past, err := newCorpus(newReporter(10_000, 1000, 0), 10_000, t.partitions)
	if err != nil {
		return r, err
	}
	if err := past.produce(ctx, t); err != nil {
		return r, err
	}
	n := 200 * int(t.partitions) * 60 // a minute of what drip produces
	future, err := newCorpus(newReporter(n, 1000, weeks), n, t.partitions)
	if err != nil {
		return r, err
	}
	victim, err := t.start(ctx, spec{Role: "processor", Ends: past.ends()})
	if err != nil {
		return r, err
	}
	defer victim.kill()
	if _, err := victim.await(ctx, "reached"); err != nil {
		return r, err
	}
	survivor, err := t.start(ctx, spec{Role: "processor"})
	if err != nil {
		return r, err
	}
	defer survivor.kill()
	if _, err := survivor.await(ctx, "claimed"); err != nil { // it has got its share
		return r, err
	}
	d, err := t.drip(ctx, newStream(future, past))
	if err != nil {
		return r, err
	}
	defer d.end()
	if _, err := d.until(ctx, d.all()); err != nil { // both are at work
		return r, err
	}
	time.Sleep(b.warmUp())
	victim.kill()
	killed := time.Now()
	// Whatever moves soon after is the survivor's own, even while it takes part in a rebalance.
	stood := d.all()
	for at, moved := range d.watch(ctx, killed.Add(sessionTimeout/4), stood) {
		if !moved.IsZero() {
			stood = slices.DeleteFunc(stood, func(p int) bool { return p == at })
		}
	}
	r.Partitions = len(stood)
	if len(stood) == 0 {
		return r, errors.New("the victim had no partition")
	}
	moved, err := d.until(ctx, stood)
	if err != nil {
		return r, err
	}
	ms := func(at time.Time) float64 { return float64(at.Sub(killed).Microseconds()) / 1000 }
	r.FirstMs, r.LastMs = ms(slices.MinFunc(moved, time.Time.Compare)), ms(slices.MaxFunc(moved, time.Time.Compare))
	if _, err := survivor.end(ctx); err != nil {
		return r, err
	}
	began := time.Now()
	fresh, err := t.start(ctx, spec{Role: "processor"})
	if err != nil {
		return r, err
	}
	defer fresh.kill()
	if moved, err = d.until(ctx, d.all()); err != nil {
		return r, err
	}
	r.StartMs = float64(slices.MinFunc(moved, time.Time.Compare).Sub(began).Microseconds()) / 1000
	_, err = fresh.end(ctx)
	return r, err
}
