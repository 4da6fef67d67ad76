// Package attack runs three processors on four partitions of an in-process broker and a real Redis, while they are killed, put to
// sleep, cut off, set back, refused and answered late, and then compares every field of the read models with the fold of the
// log (COMMIT.md 8).
//
//	ATTACK_SEED=n          one run, again
//	ATTACK_SEEDS=n         seeds 1 to n instead of 1 to 3
//	ATTACK_LOG=dir         what the processors said, a file a seed
//	ATTACK_RESULTS=file    writes RESULTS.md anew
package attack

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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
	session    = 600 * time.Millisecond
	rebalance  = 350 * time.Millisecond // see shorten
)

//fault:p1 processors killed at any trip, 8 a run; every field compared
//fault:p2 killed just before and after a chunk, a claim, a read
//fault:p3 replies lost, and chunks that arrive 0.6 s after the client gave up
//fault:p5 14 zombies a run, put to sleep for longer than their session at any trip
//fault:p6 zombies that wake just before a claim
//fault:p9 coordinators moved, connections cut while commits are under way
//fault:p4 killed at any time, also between a commit to the group and the next poll
//fault:p12 partitions set back to older copies, 10 a run, under load
//fault:p17 Redis refuses to write, 4 times a run
//fault:k1 leaders moved 13 times a run
func TestAttack(t *testing.T) {
	count, first := 3, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("ATTACK_SEEDS")); err == nil {
		count = n
	}
	if n, err := strconv.ParseUint(os.Getenv("ATTACK_SEED"), 10, 64); err == nil {
		count, first = 1, n
	}
	all := &results{commit: commit()}
	t.Cleanup(func() { all.report(t) }) // when the parallel runs have ended
	for seed := first; seed < first+uint64(count); seed++ {
		v := variantOf(seed)
		t.Run(fmt.Sprintf("%s/seed%d", v.name, seed), func(t *testing.T) {
			t.Parallel() // a run waits more than it works
			newRun(t, seed, v).attack(all)
		})
	}
}

// variant is what the processors keep, and of what log.
type variant struct {
	name  string
	env   []string
	views []string
	noise bool // duplicates and amendments
}

// variantOf gives two seeds of three to the timeline, which recognises a duplicate by itself, and the third to read models that have
// nothing but @ to know what they have folded.
func variantOf(seed uint64) variant {
	if seed%3 == 0 {
		views := []string{view.Card, view.Contacts, view.Reach, view.Top, view.TotalsOf}
		return variant{name: "duplicates-off", views: views, env: []string{"SWITCHBOARD_PROCESSOR_VIEWS=" + strings.Join(views, ","), "SWITCHBOARD_PROCESSOR_DUPLICATES=off"}}
	}
	return variant{name: "duplicates-exact", views: view.Names(), noise: true}
}

// run is one seeded attack.
type run struct {
	*testing.T
	variant
	ctx    context.Context
	seed   uint64
	rand   *rand.Rand
	broker *kfake.Cluster
	redis  *redis.Client
	env    []string // of every processor
	facts  []event.Event

	fleet   []*member
	copies  map[int][][]any // of partitions, to set them back to
	refused sync.Mutex      // held while Redis refuses to write
	counts  *counts
	log     *slog.Logger
}

// member is one processor, with the network it sees.
type member struct {
	net  *faultnet
	done chan error
	stop context.CancelFunc
	proc *app.Processor
}

func newRun(t *testing.T, seed uint64, v variant) *run {
	r := &run{T: t, variant: v, ctx: t.Context(), seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), copies: map[int][][]any{}, counts: newCounts()}
	var handler slog.Handler = slog.DiscardHandler
	if dir := os.Getenv("ATTACK_LOG"); dir != "" {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("seed%d.log", seed)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		handler = slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug})
	}
	r.log = slog.New(&witness{handler, r.counts})
	var err error
	r.broker, err = kfake.NewCluster(kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.broker.Close)
	r.broker.ControlKey(int16(kmsg.OffsetForLeaderEpoch), r.epochEnds)
	r.broker.ControlKey(int16(kmsg.JoinGroup), r.shorten)
	server := backend.RealRedis(t)
	r.redis = redis.NewClient(&redis.Options{Addr: server.Addr, Protocol: 2})
	t.Cleanup(func() { r.redis.Close() })
	overlay := t.TempDir() + "/topology.yaml"
	small := fmt.Sprintf("topics:\n  %s:\n    partitions: %d\n  dead-letters:\n    partitions: 1\n", topic, partitions)
	if err := os.WriteFile(overlay, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	r.env = append([]string{
		"SWITCHBOARD_ENV=dev", "SWITCHBOARD_KAFKA_KIND=embedded", "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(r.broker.ListenAddrs(), ","), "SWITCHBOARD_REDIS_ADDRS=" + server.Addr,
		"SWITCHBOARD_TOPOLOGY_OVERLAYS=" + overlay, "SWITCHBOARD_PROCESSOR_SESSION_TIMEOUT=" + session.String(), "SWITCHBOARD_PROCESSOR_REBALANCE_TIMEOUT=1s",
		"SWITCHBOARD_PROCESSOR_CHUNK_DEADLINE=280ms", "SWITCHBOARD_PROCESSOR_BATCH_MAX_COMMIT_INTERVAL=50ms", "SWITCHBOARD_PROCESSOR_TICK=200ms",
	}, v.env...)
	if diff, err := app.ApplyTopology(t.Context(), r.config(), r.log, func(topology.Step) {}); err != nil || !diff.Empty() {
		t.Fatalf("topology: %v\n%s", err, diff)
	}
	x := r.rand.Float64()
	r.facts = facts(r.rand, 20_000+int(65_000*x*x*x), 300, v.noise)
	return r
}

