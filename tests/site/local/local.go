// Package local is a small installation for tests that look into it: topics of its own on the servers of a backend, facts that it appends and
// remembers, roles in this process, and the read models held against the fold of the facts. Package site is its counterpart of built
// programs.
//
//	backend.Each(t, func(t *testing.T, b backend.Backend) {
//		s := local.New(t, b, local.Options{})
//		s.Append(300)
//		s.Start()
//		s.CaughtUp()
//		... // what the test is about
//		s.CaughtUp()
//		s.Exact()
//		s.Halt()
//	})
//
// A suite with more to say embeds Site in a type of its own.
package local

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/tests/backend"
	"switchboard/topology"
)

// Options are what a test wants otherwise.
type Options struct {
	Partitions map[string]int      // of topics, by their names without the prefix, where they are not those of partitions; snapshots go by the facts
	Settings   map[string][]string // more lines of such a topic in the topology
	Copies     int                 // of each partition; 0: one
	Env        []string            // of every role
	Logger     *slog.Logger        // of roles in this process; nil: with DEBUG=1 standard error, else nothing
	NoTopics   bool                // they are not made yet
}

// partitions is what there is of each topic: enough facts to share, few of everything to make.
var partitions = map[string]int{"calls.reports": 2, "devices.lifecycle": 1, "calls.inbox": 1, "devices.inbox": 1, "dead-letters": 1}

// Site is an installation. One goroutine uses it, but for what says otherwise.
type Site struct {
	testing.TB
	On      backend.Backend
	Env     []string       // what every program of it is told
	Config  *config.Config // of the roles in this process, which read it when they start
	Logger  *slog.Logger
	Reports string // topic of the facts about subscribers
	Devices string // and about devices
	Letters string // topic of the dead letters

	Kafka   *kgo.Client // a record's partition is its own
	Admin   *kadm.Client
	Redis   redis.UniversalClient // nil: the backend has none
	Encoder *avrowire.Encoder

	Facts     []event.Event  // what Append and Add have appended, in their order
	Processor *app.Processor // the last that Start has started
	RedisDial app.Dialer     // its way to Redis; nil: the ordinary one

	counts  map[string]int32 // partitions of the facts, by topic
	made    uint64           // facts that Append has made
	running *Running         // the processor
}

// New makes the topics.
func New(t testing.TB, b backend.Backend, o Options) *Site {
	t.Helper()
	s := &Site{TB: t, On: b, Reports: b.Prefix + "calls.reports", Devices: b.Prefix + "devices.lifecycle", Letters: b.Prefix + "dead-letters", Logger: o.Logger}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
		if os.Getenv("DEBUG") != "" {
			s.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
		}
	}
	counts := maps.Clone(partitions)
	maps.Copy(counts, o.Partitions)
	counts["snapshots"] = max(counts["calls.reports"], counts["devices.lifecycle"])
	s.counts = map[string]int32{s.Reports: int32(counts["calls.reports"]), s.Devices: int32(counts["devices.lifecycle"])}
	overlay := filepath.Join(t.TempDir(), "topology.yaml")
	if err := os.WriteFile(overlay, []byte(small(counts, o)), 0o600); err != nil {
		t.Fatal(err)
	}
	kafkaKind, redisKind := "server", "server"
	if b.Name == "embedded" {
		kafkaKind = "embedded"
	}
	switch {
	case b.Cluster:
		redisKind = "cluster"
	case b.Name == "embedded" && b.Server == nil:
		redisKind = "embedded"
	}
	s.Env = append([]string{
		"SWITCHBOARD_ENV=dev", "SWITCHBOARD_KAFKA_KIND=" + kafkaKind, "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(b.Brokers, ","), "SWITCHBOARD_KAFKA_TOPIC_PREFIX=" + b.Prefix,
		"SWITCHBOARD_TOPOLOGY_OVERLAYS=" + overlay, "SWITCHBOARD_INGEST_LISTEN=127.0.0.1:0", "SWITCHBOARD_OBSERVABILITY_LISTEN=127.0.0.1:0",
	}, o.Env...)
	if b.Redis != nil {
		s.Env = append(s.Env, "SWITCHBOARD_REDIS_KIND="+redisKind, "SWITCHBOARD_REDIS_ADDRS="+strings.Join(b.Redis, ","))
		s.Redis = redis.NewUniversalClient(&redis.UniversalOptions{Addrs: b.Redis, IsClusterMode: b.Cluster, Protocol: 2})
		t.Cleanup(func() { s.Redis.Close() })
	}
	s.Config = s.Load()
	s.Connect()
	t.Cleanup(func() { s.Kafka.Close() })
	var err error
	if s.Encoder, err = avrowire.NewEncoder(nil); err != nil {
		t.Fatal(err)
	}
	if o.NoTopics {
		return s
	}
	if err := s.ApplyTopology(); err != nil {
		t.Fatal(err)
	}
	return s
}

