package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/topology"
)

// servers are the Kafka and the Redis of a run.
type servers struct {
	environ []string
	brokers []string
	redis   *redis.Client
	kafka   *process // the broker; nil when it is not known

	partitions int32 // of the topic of facts
}

// connectServers refuses a Redis that holds anything: it will be emptied.
func connectServers(ctx context.Context, environ []string) (*servers, error) {
	cfg, err := config.Load(config.Options{Environ: environ, Roles: []config.Role{config.RoleProcessor, config.RoleIngest}})
	if err != nil {
		return nil, err
	}
	s := &servers{environ: environ, brokers: cfg.Kafka.Brokers, redis: redis.NewClient(&redis.Options{Addr: cfg.Redis.Addrs[0], Protocol: 2})}
	switch n, err := s.redis.DBSize(ctx).Result(); {
	case err != nil:
		return nil, fmt.Errorf("no Redis answers: run `make bench`, or set SWITCHBOARD_REDIS_ADDRS: %w", err)
	case n > 0:
		return nil, fmt.Errorf("the Redis at %s holds %d keys, and bench would delete them: give it an empty one", cfg.Redis.Addrs[0], n)
	}
	top, err := app.LoadTopology(cfg)
	if err != nil {
		return nil, err
	}
	facts, _ := top.Topic(cfg.Kafka.TopicPrefix + "calls.reports")
	s.partitions = facts.Partitions
	if pids, err := filepath.Glob(filepath.Join(os.Getenv("SWITCHBOARD_LOCAL_DIR"), "run", "kafka-*.pid")); err == nil && len(pids) == 1 {
		s.kafka = processOf(pids[0])
	}
	return s, nil
}

func (s *servers) close() { s.redis.Close() }

// site is one set of topics of a run, and the config of roles that use it.
type site struct {
	*servers
	prefix string
	config *config.Config
	more   []string // of the environment of its roles

	partitions int32 // of the topic of facts, here
}

// newSite makes topics under a name that nobody else has. Its roles have what more says in their environment.
func (s *servers) newSite(ctx context.Context, more ...string) (*site, error) {
	t := &site{servers: s, prefix: fmt.Sprintf("bench%08x.", rand.Uint32()), more: more}
	var err error
	t.config, err = config.Load(config.Options{Environ: t.childEnviron(), Roles: []config.Role{config.RoleProcessor, config.RoleIngest}})
	if err != nil {
		return nil, err
	}
	diff, err := app.ApplyTopology(ctx, t.config, slog.New(slog.DiscardHandler), func(topology.Step) {})
	if err == nil {
		err = diff.Err()
	}
	if err != nil {
		return nil, err
	}
	top, err := app.LoadTopology(t.config)
	facts, _ := top.Topic(t.topic())
	t.partitions = facts.Partitions
	return t, err
}

// childEnviron configures a role that uses the site.
func (t *site) childEnviron(more ...string) []string {
	return slices.Concat(t.environ, []string{
		"SWITCHBOARD_KAFKA_TOPIC_PREFIX=" + t.prefix, "SWITCHBOARD_OBSERVABILITY_LISTEN=127.0.0.1:0", "SWITCHBOARD_INGEST_LISTEN=127.0.0.1:0",
	}, t.more, more)
}

func (t *site) topic() string { return t.prefix + "calls.reports" }

// keyPrefix is what stands before the keys of a subscriber in the generation that serves.
func (t *site) keyPrefix(ctx context.Context, id string) (string, error) {
	p := event.Partition{Topic: t.topic(), Number: event.PartitionOf(event.Subject(id), t.partitions)}
	name, err := t.redis.HGet(ctx, redisview.ServingKey, p.String()).Result()
	return fmt.Sprintf("v:{%s}:g%s:", p, name), err
}

// ends is where each partition of the topic of facts ends.
func (t *site) ends(ctx context.Context) ([]int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.brokers...))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return listEnds(ctx, client, t.topic(), t.partitions)
}

// positions is how far each partition is folded, by what lies in Redis; 0 where nothing is.
func (t *site) positions(ctx context.Context) (*positions, error) { return t.positionsIn(ctx, t.redis) }

