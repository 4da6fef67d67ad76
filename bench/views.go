package main

import (
	"context"
	"fmt"
	"io"

	"switchboard/internal/view"
)

// viewCost is what a view costs Redis, per event of the log. It is measured by sending what a processor really sent, the commands of this
// view alone, to an empty Redis: CPU time of its main thread, and growth of used_memory.
type viewCost struct {
	View            string
	LiveUs          float64 // in batches of live_events, subjects not in the cache at first
	LiveExecUs      float64 // of it within commands (INFO commandstats)
	LiveCommands    float64
	CatchupUs       float64 // in batches of catchup_events, from an empty Redis
	CatchupExecUs   float64
	CatchupCommands float64
	Bytes           float64 // of memory
	Commands        map[string]commandStat
}

// measured is one replay of what was recorded.
type measured struct {
	past, now        redisState // what Redis did in either part
	pastEvents       int64
	events           int64
	perSecond        float64 // of the second part
	commandsPerEvent float64
	pastCommands     float64
	eventsPerTrip    float64
}

// replayOnly empties Redis and replays the commands that keep accepts: those of the catch-up and the warm-up, then those of the measured time.
func (l *live) replayOnly(ctx context.Context, past, recorded recording, keep func(string) bool) (m measured, err error) {
	if past, err = past.only(keep); err != nil {
		return m, err
	}
	if recorded, err = recorded.only(keep); err != nil {
		return m, err
	}
	before, now := recorded.between(l.from, l.to)
	m.pastEvents, m.events = past.events(nil), now.events(before)
	if m.events == 0 || m.pastEvents == 0 {
		return m, nil // the view was not written
	}
	if err := l.servers.empty(ctx); err != nil {
		return m, err
	}
	start := l.servers.redisState(ctx)
	if _, err := l.servers.replay(ctx, past); err != nil {
		return m, err
	}
	m.past = l.servers.redisState(ctx).since(start)
	if _, err := l.servers.replay(ctx, before); err != nil {
		return m, err
	}
	start = l.servers.redisState(ctx)
	took, err := l.servers.replay(ctx, now)
	m.now = l.servers.redisState(ctx).since(start)
	trips := 0
	for _, lane := range now {
		for _, t := range lane {
			if t.next >= 0 {
				trips++
			}
		}
	}
	_, commands := now.size()
	_, pastCommands := past.size()
	m.perSecond = float64(m.events) / took.Seconds()
	m.commandsPerEvent, m.pastCommands = float64(commands)/float64(m.events), float64(pastCommands)/float64(m.pastEvents)
	m.eventsPerTrip = float64(m.events) / float64(max(trips, 1))
	return m, err
}

// measureViews replays each view alone, and last what is no view: transactions, fence and position.
func (l *live) measureViews(ctx context.Context, past, recorded recording) error {
	for _, name := range append(view.Names(), fence) {
		m, err := l.replayOnly(ctx, past, recorded, func(view string) bool { return view == name })
		if err != nil {
			return err
		}
		if m.events == 0 {
			continue
		}
		us := func(d float64, n int64) float64 { return d / 1000 / float64(n) }
		l.details.Views = append(l.details.Views, viewCost{
			View: name, LiveUs: us(float64(m.now.main), m.events), LiveExecUs: us(float64(m.now.exec), m.events), LiveCommands: m.commandsPerEvent,
			CatchupUs: us(float64(m.past.main), m.pastEvents), CatchupExecUs: us(float64(m.past.exec), m.pastEvents), CatchupCommands: m.pastCommands,
			Bytes: float64(m.past.memory+m.now.memory) / float64(m.pastEvents+m.events), Commands: m.now.commands,
		})
	}
	l.say("live: %d views measured", len(l.details.Views))
	return nil
}

// printViews is the table of VIEWS.md.
func printViews(w io.Writer, views []viewCost) {
	fmt.Fprintln(w, "| view | Redis us/event, live | Redis us/event, catching up | commands/event, live | bytes/event |\n|---|---|---|---|---|")
	var sum viewCost
	line := func(v viewCost) {
		fmt.Fprintf(w, "| %s | %.1f | %.1f | %.2f | %.0f |\n", v.View, v.LiveUs, v.CatchupUs, v.LiveCommands, v.Bytes)
	}
	for _, v := range views {
		line(v)
		sum.LiveUs += v.LiveUs
		sum.CatchupUs += v.CatchupUs
		sum.LiveCommands += v.LiveCommands
		sum.Bytes += v.Bytes
	}
	sum.View = "all"
	line(sum)
}
