// Package attack runs three processors on four partitions of an in-process broker and a real Redis, while they are killed, put to
// sleep, cut off, set back and answered late, and then compares every field of the read models with the fold of the log (COMMIT.md 8).
// ATTACK_SEED=n repeats one run, ATTACK_SEEDS=n runs as many.
package attack

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
	"switchboard/topology"
)

func TestMain(m *testing.M) { backend.Main(m) }

const (
	topic      = "calls.reports"
	partitions = 4
	processors = 3
	session    = time.Second
)

func TestAttack(t *testing.T) {
	seeds, first := 2, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("ATTACK_SEEDS")); err == nil {
		seeds = n
	}
	if n, err := strconv.ParseUint(os.Getenv("ATTACK_SEED"), 10, 64); err == nil {
		seeds, first = 1, n
	}
	for seed := first; seed < first+uint64(seeds); seed++ {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) { newRun(t, seed).attack() })
	}
}

// run is one seeded attack.
type run struct {
	*testing.T
	ctx    context.Context
	seed   uint64
	rand   *rand.Rand
	broker *kfake.Cluster
	redis  *redis.Client
	config *config.Config
	facts  []event.Event

	fleet  []*member
	copies map[int][][]any // of partitions, to set them back to
	counts map[string]int
	log    *slog.Logger
}

// member is one processor, with the network it sees.
type member struct {
	net  *faultnet
	done chan error
	stop context.CancelFunc
	proc *app.Processor
}

