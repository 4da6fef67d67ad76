package replay

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
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
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
	"switchboard/topology"
)

func TestMain(m *testing.M) { backend.Main(m) }

const partitions = 2

// site is one installation: a topic, its read models, and a processor that comes and goes.
type site struct {
	*testing.T
	b      backend.Backend
	config *config.Config
	redis  *redis.Client
	kafka  *kgo.Client
	admin  *kadm.Client
	topic  string
	group  string
	facts  []event.Event
	made   uint64 // facts so far, also those that a log has lost
	proc   *app.Processor
	stop   func() error
}

func newSite(t *testing.T, b backend.Backend) *site {
	t.Helper()
	s := &site{T: t, b: b, topic: b.Prefix + "calls.reports", group: b.Prefix + "switchboard-processor"}
	overlay := filepath.Join(t.TempDir(), "topology.yaml")
	small := fmt.Sprintf("topics:\n  calls.reports:\n    partitions: %d\n  devices.lifecycle:\n    partitions: 1\n  dead-letters:\n    partitions: 1\n  snapshots:\n    partitions: %d\n", partitions, partitions)
	if err := os.WriteFile(overlay, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{
		"SWITCHBOARD_ENV=dev", "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(b.Brokers, ","), "SWITCHBOARD_REDIS_ADDRS=" + strings.Join(b.Redis, ","),
		"SWITCHBOARD_KAFKA_TOPIC_PREFIX=" + b.Prefix, "SWITCHBOARD_TOPOLOGY_OVERLAYS=" + overlay,
		"SWITCHBOARD_PROCESSOR_TICK=100ms", "SWITCHBOARD_PROCESSOR_BATCH_MAX_COMMIT_INTERVAL=50ms",
	}
	if b.Name == "embedded" {
		environ = append(environ, "SWITCHBOARD_KAFKA_KIND=embedded", "SWITCHBOARD_REDIS_KIND=embedded")
	}
	var err error
	if s.config, err = config.Load(config.Options{Roles: []config.Role{config.RoleProcessor, config.RoleTopology, config.RoleSnapshotter}, Environ: environ}); err != nil {
		t.Fatal(err)
	}
	if diff, err := app.ApplyTopology(t.Context(), s.config, s.logger(), func(topology.Step) {}); err != nil || !diff.Empty() {
		t.Fatalf("topology: %v\n%s", err, diff)
	}
	s.redis = redis.NewClient(&redis.Options{Addr: b.Redis[0], Protocol: 2})
	if s.kafka, err = kgo.NewClient(kgo.SeedBrokers(b.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	s.admin = kadm.NewClient(s.kafka)
	t.Cleanup(func() { s.kafka.Close(); s.redis.Close() })
	return s
}

func (s *site) logger() *slog.Logger {
	if os.Getenv("DEBUG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// append produces n new facts.
func (s *site) append(n int) {
	s.Helper()
	enc, err := avrowire.NewEncoder(nil)
	if err != nil {
		s.Fatal(err)
	}
	r := rand.New(rand.NewPCG(s.made, 5))
	s.made += uint64(n)
	var records []*kgo.Record
	for range n {
		e := &event.CallReported{
			Common:      event.Common{Subject: event.Subject(fmt.Sprint("s", r.IntN(20))), OccurredAt: 1_700_000_000_000 + r.Int64N(30*86400)*1000},
			Report:      event.Report{Counterpart: fmt.Sprint("c", r.IntN(9)), Direction: event.Direction(1 + r.IntN(2)), Outcome: event.Answered},
			CallDetails: event.CallDetails{DurationS: int32(r.IntN(300))},
		}
		e.ID = event.IDOf(e)
		value, err := enc.Encode(nil, e)
		if err != nil {
			s.Fatal(err)
		}
		s.facts = append(s.facts, e)
		records = append(records, &kgo.Record{Topic: s.topic, Partition: event.PartitionOf(e.Subject, partitions), Key: e.ID[:], Value: value})
	}
	if err := s.kafka.ProduceSync(s.Context(), records...).FirstErr(); err != nil {
		s.Fatal(err)
	}
}

// start runs a processor until halt.
func (s *site) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.proc = &app.Processor{Config: s.config, Logger: s.logger(), Version: "replay"}
	done := make(chan error, 1)
	proc := s.proc
	go func() { done <- proc.Run(ctx) }()
	s.stop = func() error { cancel(); return <-done }
	s.Cleanup(func() { cancel() })
}

func (s *site) halt() {
	s.Helper()
	if err := s.stop(); err != nil {
		s.Fatalf("the processor ended with %v", err)
	}
}

// until waits for a condition, and says what was waited for when it does not come.
func (s *site) until(what string, ok func() bool) {
	s.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("%s: not within a minute; lanes: %+v", what, s.proc.Lanes())
		}
	}
}

func (s *site) partition(n int32) event.Partition { return event.Partition{Topic: s.topic, Number: n} }

func (s *site) serving(n int32) pipeline.Generation {
	return reference.Serving(s.Context(), s.redis, s.partition(n)).Generation
}

// caughtUp waits until the serving generations have folded everything.
func (s *site) caughtUp() {
	s.Helper()
	ends, err := s.admin.ListEndOffsets(s.Context(), s.topic)
	if err != nil {
		s.Fatal(err)
	}
	for p := range int32(partitions) {
		end, _ := ends.Lookup(s.topic, p)
		s.until(fmt.Sprintf("partition %d reaches %d", p, end.Offset), func() bool {
			next, err := s.redis.HGet(s.Context(), redisview.PosKey(pipeline.LaneID{Partition: s.partition(p), Generation: s.serving(p)}), "next").Int64()
			return err == nil && next == end.Offset
		})
	}
}

// exact holds the serving generations against the fold of the facts.
func (s *site) exact(facts []event.Event) {
	s.Helper()
	set, err := view.NewSet(view.Names())
	if err != nil {
		s.Fatal(err)
	}
	parts := make([][]event.Event, partitions)
	for _, e := range facts {
		p := event.PartitionOf(e.Envelope().Subject, partitions)
		parts[p] = append(parts[p], e)
	}
	for p, list := range parts {
		got, err := reference.Dump(s.Context(), s.redis, reference.Serving(s.Context(), s.redis, s.partition(int32(p))))
		if err != nil {
			s.Fatal(err)
		}
		if diff := reference.Diff(got, reference.Of(set, list)); diff != nil {
			s.Errorf("partition %d:\n%s", p, strings.Join(diff, "\n"))
		}
	}
}

// reset resets the group of a stopped processor as an operator does: by the stock tool on a real broker, by the same request without metadata
// on the embedded one.
func (s *site) reset(to string, offsets map[int32]int64) {
	s.Helper()
	if s.b.Name != "embedded" {
		s.consumerGroups(append([]string{"--topic", s.topic, "--reset-offsets", "--execute"}, strings.Fields(to)...)...)
		return
	}
	var o kadm.Offsets
	for p, at := range offsets {
		o.AddOffset(s.topic, p, at, -1)
	}
	if err := s.admin.CommitAllOffsets(s.Context(), s.group, o); err != nil {
		s.Fatal(err)
	}
}

// recreate makes the topics again after one was deleted; the brokers need a moment to forget the old one.
func (s *site) recreate() {
	s.Helper()
	s.until("the topic is there again", func() bool {
		diff, err := app.ApplyTopology(s.Context(), s.config, s.logger(), func(topology.Step) {})
		return err == nil && diff.Empty()
	})
	s.kafka.Close() // it remembers the old topic id
	var err error
	if s.kafka, err = kgo.NewClient(kgo.SeedBrokers(s.b.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		s.Fatal(err)
	}
	s.admin = kadm.NewClient(s.kafka)
}

// adopt and rollback are what `switchboard replay adopt` and `rollback` do.
func (s *site) adopt() {
	s.Helper()
	if err := app.AdoptTopic(s.Context(), s.config, s.logger(), s.topic); err != nil {
		s.Fatal(err)
	}
}

func (s *site) rollback(p int32) {
	s.Helper()
	if _, err := app.Rollback(s.Context(), s.config, []event.Partition{s.partition(p)}); err != nil {
		s.Fatal(err)
	}
}

// ready waits until the processor says that all is well.
func (s *site) ready() {
	s.Helper()
	s.until("the processor is ready", func() bool { return s.proc.Ready() == nil })
}

// stateOf is what the list of generations says of one.
func (s *site) stateOf(p int32, g pipeline.Generation) pipeline.GenerationState {
	s.Helper()
	models, err := redisview.New(redisview.Options{Addrs: s.b.Redis})
	if err != nil {
		s.Fatal(err)
	}
	defer models.Close()
	lines, err := models.List(s.Context(), s.partition(p))
	if err != nil {
		s.Fatal(err)
	}
	for _, line := range lines {
		if line.Generation == g {
			return line.State
		}
	}
	return ""
}

// replay is what `switchboard replay run` does.
func (s *site) replay(incomplete bool, only ...event.Partition) {
	s.Helper()
	if _, err := app.RunReplay(s.Context(), s.config, only, incomplete); err != nil {
		s.Fatal(err)
	}
}
