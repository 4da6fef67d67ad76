package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

// door is a role that takes reports by HTTP, on topics of its own.
type door struct {
	site *site
	role *child
	addr string
	kept int64 // events that it said to have accepted
}

func (b *bench) openDoor(ctx context.Context, role string) (*door, error) {
	t, err := b.servers.newSite(ctx)
	if err != nil {
		return nil, err
	}
	s := spec{Role: role}
	if b.profile != "" {
		s.Profile = filepath.Join(b.profile, role)
	}
	d := &door{site: t}
	if d.role, err = t.start(ctx, s); err != nil {
		return nil, err
	}
	n, err := d.role.await(ctx, "listening")
	d.addr = n.Addr
	return d, err
}

// ingestDetails is what stands behind the ingest rows.
type ingestDetails struct {
	Ours, Bare map[string][]loadResult
	Overload   *loadResult
	Accepted   int64 // acknowledged events in all
	InLog      int64
	PeakBytes  int64
	CPU        time.Duration
}

// shapes are the kinds of request, with how many connections send them.
var shapes = []struct {
	name   string
	events int
	conns  int
	pool   int // different requests
}{
	{"single events", 1, 64, 50_000},
	{"batches of 100", 100, 16, 1_000},
}

func measureIngest(ctx context.Context, b *bench) error {
	ours, err := b.openDoor(ctx, "ingest")
	if err != nil {
		return err
	}
	bare, err := b.openDoor(ctx, "bare-ingest")
	if err != nil {
		return err
	}
	d := ingestDetails{Ours: map[string][]loadResult{}, Bare: map[string][]loadResult{}}
	for _, shape := range shapes {
		load := httpLoad{events: shape.events, conns: shape.conns, requests: b.requests(shape.events, shape.pool)}
		b.say("ingest: %s", shape.name)
		for round := range b.rounds + 1 {
			load.duration, load.most = b.seconds/2, 0
			if round == 0 { // each request once, after which ingest knows their numbers, as it does in service: it parses each once
				load.duration, load.most = time.Minute, len(load.requests)
			}
			of, err := ours.hit(ctx, load)
			if err != nil {
				return err
			}
			against, err := bare.hit(ctx, load)
			if err != nil {
				return err
			}
			if round > 0 {
				d.Ours[shape.name], d.Bare[shape.name] = append(d.Ours[shape.name], of), append(d.Bare[shape.name], against)
			}
		}
		b.ingestRows(shape.name, d.Ours[shape.name], d.Bare[shape.name])
	}
	if err := b.overload(ctx, ours, &d); err != nil {
		return err
	}
	n, err := ours.role.end(ctx)
	if err != nil {
		return err
	}
	if _, err := bare.role.end(ctx); err != nil {
		return err
	}
	ends, err := ours.site.ends(ctx)
	if err != nil {
		return err
	}
	for _, end := range ends {
		d.InLog += end
	}
	d.Accepted, d.PeakBytes, d.CPU = ours.kept, n.PeakBytes, n.CPU
	b.add(
		below("acknowledged events that are not in the log", float64(max(0, d.Accepted-d.InLog)), "events", 0, fmt.Sprintf("%s acknowledged, %s in the log", number(float64(d.Accepted)), number(float64(d.InLog)))),
		figure("peak memory of ingest", float64(n.PeakBytes)/(1<<20), "MiB", "max_inflight_bytes, max_buffered_bytes"),
	)
	return b.details("ingest", &d)
}

func (d *door) hit(ctx context.Context, l httpLoad) (loadResult, error) {
	l.addr = d.addr
	r, err := l.run(ctx)
	d.kept += r.AcceptedEvents
	return r, err
}

// requests are n different ones, or as many as go with the size of the run, each of so many reports.
func (b *bench) requests(events, n int) [][]byte {
	n = min(n, b.events/20)
	r := newReporter(events*n, b.subscribers, 0)
	list := make([][]byte, n)
	for i := range list {
		reports := make([]any, events)
		for j := range reports {
			reports[j] = r.submitted(i*events + j)
		}
		body, err := json.Marshal(reports)
		if err != nil {
			panic(err)
		}
		list[i] = post("/v1/reports", body)
	}
	return list
}

func (b *bench) ingestRows(shape string, ours, bare []loadResult) {
	m := func(list []loadResult, of func(*loadResult) float64) float64 { return median(list, of) }
	events := func(r *loadResult) float64 { return r.EventsPerSecond }
	b.add(
		figure("limit: decode and produce, "+shape, m(bare, events), "events/s", "generator, handler and Kafka share the cores"),
		against("ingest over HTTP, "+shape, m(ours, events), "events/s", m(bare, events), 0.6,
			fmt.Sprintf("%s requests/s; p50 %.1f ms against %.1f", number(m(ours, func(r *loadResult) float64 { return r.RequestsPerSecond })),
				m(ours, func(r *loadResult) float64 { return r.P50Ms }), m(bare, func(r *loadResult) float64 { return r.P50Ms }))),
		figure("ingest over HTTP, "+shape+", p99", m(ours, func(r *loadResult) float64 { return r.P99Ms }), "ms", fmt.Sprintf("bare handler %.1f ms", m(bare, func(r *loadResult) float64 { return r.P99Ms }))),
	)
}

// overload offers twice of what batches reached, on connections enough to have it all under way; for longer than they did, since
// 512 connections at once begin slowly.
func (b *bench) overload(ctx context.Context, ours *door, d *ingestDetails) error {
	if b.quick {
		return nil
	}
	shape := shapes[1]
	most := median(d.Ours[shape.name], func(r *loadResult) float64 { return r.RequestsPerSecond })
	b.say("ingest: twice the maximum, %s requests/s", number(2*most))
	r, err := ours.hit(ctx, httpLoad{events: shape.events, conns: 512, rate: 2 * most, duration: 2 * b.seconds, requests: b.requests(shape.events, shape.pool)})
	if err != nil {
		return err
	}
	d.Overload = &r
	b.add(against("ingest goodput at twice the maximum", r.RequestsPerSecond, "requests/s", most, 0.9,
		fmt.Sprintf("%d refused (429, 503), %d failed, %d waited in the client; p99 %.0f ms", r.Refused, r.Failed, r.Late, r.P99Ms)))
	return nil
}
