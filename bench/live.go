package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
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
	LatencyCPU                       map[string]float64 // cores in use meanwhile
	LatencyMs                        map[string]float64
	AckedMs                          map[string]float64 // of it, until Kafka had acknowledged the event
	Views                            []viewCost
}

// measureLive folds at the head of the log: a new processor over the read models of a catch-up, a producer that is never far ahead.
func measureLive(ctx context.Context, b *bench) error {
	l := &live{bench: b}
	defer l.close()
	if err := l.prepare(ctx); err != nil {
		return err
	}
	quiet := l.quiet(ctx)
	defer quiet()
	// Once to see what is sent to Redis, and once to measure, since recording costs a write to a file for each trip.
	l.say("live: recording what is sent")
	if err := l.start(ctx, filepath.Join(l.folder, "live")); err != nil {
		return err
	}
	var err error
	if l.from, l.to, err = l.maximum(ctx, 0.7); err != nil {
		return err
	}
	if _, err := l.processor.end(ctx); err != nil {
		return err
	}
	if err := l.start(ctx, ""); err != nil {
		return err
	}
	l.say("live: at maximum")
	if _, _, err := l.maximum(ctx, 0.4); err != nil {
		return err
	}
	if err := l.latency(ctx); err != nil {
		return err
	}
	quiet()
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
	from, to  time.Time // of what is replayed of the recording
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

// quiet keeps away what takes one of two cores for seconds, now and then: Redis rewriting its append-only file, and collecting garbage among
// the millions of events to come, which only this process has. The function that it returns ends that.
func (l *live) quiet(ctx context.Context) (end func()) {
	const rewrite = "auto-aof-rewrite-percentage"
	was := l.servers.redis.ConfigGet(ctx, rewrite).Val()[rewrite]
	l.servers.redis.ConfigSet(ctx, rewrite, "0") // miniredis has no such file
	runtime.GC()
	percent := debug.SetGCPercent(-1)
	return sync.OnceFunc(func() {
		debug.SetGCPercent(percent)
		l.servers.redis.ConfigSet(context.WithoutCancel(ctx), rewrite, was)
	})
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
	// As many as two cores could ever fold in the time that they have to last for: warm-up and maximum, twice, and at half of it for as long again.
	coming := int(120_000 * (2*l.warmUp() + 3*l.seconds).Seconds())
	future, err := newCorpus(newReporter(coming, l.subscribers, weeks), coming, l.site.partitions)
	if err != nil {
		return err
	}
	l.stream = newStream(future, c)
	if l.client, err = newProducer(l.site.brokers, 5*time.Millisecond); err != nil {
		return err
	}
	return nil
}

// start starts the processor, and returns when it is at the head of the log.
func (l *live) start(ctx context.Context, record string) (err error) {
	s := spec{Role: "processor", Ends: l.stream.ends(), Record: record}
	if l.profile != "" && record == "" {
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

// maximum produces as fast as the read models follow, and measures how fast that is once it is under way. It leaves a part of the events.
func (l *live) maximum(ctx context.Context, leave float64) (from, to time.Time, err error) {
	if err := l.follow(ctx, l.warmUp(), (leave+1)/2); err != nil {
		return from, to, err
	}
	before, began := l.usage(ctx), l.positions.sum()
	from = time.Now()
	if err := l.follow(ctx, l.seconds, leave); err != nil {
		return from, to, err
	}
	to = time.Now()
	ended := l.positions.sum()
	did, n := l.usage(ctx).since(before), float64(ended-began)
	took := to.Sub(from).Seconds()
	d := &l.details
	d.EventsPerSecond, d.Seconds = n/took, took
	cores := did.cores(took)
	d.ProcessorCPU, d.RedisCPU, d.KafkaCPU, d.BenchCPU = cores["processor"], cores["Redis"], cores["Kafka"], cores["producer"]
	d.RedisUsPerEvent, d.RedisExecUsPerEvent = float64(did.redis.main.Microseconds())/n, float64(did.redis.exec.Microseconds())/n
	d.Commands = did.redis.commands
	return from, to, l.await(ctx)
}

// follow keeps the producer a window ahead of the read models, for a time or until only a part of the events is left.
func (l *live) follow(ctx context.Context, d time.Duration, leave float64) error {
	began, from, least := time.Now(), l.positions.sum(), int64(leave*float64(l.stream.total))
	for time.Since(began) < d && l.stream.left() > least || l.positions.sum() == from {
		l.stream.topUp(ctx, l.client, l.site.topic(), l.positions.next)
		time.Sleep(time.Millisecond)
		if err := l.positions.read(ctx); err != nil {
			return err
		}
		if l.stream.left() == 0 {
			return fmt.Errorf("the events were used up")
		}
	}
	return nil
}

// usage is the CPU time of all that takes part.
type usage struct {
	redis                  redisState
	kafka, self, processor time.Duration
}

func (l *live) usage(ctx context.Context) usage {
	return usage{l.servers.redisState(ctx), l.servers.kafka.cpu(), takeNews("").CPU, l.processor.process().cpu()}
}

func (u usage) since(v usage) usage {
	return usage{u.redis.since(v.redis), u.kafka - v.kafka, u.self - v.self, u.processor - v.processor}
}

// cores is how many each kept busy in so many seconds.
func (u usage) cores(seconds float64) map[string]float64 {
	return map[string]float64{
		"processor": u.processor.Seconds() / seconds, "Redis": u.redis.cpu.Seconds() / seconds,
		"Kafka": u.kafka.Seconds() / seconds, "producer": u.self.Seconds() / seconds,
	}
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
		figure("event to visible at half of it, p50", d.LatencyMs["p50"], "ms", fmt.Sprintf("acknowledged by Kafka after %.0f (p99 %.0f); cores busy: processor %.2f, Redis %.2f, Kafka %.2f, producer and reader %.2f",
			d.AckedMs["p50"], d.AckedMs["p99"], d.LatencyCPU["processor"], d.LatencyCPU["Redis"], d.LatencyCPU["Kafka"], d.LatencyCPU["producer"])),
		below("event to visible at half of it, p99", d.LatencyMs["p99"], "ms", 20, fmt.Sprintf("at %s events/s, from when it was due to reading a position beyond it", number(d.LatencyEventsPerSecond))),
	)
	for _, v := range d.Views {
		l.add(figure("Redis time of "+v.View+", live", v.LiveUs, "us/event", fmt.Sprintf("%.2f us catching up; %.1f bytes", v.CatchupUs, v.Bytes)))
	}
	l.views = d.Views
}
