package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// liveDetails is what stands behind the live rows.
type liveDetails struct {
	EventsPerSecond, BarePerSecond   float64
	Seconds                          float64
	ProcessorCPU, RedisCPU, KafkaCPU float64 // cores in use, while at maximum
	BenchCPU                         float64 // likewise, of the producer
	RedisUsPerEvent                  float64 // CPU of Redis' main thread
	RedisExecUsPerEvent              float64 // within commands
	Commands                         map[string]commandStat
	CommandsPerEvent                 float64
	EventsPerTrip                    float64
	LatencyEventsPerSecond           float64
	LatencyMs                        map[string]float64
	Views                            []viewCost
}

// measureLive folds at the head of the log: a new processor over the read models of a catch-up, a producer that is never far ahead.
func measureLive(ctx context.Context, b *bench) error {
	l := &live{bench: b}
	defer l.close()
	if err := l.prepare(ctx); err != nil {
		return err
	}
	if err := l.maximum(ctx); err != nil {
		return err
	}
	if err := l.latency(ctx); err != nil {
		return err
	}
	if _, err := l.processor.end(ctx); err != nil {
		return err
	}
	if err := l.replay(ctx); err != nil {
		return err
	}
	l.report()
	return b.details("live", &l.details)
}

type live struct {
	*bench
	site      *site
	folder    string // of recordings, below it catch-up and live
	stream    *stream
	client    *kgo.Client
	processor *child
	positions *positions
	from, to  time.Time // the measured time at maximum
	details   liveDetails
}

func (l *live) close() {
	if l.client != nil {
		l.client.Close()
	}
	if l.folder != "" {
		os.RemoveAll(l.folder)
	}
}

// prepare builds the state that is there when the processor starts, and the events to come.
func (l *live) prepare(ctx context.Context) (err error) {
	if l.site, err = l.servers.newSite(ctx); err != nil {
		return err
	}
	if l.folder, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	for _, name := range []string{"catch-up", "live"} {
		if err := os.Mkdir(filepath.Join(l.folder, name), 0o700); err != nil {
			return err
		}
	}
	past := min(l.events, 1_000_000)
	c, err := newCorpus(newReporter(past, l.subscribers, 0), past, l.site.partitions)
	if err != nil {
		return err
	}
	if err := c.produce(ctx, l.site); err != nil {
		return err
	}
	l.say("live: building the read models that are there at the start")
	if _, err := l.catchupOnce(ctx, l.site, c.ends(), spec{Record: filepath.Join(l.folder, "catch-up")}); err != nil {
		return err
	}
	// As many as two cores could ever fold in the time that they have to last for: warm-up, maximum, latency at half of it.
	coming := int(250_000 * (l.warmUp() + l.seconds).Seconds())
	future, err := newCorpus(newReporter(coming, l.subscribers, weeks), coming, l.site.partitions)
	if err != nil {
		return err
	}
	l.stream = newStream(future, c)
	if l.client, err = newProducer(l.site.brokers, time.Millisecond); err != nil {
		return err
	}
	s := spec{Role: "processor", Ends: l.stream.ends(), Record: filepath.Join(l.folder, "live")}
	if l.profile != "" {
		s.Profile = filepath.Join(l.profile, "live")
	}
	if l.processor, err = l.site.start(ctx, s); err != nil {
		return err
	}
	if _, err = l.processor.await(ctx, "reached"); err != nil {
		return err
	}
	l.positions, err = l.site.positions(ctx)
	return err
}

// window is how many events of a partition the producer may be ahead of the read models: enough for a batch in work, one queued and one
// on its way, and too few to count as catching up.
const window = 2000

// maximum produces as fast as the read models follow, and measures how fast that is once it is under way.
func (l *live) maximum(ctx context.Context) error {
	l.say("live: at maximum")
	until := time.Now().Add(l.warmUp() + l.seconds)
	var began, ended int64
	var redis redisState
	var kafka, self, role time.Duration
	measured := func() (redisState, time.Duration, time.Duration, time.Duration) {
		return l.servers.redisState(ctx), l.servers.kafka.cpu(), takeNews("").CPU, l.processor.process().cpu()
	}
	for time.Now().Before(until) && l.stream.left() > int64(l.stream.total/4) {
		if err := l.positions.read(ctx); err != nil {
			return err
		}
		if l.from.IsZero() && time.Until(until) < l.seconds {
			redis, kafka, self, role = measured()
			l.from, began = time.Now(), l.positions.sum()
		}
		l.stream.topUp(ctx, l.client, l.site.topic(), l.positions.next)
		time.Sleep(time.Millisecond)
	}
	if l.from.IsZero() {
		return fmt.Errorf("the events were used up before the measurement began")
	}
	if err := l.positions.read(ctx); err != nil {
		return err
	}
	l.to, ended = time.Now(), l.positions.sum()
	redis2, kafka2, self2, role2 := measured()
	did, took, n := redis2.since(redis), l.to.Sub(l.from).Seconds(), float64(ended-began)
	d := &l.details
	d.EventsPerSecond, d.Seconds = n/took, took
	d.RedisCPU, d.KafkaCPU, d.BenchCPU = did.cpu.Seconds()/took, (kafka2-kafka).Seconds()/took, (self2-self).Seconds()/took
	d.ProcessorCPU = (role2 - role).Seconds() / took
	d.RedisUsPerEvent, d.RedisExecUsPerEvent = float64(did.main.Microseconds())/n, float64(did.exec.Microseconds())/n
	d.Commands = did.commands
	return l.await(ctx)
}