func newRun(t *testing.T, seed uint64) *run {
	r := &run{T: t, ctx: t.Context(), seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), copies: map[int][][]any{}, counts: map[string]int{}}
	r.log = slog.New(slog.DiscardHandler)
	if file := os.Getenv("ATTACK_LOG"); file != "" {
		f, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		r.log = slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	var err error
	r.broker, err = kfake.NewCluster(kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.broker.Close)
	server := backend.RealRedis(t)
	r.redis = redis.NewClient(&redis.Options{Addr: server.Addr, Protocol: 2})
	t.Cleanup(func() { r.redis.Close() })
	overlay := t.TempDir() + "/topology.yaml"
	small := fmt.Sprintf("topics:\n  %s:\n    partitions: %d\n  dead-letters:\n    partitions: 1\n", topic, partitions)
	if err := os.WriteFile(overlay, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	r.config, err = config.Load(config.Options{Roles: []config.Role{config.RoleProcessor, config.RoleTopology}, Environ: []string{
		"SWITCHBOARD_ENV=dev", "SWITCHBOARD_KAFKA_KIND=embedded", "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(r.broker.ListenAddrs(), ","), "SWITCHBOARD_REDIS_ADDRS=" + server.Addr,
		"SWITCHBOARD_TOPOLOGY_OVERLAYS=" + overlay, "SWITCHBOARD_PROCESSOR_SESSION_TIMEOUT=" + session.String(), "SWITCHBOARD_PROCESSOR_REBALANCE_TIMEOUT=2s",
		"SWITCHBOARD_PROCESSOR_CHUNK_DEADLINE=600ms", "SWITCHBOARD_PROCESSOR_CHUNK_COMMANDS=40", "SWITCHBOARD_PROCESSOR_BATCH_LIVE_EVENTS=" + fmt.Sprint(1+r.rand.IntN(300)),
		"SWITCHBOARD_PROCESSOR_BATCH_MAX_COMMIT_INTERVAL=50ms", "SWITCHBOARD_PROCESSOR_TICK=200ms", "SWITCHBOARD_PROCESSOR_CACHE_BYTES=1MiB",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff, err := app.ApplyTopology(t.Context(), r.config, r.log, func(topology.Step) {}); err != nil || !diff.Empty() {
		t.Fatalf("topology: %v\n%s", err, diff)
	}
	r.facts = facts(r.rand, 20_000, 300)
	return r
}

func (r *run) attack() {
	var background sync.WaitGroup
	producing, stopProducing := context.WithCancel(r.ctx)
	defer stopProducing()
	background.Go(func() { r.produce(producing) })
	for range processors {
		r.fleet = append(r.fleet, r.start(r.rand.Uint64()))
	}
	deadline := time.Now().Add(8 * time.Second)
	for time.Now().Before(deadline) {
		time.Sleep(time.Duration(50+r.rand.IntN(200)) * time.Millisecond) // the attack's own rhythm; nothing is waited for
		r.strike()
	}
	background.Wait()
	r.heal()
	r.compare()
	for _, m := range r.fleet {
		for what, n := range m.net.counts {
			r.counts[what] += n
		}
		m.stop()
		if err := <-m.done; err != nil {
			r.Errorf("a processor ended with: %v", err)
		}
	}
	r.Logf("seed %d: %d facts exact after %v", r.seed, len(r.facts), r.counts)
}

// produce appends the facts over the time of the attack.
func (r *run) produce(ctx context.Context) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		r.Error(err)
		return
	}
	defer client.Close()
	enc, err := avrowire.NewEncoder(nil)
	if err != nil {
		r.Error(err)
		return
	}
	for list := r.facts; len(list) > 0; {
		n := min(len(list), 300)
		var records []*kgo.Record
		for _, e := range list[:n] {
			id := e.Envelope().ID
			value, err := enc.Encode(nil, e)
			if err != nil {
				r.Error(err)
				return
			}
			records = append(records, &kgo.Record{Topic: topic, Partition: event.PartitionOf(e.Envelope().Subject, partitions), Key: id[:], Value: value})
		}
		if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			r.Errorf("produce: %v", err)
			return
		}
		list = list[n:]
		time.Sleep(80 * time.Millisecond)
	}
}

// start starts a processor whose way to Redis is faulty.
func (r *run) start(seed uint64) *member {
	n := newFaultnet(seed)
	n.drop, n.loseReply, n.late, n.maxLate = 3000, 6000, 6000, 600*time.Millisecond
	ctx, cancel := context.WithCancel(r.ctx)
	m := &member{net: n, done: make(chan error, 1), stop: cancel}
	m.proc = &app.Processor{Config: r.config, Logger: r.log.With("processor", seed%1000), Version: "attack", KafkaDial: n.dial(true), RedisDial: n.dial(false)}
	go func() {
		for {
			err := m.proc.Run(ctx)
			if ctx.Err() != nil || n.isCut() {
				m.done <- nil
				return
			}
			if err != nil { // Redis did not answer at the start: a supervisor starts it again
				r.log.Warn("processor ended", "error", err)
				time.Sleep(50 * time.Millisecond)
			}
		}
	}()
	return m
}

// strike does one bad thing.
func (r *run) strike() {
	i := r.rand.IntN(len(r.fleet))
	m := r.fleet[i]
	p := event.Partition{Topic: topic, Number: int32(r.rand.IntN(partitions))}
	switch x := r.rand.IntN(100); {
	case x < 12: // kill -9, and another one in its place
		m.net.kill()
		m.stop()
		maps.Copy(r.counts, sum(r.counts, m.net.counts))
		r.fleet[i] = r.start(r.rand.Uint64())
	case x < 34: // a zombie: out of the group, then awake
		m.net.freeze()
		time.AfterFunc(session+time.Duration(r.rand.IntN(1000))*time.Millisecond, m.net.thaw)
	case x < 40: // short of that
		m.net.freeze()
		time.AfterFunc(time.Duration(r.rand.IntN(600))*time.Millisecond, m.net.thaw)
	case x < 52:
		if c, err := copyOf(r.ctx, r.redis, p); err == nil {
			r.copies[int(p.Number)] = append(r.copies[int(p.Number)], c)
		}
	case x < 66:
		if list := r.copies[int(p.Number)]; len(list) > 0 {
			if err := rollback(r.ctx, r.redis, p, list[r.rand.IntN(len(list))]); err != nil {
				r.Fatalf("rollback: %v", err)
			}
			r.counts["rollback"]++
		}
	case x < 68:
		r.redis.FlushAll(r.ctx)
		r.copies = map[int][][]any{} // a copy of before would bring a generation back that nobody serves
		r.counts["flushall"]++
	case x < 80:
		node := int32(r.rand.IntN(3))
		if err := r.broker.MoveTopicPartition(topic, p.Number, node); err == nil {
			r.counts["leader moved"]++
		}
	case x < 83:
		r.broker.RehashCoordinators()
		r.counts["coordinator moved"]++
	}
}

func sum(a, b map[string]int) map[string]int {
	out := maps.Clone(a)
	for k, n := range b {
		out[k] += n
	}
	return out
}

// heal ends all faults and waits until every position has reached the end of its partition.
func (r *run) heal() {
	for _, m := range r.fleet {
		m.net.calm()
		m.net.thaw()
	}
	deadline := time.Now().Add(60 * time.Second)
	for p := range int32(partitions) {
		for {
			info := r.broker.PartitionInfo(topic, p)
			next, err := r.redis.HGet(r.ctx, redisview.PosKey(r.lane(p)), "next").Int64()
			if err == nil && next == info.HighWatermark {
				break
			}
			if time.Now().After(deadline) {
				r.Fatalf("seed %d: partition %d is at %d of %d a minute after the last fault (%v): %v", r.seed, p, next, info.HighWatermark, err, r.lanes())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (r *run) lanes() string {
	var out strings.Builder
	for _, m := range r.fleet {
		for p, s := range m.proc.Lanes() {
			fmt.Fprintf(&out, "\n%s %+v", p, s)
		}
	}
	return out.String()
}

func (r *run) lane(p int32) pipeline.LaneID {
	return reference.Serving(r.ctx, r.redis, event.Partition{Topic: topic, Number: p})
}

// compare holds every field of the read models against the fold of the log.
func (r *run) compare() {
	set, err := view.NewSet(view.Names())
	if err != nil {
		r.Fatal(err)
	}
	parts := make([][]event.Event, partitions)
	for _, e := range r.facts {
		p := event.PartitionOf(e.Envelope().Subject, partitions)
		parts[p] = append(parts[p], e)
	}
	for p, list := range parts {
		got, err := reference.Dump(r.ctx, r.redis, r.lane(int32(p)))
		if err != nil {
			r.Fatal(err)
		}
		if diff := reference.Diff(got, reference.Of(set, list)); diff != nil {
			r.Errorf("seed %d: partition %d:\n%s", r.seed, p, strings.Join(diff, "\n"))
		}
	}
}