// small is the overlay of the topology.
func small(counts map[string]int, o Options) string {
	var out strings.Builder
	if o.Copies > 1 {
		fmt.Fprintf(&out, "defaults: {replication: %d, min_insync: 2}\n", o.Copies)
	}
	out.WriteString("topics:\n")
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		lines := append([]string{fmt.Sprint("partitions: ", counts[name])}, o.Settings[name]...)
		fmt.Fprintf(&out, "  %s:\n    %s\n", name, strings.Join(lines, "\n    "))
	}
	return out.String()
}

// Load is the configuration of roles in this process, which look around more often than programs, and some more.
func (s *Site) Load(more ...string) *config.Config {
	s.Helper()
	roles := []config.Role{config.RoleProcessor, config.RoleTopology, config.RoleIngest, config.RoleSnapshotter}
	environ := slices.Concat([]string{"SWITCHBOARD_PROCESSOR_TICK=100ms", "SWITCHBOARD_PROCESSOR_BATCH_MAX_COMMIT_INTERVAL=50ms"}, s.Env, more)
	c, err := config.Load(config.Options{Roles: roles, Environ: environ})
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// ApplyTopology makes the topics that are not there.
func (s *Site) ApplyTopology() error {
	diff, err := app.ApplyTopology(s.Context(), s.Config, s.Logger, func(topology.Step) {})
	if err == nil && !diff.Empty() {
		err = fmt.Errorf("topology: left to do:\n%s", diff)
	}
	return err
}

// Connect makes Kafka and Admin anew: a client remembers the ids of topics.
func (s *Site) Connect() {
	s.Helper()
	if s.Kafka != nil {
		s.Kafka.Close()
	}
	var err error
	s.Kafka, err = kgo.NewClient(kgo.SeedBrokers(s.On.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(1_040_000), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		s.Fatal(err)
	}
	s.Admin = kadm.NewClient(s.Kafka)
}

// Patience is how long anything may take, on two cores that others are using too.
const Patience = 2 * time.Minute

// Until waits for a condition, and says what was waited for when it does not come.
func (s *Site) Until(what string, ok func() bool) {
	s.Helper()
	s.eventually(what, func() string {
		if ok() {
			return ""
		}
		return "not yet"
	})
}

// eventually asks until the answer is "", which is what is awaited; else the answer says what is there instead.
func (s *Site) eventually(what string, ask func() string) {
	s.Helper()
	for deadline := time.Now().Add(Patience); ; time.Sleep(10 * time.Millisecond) {
		got := ask()
		if got == "" {
			return
		}
		if time.Now().After(deadline) {
			if s.Processor != nil {
				got += fmt.Sprintf("; ready: %v; lanes: %+v", s.Processor.Ready(), s.Processor.Lanes())
			}
			s.Fatalf("%s: not within %v: %s", what, Patience, got)
		}
	}
}