// await waits until everything produced is folded.
func (l *live) await(ctx context.Context) error {
	if err := l.client.Flush(ctx); err != nil {
		return err
	}
	limit := time.Now().Add(time.Minute)
	for {
		if err := l.positions.read(ctx); err != nil {
			return err
		}
		if l.positions.sum() >= l.stream.produced() {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%d of %d events are folded a minute after the last was produced", l.positions.sum(), l.stream.produced())
		}
		time.Sleep(time.Millisecond)
	}
}

// latency produces at half of the maximum, every millisecond what is due by the clock, and reads all positions all the time: an event is
// visible at the first reading that finds `next` beyond its offset. Its time begins when it was due, so that a producer that is late makes
// the figure worse and not better.
func (l *live) latency(ctx context.Context) error {
	rate := l.details.EventsPerSecond / 2
	n := min(int64(rate*l.seconds.Seconds()), l.stream.left())
	l.say("live: latency at %s events/s", number(rate))
	due := make([][]time.Time, len(l.positions.next)) // per partition, from first on
	first := slices.Clone(l.positions.next)
	type reading struct {
		at   time.Time
		next []int64
	}
	var readings []reading
	var done atomic.Bool
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		p := *l.positions
		p.next = slices.Clone(l.positions.next)
		for !done.Load() {
			if failed = p.read(ctx); failed != nil {
				return
			}
			readings = append(readings, reading{time.Now(), slices.Clone(p.next)})
			time.Sleep(200 * time.Microsecond)
		}
	})
	began := time.Now()
	for sent := int64(0); sent < n && ctx.Err() == nil; {
		for wanted := min(n, int64(rate*time.Since(began).Seconds())); sent < wanted; sent++ {
			at := began.Add(time.Duration(float64(sent) / rate * float64(time.Second)))
			p := l.stream.one(ctx, l.client, l.site.topic())
			due[p] = append(due[p], at)
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	err := l.await(ctx)
	time.Sleep(5 * time.Millisecond) // one more reading
	done.Store(true)
	wg.Wait()
	if err != nil || failed != nil {
		return fmt.Errorf("%w %w", err, failed)
	}
	var all []float64
	for p := range due {
		i := 0
		for _, r := range readings {
			for ; i < len(due[p]) && first[p]+int64(i) < r.next[p]; i++ {
				all = append(all, float64(r.at.Sub(due[p][i]).Microseconds())/1000)
			}
		}
	}
	slices.Sort(all)
	if len(all) == 0 {
		return fmt.Errorf("no latency was measured")
	}
	l.details.LatencyEventsPerSecond = float64(n) / took.Seconds()
	l.details.LatencyMs = map[string]float64{}
	for _, q := range []float64{50, 90, 99, 99.9} {
		l.details.LatencyMs[fmt.Sprint("p", q)] = quantile(all, q)
	}
	l.details.LatencyMs["max"] = all[len(all)-1]
	return nil
}

// quantile of a sorted list, in percent.
func quantile(sorted []float64, percent float64) float64 {
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*percent/100))]
}

// replay sends what the processor sent at maximum, without fence and position, to a Redis brought to the same state; then the same for
// each view alone, for what it costs.
func (l *live) replay(ctx context.Context) error {
	past, err := readRecording(filepath.Join(l.folder, "catch-up"))
	if err != nil {
		return err
	}
	recorded, err := readRecording(filepath.Join(l.folder, "live"))
	if err != nil {
		return err
	}
	bare := func(view string) bool { return view != fence }
	var rates []float64
	for range max(1, l.rounds) {
		r, err := l.replayOnly(ctx, past, recorded, bare)
		if err != nil {
			return err
		}
		l.say("live: bare replay %s events/s", number(r.perSecond))
		rates = append(rates, r.perSecond)
		l.details.CommandsPerEvent, l.details.EventsPerTrip = r.commandsPerEvent, r.eventsPerTrip
	}
	l.details.BarePerSecond = median(rates, func(f *float64) float64 { return *f })
	return l.measureViews(ctx, past, recorded)
}

func (l *live) report() {
	d := &l.details
	us := 1e6 / d.EventsPerSecond
	by := fmt.Sprintf("CPU us/event: processor %.1f, Redis %.1f, Kafka %.1f, producer %.1f", d.ProcessorCPU*us, d.RedisCPU*us, d.KafkaCPU*us, d.BenchCPU*us)
	l.add(
		figure("limit: bare replay of the live reads and writes", d.BarePerSecond, "events/s", fmt.Sprintf("one core, of Redis; %.1f commands an event, %.0f events a trip", d.CommandsPerEvent, d.EventsPerTrip)),
		against("live at maximum, all views", d.EventsPerSecond, "events/s", d.BarePerSecond, 0.9, by),
		figure("event to visible at half of it, p50", d.LatencyMs["p50"], "ms", "producing, fetching, one batch"),
		below("event to visible at half of it, p99", d.LatencyMs["p99"], "ms", 20, fmt.Sprintf("at %s events/s, from when it was due to reading a position beyond it", number(d.LatencyEventsPerSecond))),
	)
	for _, v := range d.Views {
		l.add(figure("Redis time of "+v.View+", live", v.LiveUs, "us/event", fmt.Sprintf("%.2f us catching up; %.1f bytes", v.CatchupUs, v.Bytes)))
	}
	l.views = d.Views
}
