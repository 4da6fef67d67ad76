package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// target is a Redis that processors write to: one, or a cluster.
type target struct {
	name    string
	client  redis.UniversalClient
	nodes   []*redis.Client
	environ []string
}

// scaled is so many processors, each with one partition.
type scaled struct {
	Redis                              string
	Processors                         int
	EventsPerSecond                    float64
	RedisCores                         []float64 // of each node's main thread
	ProcessorCores, KafkaCores, AllCPU float64   // of all processors; of everything
	Saturated                          string
}

// measureScaling catches up with 1, 2 and 4 processors, one partition each, on one Redis and on a cluster of three.
func measureScaling(ctx context.Context, b *bench) error {
	targets := []*target{{name: "one Redis", client: b.servers.redis, nodes: []*redis.Client{b.servers.redis}}}
	if b.servers.kafka != nil { // servers of deploy/local: a cluster can be had too
		cluster, stop, err := startCluster(ctx)
		if err != nil {
			return err
		}
		defer stop()
		targets = append(targets, cluster)
	}
	var all []scaled
	for _, to := range targets {
		one := 0.0
		for _, n := range []int{1, 2, 4} {
			s, err := b.scale(ctx, to, n)
			if err != nil {
				return fmt.Errorf("%s, %d processors: %w", to.name, n, err)
			}
			b.say("scaling: %s, %d processors: %s events/s, saturated: %s", to.name, n, number(s.EventsPerSecond), s.Saturated)
			all = append(all, s)
			if n == 1 {
				one = s.EventsPerSecond
			}
			b.add(beside(fmt.Sprintf("scaling: %s, %d processors of a partition each", to.name, n), s.EventsPerSecond, "events/s", one,
				fmt.Sprintf("%s; cores: Redis %s, processors %.2f, Kafka %.2f, of %d", s.Saturated, strings.Trim(fmt.Sprintf("%.2f", s.RedisCores), "[]"), s.ProcessorCores, s.KafkaCores, cores())))
		}
	}
	return b.details("scaling", all)
}

// scale stops processors that have their partitions, fills the log, and lets them go on: what is measured is folding alone.
func (b *bench) scale(ctx context.Context, to *target, n int) (s scaled, err error) {
	t, err := b.scaledSite(ctx, to, n)
	if err != nil {
		return s, err
	}
	for _, node := range to.nodes {
		if err := node.FlushAll(ctx).Err(); err != nil {
			return s, err
		}
	}
	var roles []*child
	signal := func(sig syscall.Signal) {
		for _, p := range roles {
			_ = p.cmd.Process.Signal(sig)
		}
	}
	defer func() {
		for _, p := range roles {
			p.kill()
		}
	}()
	for range n {
		p, err := t.start(ctx, spec{Role: "processor"})
		if err != nil {
			return s, err
		}
		roles = append(roles, p)
	}
	for _, p := range roles {
		if _, err := p.await(ctx, "claimed"); err != nil {
			return s, err
		}
	}
	c, err := newCorpus(newReporter(b.events, b.subscribers, 0), b.events, t.partitions)
	if err != nil {
		return s, err
	}
	signal(syscall.SIGSTOP)
	err = c.produce(ctx, t)
	total := int64(c.n)
	c = nil
	s = scaled{Redis: to.name, Processors: n}
	before, kafka := to.states(ctx), b.servers.kafka.cpu()
	cpu := cpuOf(roles)
	signal(syscall.SIGCONT)
	began := time.Now()
	if err != nil {
		return s, err
	}
	positions, err := t.positionsIn(ctx, to.client)
	if err != nil {
		return s, err
	}
	for positions.sum() < total {
		if err := positions.read(ctx); err != nil {
			return s, err
		}
		if time.Since(began) > 5*time.Minute {
			return s, fmt.Errorf("%d of %d events after 5 minutes", positions.sum(), total)
		}
		time.Sleep(5 * time.Millisecond)
	}
	took := time.Since(began).Seconds()
	s.EventsPerSecond = float64(total) / took
	s.ProcessorCores, s.KafkaCores = (cpuOf(roles)-cpu).Seconds()/took, (b.servers.kafka.cpu()-kafka).Seconds()/took
	s.AllCPU = s.ProcessorCores + s.KafkaCores
	for i, state := range to.states(ctx) {
		did := state.since(before[i])
		s.RedisCores = append(s.RedisCores, did.main.Seconds()/took)
		s.AllCPU += did.cpu.Seconds() / took
	}
	s.Saturated = s.saturated()
	for _, p := range roles {
		if _, err := p.end(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

// scaledSite has a topic of facts with so many partitions, and no devices.
func (b *bench) scaledSite(ctx context.Context, to *target, partitions int) (*site, error) {
	overlay, err := filepath.Abs(filepath.Join(b.out, fmt.Sprintf("partitions-%d.yaml", partitions)))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(overlay, fmt.Appendf(nil, "topics:\n  calls.reports:\n    partitions: %d\n", partitions), 0o644); err != nil {
		return nil, err
	}
	return b.servers.newSite(ctx, append([]string{
		"SWITCHBOARD_TOPOLOGY_OVERLAYS=" + overlay, "SWITCHBOARD_PROCESSOR_VIEWS=card,contacts,timeline,reach,top,totals",
		"SWITCHBOARD_PROCESSOR_SESSION_TIMEOUT=2m", "SWITCHBOARD_PROCESSOR_REBALANCE_TIMEOUT=2m", // they stand still while the log is filled
	}, to.environ...)...)
}

func (to *target) states(ctx context.Context) (list []redisState) {
	for _, node := range to.nodes {
		list = append(list, redisStateOf(ctx, node))
	}
	return list
}

func cpuOf(roles []*child) (sum time.Duration) {
	for _, p := range roles {
		sum += p.process().cpu()
	}
	return sum
}

// saturated names what had no more to give.
func (s *scaled) saturated() string {
	for _, used := range s.RedisCores {
		if used > 0.9 {
			return "a Redis (its one thread)"
		}
	}
	switch {
	case s.AllCPU > 0.9*float64(cores()):
		return "the cores of this machine"
	case s.Processors == 1 && s.ProcessorCores > 0.9:
		return "the one lane (a partition is folded by one goroutine)"
	case s.ProcessorCores > 0.9*float64(s.Processors):
		return "the lanes"
	}
	return "nothing: it waits"
}

// startCluster starts three Redis masters.
func startCluster(ctx context.Context) (*target, func(), error) {
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, nil, err
	}
	script := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(ctx), name, args...)
		cmd.Env = append(os.Environ(), "SWITCHBOARD_LOCAL_DIR="+folder, "REDIS_CLUSTER=1", "REDIS_PORT=0", "DATA=wipe")
		cmd.Stderr = os.Stderr
		return cmd
	}
	stop := func() {
		_ = script("deploy/local/down", "redis").Run()
		_ = os.RemoveAll(folder)
	}
	out, err := script("deploy/local/up", "redis").Output()
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("start a cluster: %w", err)
	}
	_, rest, _ := strings.Cut(string(out), "SWITCHBOARD_REDIS_ADDRS=")
	addrs := strings.Split(strings.TrimSpace(rest), ",")
	to := &target{
		name: "a cluster of 3", client: redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, Protocol: 2}),
		environ: []string{"SWITCHBOARD_REDIS_KIND=cluster", "SWITCHBOARD_REDIS_ADDRS=" + strings.Join(addrs, ",")},
	}
	for _, addr := range addrs {
		to.nodes = append(to.nodes, redis.NewClient(&redis.Options{Addr: addr, Protocol: 2}))
	}
	return to, stop, nil
}
