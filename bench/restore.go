package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// tailPercent of the log lies behind the newest snapshot when Redis is lost.
const tailPercent = 5

// restoreRound is an empty Redis that came back in both ways, and what Redis alone needs for either: the very commands, without fences.
type restoreRound struct {
	Restore, Refold           float64 // seconds, from the start of the process to the end of the log
	RestoreAlone, RefoldAlone float64
	RestoreOf, RefoldOf       catchupRound
}

// measureRestore compares coming back from snapshot and tail with folding the whole log, few reports to a subscriber and many.
func measureRestore(ctx context.Context, b *bench) error {
	all := map[string][]restoreRound{}
	for _, subscribers := range []int{b.subscribers, max(b.subscribers/10, 1)} {
		rounds, err := b.restore(ctx, subscribers)
		if err != nil {
			return err
		}
		all[number(float64(subscribers))+" subscribers"] = rounds
	}
	return b.details("restore", all)
}

// way is one of the two: a log, with snapshots or without, and what a processor sent to come back from it.
type way struct {
	site     *site
	recorded recording
}

func (b *bench) restore(ctx context.Context, subscribers int) (rounds []restoreRound, err error) {
	c, err := newCorpus(newReporter(b.events, subscribers, 0), b.events, b.servers.partitions)
	if err != nil {
		return nil, err
	}
	ends := c.ends()
	var restored, refolded way
	if restored.site, err = b.snapshotted(ctx, c); err != nil {
		return nil, err
	}
	if refolded.site, err = b.servers.newSite(ctx); err != nil {
		return nil, err
	}
	if err := c.produce(ctx, refolded.site); err != nil {
		return nil, err
	}
	c = nil
	for _, w := range []*way{&restored, &refolded} {
		b.say("restore: warming up, recording")
		if w.recorded, err = b.record(ctx, w.site, ends); err != nil {
			return nil, err
		}
	}
	for range b.rounds {
		r, err := b.restoreRound(ctx, &restored, &refolded, ends)
		if err != nil {
			return nil, err
		}
		b.say("restore: %.1f s, Redis alone %.1f; refold %.1f s, Redis alone %.1f", r.Restore, r.RestoreAlone, r.Refold, r.RefoldAlone)
		rounds = append(rounds, r)
	}
	b.restoreRows(subscribers, rounds)
	return rounds, nil
}

// snapshotted is a log with snapshots of all of it but its tail.
func (b *bench) snapshotted(ctx context.Context, c *corpus) (*site, error) {
	t, err := b.servers.newSite(ctx)
	if err != nil {
		return nil, err
	}
	head, tail := c.cut(100 - tailPercent)
	if err := head.produce(ctx, t); err != nil {
		return nil, err
	}
	b.say("restore: making snapshots of %s events", number(float64(head.n)))
	if _, err := b.snapshotOf(ctx, t, head.ends()); err != nil {
		return nil, err
	}
	return t, tail.produce(ctx, t)
}

// snapshotEvery is how often snapshots are made of so many events: a handful while they are read.
func snapshotEvery(events int) string {
	return max(time.Duration(events)*5/2*time.Microsecond, 200*time.Millisecond).String()
}

// record is what a processor sends to an empty Redis to come to the end of a log, but for fences.
func (b *bench) record(ctx context.Context, t *site, ends []int64) (recording, error) {
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if _, err := b.catchupOnce(ctx, t, ends, spec{Record: folder}); err != nil {
		return nil, err
	}
	r, err := readRecording(folder)
	if err != nil {
		return nil, err
	}
	return r.only(func(view string) bool { return view != fence })
}

func (b *bench) restoreRound(ctx context.Context, restored, refolded *way, ends []int64) (r restoreRound, err error) {
	measure := func(w *way, name string) (seconds, alone float64, of catchupRound, err error) {
		if err = b.servers.empty(ctx); err != nil {
			return
		}
		took, err := b.servers.replay(ctx, w.recorded)
		if err != nil {
			return
		}
		s := spec{}
		if b.profile != "" {
			s.Profile = filepath.Join(b.profile, name)
		}
		of, err = b.catchupOnce(ctx, w.site, ends, s)
		return of.Seconds, took.Seconds(), of, err
	}
	if r.Restore, r.RestoreAlone, r.RestoreOf, err = measure(restored, "restore"); err != nil {
		return r, err
	}
	r.Refold, r.RefoldAlone, r.RefoldOf, err = measure(refolded, "refold")
	return r, err
}

func (b *bench) restoreRows(subscribers int, rounds []restoreRound) {
	m := func(of func(*restoreRound) float64) float64 { return median(rounds, of) }
	suffix := fmt.Sprintf(", %s reports of %s subscribers", number(float64(b.events)), number(float64(subscribers)))
	us := 1e6 / float64(b.events)
	cpu := func(of func(*restoreRound) *catchupRound) string {
		each := func(get func(*catchupRound) float64) float64 {
			return us * m(func(r *restoreRound) float64 { return get(of(r)) })
		}
		return fmt.Sprintf("CPU us/report: processor %.2f (GC %.2f), Redis %.2f, Kafka %.2f", each(func(r *catchupRound) float64 { return r.ProcessorCPU }),
			each(func(r *catchupRound) float64 { return r.GCCPU }), each(func(r *catchupRound) float64 { return r.RedisCPU }), each(func(r *catchupRound) float64 { return r.KafkaCPU }))
	}
	restore, refold := m(func(r *restoreRound) float64 { return r.Restore }), m(func(r *restoreRound) float64 { return r.Refold })
	restoreAlone, refoldAlone := m(func(r *restoreRound) float64 { return r.RestoreAlone }), m(func(r *restoreRound) float64 { return r.RefoldAlone })
	b.add(
		figure("limit: Redis alone, restoring"+suffix, restoreAlone*us, "us/report", "the very commands, without fences"),
		share("restore"+suffix, restore*us, "us/report", restoreAlone*us, cpu(func(r *restoreRound) *catchupRound { return &r.RestoreOf })),
		figure("limit: Redis alone, refolding"+suffix, refoldAlone*us, "us/report", "the very commands, without fences"),
		share("refold"+suffix, refold*us, "us/report", refoldAlone*us, cpu(func(r *restoreRound) *catchupRound { return &r.RefoldOf })),
		figure("refold seconds"+suffix, refold, "s", "from the start of the process to the end of the log"),
		faster("restore seconds"+suffix, restore, "s", refold, 1, fmt.Sprintf("the snapshot ends %d %% before the log; the limit is the refold", tailPercent)),
	)
}