func (t *site) positionsIn(ctx context.Context, r redis.UniversalClient) (*positions, error) {
	names, err := r.HGetAll(ctx, redisview.ServingKey).Result()
	if err != nil {
		return nil, err
	}
	p := &positions{redis: r, next: make([]int64, t.partitions)}
	for i := range p.next {
		id := event.Partition{Topic: t.topic(), Number: int32(i)}
		name, ok := names[id.String()]
		if !ok {
			return nil, fmt.Errorf("%s is not served", id)
		}
		p.keys = append(p.keys, redisview.PosKey(pipeline.LaneID{Partition: id, Generation: pipeline.Generation(name)}))
	}
	return p, p.read(ctx)
}

// positions reads `next` of all partitions in one trip.
type positions struct {
	redis redis.UniversalClient
	keys  []string
	next  []int64
}

func (p *positions) read(ctx context.Context) error {
	pipe := p.redis.Pipeline()
	replies := make([]*redis.StringCmd, len(p.keys))
	for i, key := range p.keys {
		replies[i] = pipe.HGet(ctx, key, "next")
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for i, r := range replies {
		p.next[i], _ = strconv.ParseInt(r.Val(), 10, 64)
	}
	return nil
}

func (p *positions) sum() int64 { return sum(p.next) }

// empty empties Redis and its counters.
func (s *servers) empty(ctx context.Context) error {
	if err := s.redis.FlushAll(ctx).Err(); err != nil {
		return err
	}
	s.redis.ConfigResetStat(ctx) // miniredis has no such counters
	return nil
}

// redisState is what Redis says of itself, for differences.
type redisState struct {
	cpu      time.Duration // of the process
	main     time.Duration // of the thread that executes commands
	exec     time.Duration // within commands, as INFO commandstats has it
	memory   int64         // bytes of used_memory
	commands map[string]commandStat
}

type commandStat struct {
	Calls int64   `json:"calls"`
	Usec  float64 `json:"usec"`
}

func (s *servers) redisState(ctx context.Context) redisState { return redisStateOf(ctx, s.redis) }

func redisStateOf(ctx context.Context, r *redis.Client) redisState {
	fields := map[string]string{}
	for _, section := range []string{"cpu", "memory", "commandstats"} {
		for line := range strings.Lines(r.Info(ctx, section).Val()) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				fields[k] = v
			}
		}
	}
	seconds := func(names ...string) (d time.Duration) {
		for _, n := range names {
			f, _ := strconv.ParseFloat(fields[n], 64)
			d += time.Duration(f * float64(time.Second))
		}
		return d
	}
	st := redisState{
		cpu: seconds("used_cpu_user", "used_cpu_sys"), main: seconds("used_cpu_user_main_thread", "used_cpu_sys_main_thread"),
		commands: map[string]commandStat{},
	}
	st.memory, _ = strconv.ParseInt(fields["used_memory"], 10, 64)
	for k, v := range fields {
		name, ok := strings.CutPrefix(k, "cmdstat_")
		if !ok || name == "info" || name == "config|resetstat" || name == "flushall" {
			continue
		}
		var c commandStat
		fmt.Sscanf(v, "calls=%d,usec=%f", &c.Calls, &c.Usec)
		st.commands[name] = c
		st.exec += time.Duration(c.Usec * 1000)
	}
	return st
}

// since is what Redis did since an earlier state.
func (a redisState) since(b redisState) redisState {
	d := redisState{cpu: a.cpu - b.cpu, main: a.main - b.main, exec: a.exec - b.exec, memory: a.memory - b.memory, commands: map[string]commandStat{}}
	for name, c := range a.commands {
		if n := c.Calls - b.commands[name].Calls; n > 0 {
			d.commands[name] = commandStat{n, c.Usec - b.commands[name].Usec}
		}
	}
	return d
}

// process is one whose CPU time and memory can be read from its folder in /proc.
type process struct{ folder string }

func processOf(pidFile string) *process {
	text, err := os.ReadFile(pidFile)
	if err != nil || len(strings.Fields(string(text))) == 0 {
		return nil
	}
	return &process{filepath.Join("/proc", strings.Fields(string(text))[0])}
}

// cpu is what it has used so far; 0 when that cannot be known.
func (p *process) cpu() time.Duration {
	if p == nil {
		return 0
	}
	text, err := os.ReadFile(filepath.Join(p.folder, "stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	sys, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+sys) * (time.Second / 100) // USER_HZ is 100 on every Linux of ours
}

// peakBytes is the most memory that it ever had resident; 0 when that cannot be known.
func (p *process) peakBytes() int64 {
	text, _ := os.ReadFile(filepath.Join(p.folder, "status"))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}