// epochEnds answers for the brokers that no leader epoch ends before what was read of it: nothing is ever truncated here. kfake says of an
// older epoch that it does not know it until something is produced in the newer one; a real leader begins its epoch at the log's end.
func (r *run) epochEnds(request kmsg.Request) (kmsg.Response, error, bool) {
	r.broker.KeepControl()
	req := request.(*kmsg.OffsetForLeaderEpochRequest)
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, asked := range req.Topics {
		t := kmsg.NewOffsetForLeaderEpochResponseTopic()
		t.Topic = asked.Topic
		for _, p := range asked.Partitions {
			part := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			part.Partition, part.LeaderEpoch, part.EndOffset = p.Partition, p.LeaderEpoch, 1<<60
			t.Partitions = append(t.Partitions, part)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp, nil, true
}

// shorten makes the rebalance timeout shorter than the configuration allows. kfake removes a member whose session times out while it waits
// in a join, and never answers it (a real coordinator keeps it): so a join must be over before that.
func (r *run) shorten(request kmsg.Request) (kmsg.Response, error, bool) {
	r.broker.KeepControl()
	request.(*kmsg.JoinGroupRequest).RebalanceTimeoutMillis = int32(rebalance.Milliseconds())
	return nil, nil, false
}

// config is that of one processor: how much it folds at once, and how it cuts that, is its own.
func (r *run) config() *config.Config {
	live, commands := upTo(r.rand, 1000), 20+upTo(r.rand, 2000)
	c, err := config.Load(config.Options{Roles: []config.Role{config.RoleProcessor, config.RoleTopology}, Environ: append([]string{
		fmt.Sprint("SWITCHBOARD_PROCESSOR_BATCH_LIVE_EVENTS=", live), fmt.Sprint("SWITCHBOARD_PROCESSOR_BATCH_CATCHUP_EVENTS=", max(live, 1000)),
		fmt.Sprint("SWITCHBOARD_PROCESSOR_BATCH_SUBJECT_EVENTS=", 2+upTo(r.rand, 500)),
		fmt.Sprint("SWITCHBOARD_PROCESSOR_CHUNK_COMMANDS=", commands), fmt.Sprintf("SWITCHBOARD_PROCESSOR_CACHE_BYTES=%dKiB", upTo(r.rand, 8000)),
	}, r.env...)})
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// upTo is a number from 1 to n, whose logarithm is even.
func upTo(r *rand.Rand, n int) int {
	x := 1
	for x < n && r.IntN(8) > 0 {
		x = 1 + x + r.IntN(x+1)
	}
	return min(x, n)
}

func (r *run) attack(all *results) {
	began := time.Now()
	var background sync.WaitGroup
	background.Go(func() { r.produce(r.ctx) })
	for range processors {
		r.fleet = append(r.fleet, r.start())
	}
	for _, what := range r.deck() {
		time.Sleep(time.Duration(50+r.rand.IntN(180)) * time.Millisecond) // the attack's own rhythm; nothing is waited for
		r.strike(what)
	}
	background.Wait()
	healed := r.heal()
	r.compare()
	for _, m := range r.fleet {
		m.stop()
	}
	for _, m := range r.fleet {
		if err := <-m.done; err != nil {
			r.Errorf("a processor ended with: %v", err)
		}
		r.counts.add(m.net.counts)
	}
	all.add(r, healed, time.Since(began))
}

const produceFor = 8 * time.Second

// produce appends the facts over the time of the attack.
func (r *run) produce(ctx context.Context) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(50*time.Millisecond))
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
	ticks := time.NewTicker(100 * time.Millisecond)
	defer ticks.Stop()
	share := 1 + len(r.facts)/int(produceFor/(100*time.Millisecond))
	for list := r.facts; len(list) > 0; <-ticks.C {
		n := min(len(list), share)
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
	}
}

// start starts a processor whose way to Redis is faulty.
func (r *run) start() *member {
	seed := r.rand.Uint64()
	n := newFaultnet(seed)
	n.drop, n.loseReply, n.late, n.maxLate = 20_000, 60_000, 60_000, 600*time.Millisecond
	ctx, cancel := context.WithCancel(r.ctx)
	m := &member{net: n, done: make(chan error, 1), stop: cancel}
	m.proc = &app.Processor{Config: r.config(), Logger: r.log.With("processor", seed%1000), Version: "attack", KafkaDial: n.dial(true), RedisDial: n.dial(false)}
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

// heal ends all faults and waits until every position has reached the end of its partition. It returns how long that took. What makes
// progress may take its time: the machine is shared.
func (r *run) heal() time.Duration {
	r.refused.Lock() // Redis takes everything again
	defer r.refused.Unlock()
	for _, m := range r.fleet {
		m.net.calm()
		m.net.thaw()
	}
	began := time.Now()
	moved, highest := began, [partitions]int64{}
	for p := int32(0); p < partitions; {
		next, err := r.redis.HGet(r.ctx, redisview.PosKey(r.lane(p)), "next").Int64()
		end := r.broker.PartitionInfo(topic, p).HighWatermark
		switch {
		case err == nil && next == end:
			p++
			continue
		case next > highest[p]:
			moved, highest[p] = time.Now(), next
		case time.Since(moved) > standstill:
			r.Fatalf("seed %d: partition %d stands still at %d of %d (%v): %v", r.seed, p, next, end, err, r.lanes())
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

// standstill is how long a position may stay where it is after the last fault: several times what a takeover needs.
const standstill = 20 * time.Second

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
	set, err := view.NewSet(r.views)
	if err != nil {
		r.Fatal(err)
	}
	for p, list := range reference.Parted(r.facts, partitions) {
		reference.Holds(r, r.redis, r.lane(int32(p)), set, list)
	}
}
