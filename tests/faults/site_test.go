// Package faults injects what can go wrong with the servers around an installation, and holds the read models against the fold of the log
// afterwards. Which rows of faults.txt that covers is said above each test; FAULTS.md lists all.
package faults

import (
	"context"
	"errors"
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

// site is one installation: topics, read models, and roles that come and go in this process.
type site struct {
	*testing.T
	b       backend.Backend
	config  *config.Config
	redis   redis.UniversalClient
	kafka   *kgo.Client
	admin   *kadm.Client
	encoder *avrowire.Encoder
	topic   string
	letters string
	dial    app.Dialer // the processor's way to Redis; nil: the ordinary one

	facts []event.Event // in the order in which they were acknowledged
	proc  *app.Processor
	stop  context.CancelFunc
	done  chan error
}

// options are what a test wants otherwise.
type options struct {
	environ []string
	facts   []string // lines of calls.reports in the topology
	letters []string // likewise
	copies  int      // of each partition; 0: one
}

func newSite(t *testing.T, b backend.Backend, o options) *site {
	t.Helper()
	s := &site{T: t, b: b, topic: b.Prefix + "calls.reports", letters: b.Prefix + "dead-letters"}
	overlay := filepath.Join(t.TempDir(), "topology.yaml")
	if err := os.WriteFile(overlay, []byte(small(o)), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{
		"SWITCHBOARD_ENV=dev", "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(b.Brokers, ","), "SWITCHBOARD_REDIS_ADDRS=" + strings.Join(b.Redis, ","),
		"SWITCHBOARD_KAFKA_TOPIC_PREFIX=" + b.Prefix, "SWITCHBOARD_TOPOLOGY_OVERLAYS=" + overlay, "SWITCHBOARD_INGEST_LISTEN=127.0.0.1:0",
		"SWITCHBOARD_PROCESSOR_TICK=100ms", "SWITCHBOARD_PROCESSOR_BATCH_MAX_COMMIT_INTERVAL=50ms", "SWITCHBOARD_PROCESSOR_VIEWS=" + strings.Join(view.Names(), ","),
	}
	switch b.Name {
	case "embedded":
		environ = append(environ, "SWITCHBOARD_KAFKA_KIND=embedded", "SWITCHBOARD_REDIS_KIND=embedded")
	case "real-cluster":
		environ = append(environ, "SWITCHBOARD_REDIS_KIND=cluster")
	}
	var err error
	roles := []config.Role{config.RoleProcessor, config.RoleTopology, config.RoleIngest, config.RoleSnapshotter}
	if s.config, err = config.Load(config.Options{Roles: roles, Environ: append(environ, o.environ...)}); err != nil {
		t.Fatal(err)
	}
	if diff, err := app.ApplyTopology(t.Context(), s.config, s.logger(), func(topology.Step) {}); err != nil || !diff.Empty() {
		t.Fatalf("topology: %v\n%s", err, diff)
	}
	if b.Cluster {
		s.redis = redis.NewClusterClient(&redis.ClusterOptions{Addrs: b.Redis, Protocol: 2})
	} else {
		s.redis = redis.NewClient(&redis.Options{Addr: b.Redis[0], Protocol: 2})
	}
	if s.kafka, err = kgo.NewClient(kgo.SeedBrokers(b.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(100*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if s.encoder, err = avrowire.NewEncoder(nil); err != nil {
		t.Fatal(err)
	}
	s.admin = kadm.NewClient(s.kafka)
	t.Cleanup(func() { s.kafka.Close(); s.redis.Close() })
	return s
}

// small is an overlay with few partitions.
func small(o options) string {
	var out strings.Builder
	if o.copies > 1 {
		fmt.Fprintf(&out, "defaults:\n  replication: %d\n  min_insync: 2\n", o.copies)
	}
	out.WriteString("topics:\n")
	for name, n := range map[string]int{"calls.reports": partitions, "devices.lifecycle": 1, "calls.inbox": 1, "devices.inbox": 1, "dead-letters": 1, "snapshots": partitions} {
		fmt.Fprintf(&out, "  %s:\n    partitions: %d\n", name, n)
		for _, line := range map[string][]string{"calls.reports": o.facts, "dead-letters": o.letters}[name] {
			fmt.Fprintf(&out, "    %s\n", line)
		}
	}
	return out.String()
}

func (s *site) logger() *slog.Logger {
	if os.Getenv("DEBUG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// call is a fact that no other call of it gives again.
func (s *site) call(r *rand.Rand) *event.CallReported {
	e := &event.CallReported{
		Common:      event.Common{Subject: event.Subject(fmt.Sprint("s", r.IntN(20))), OccurredAt: 1_700_000_000_000 + r.Int64N(30*86400)*1000},
		Report:      event.Report{Counterpart: fmt.Sprint("c", r.IntN(9)), Direction: event.Direction(1 + r.IntN(2)), Outcome: event.Answered},
		CallDetails: event.CallDetails{DurationS: int32(r.IntN(300))},
	}
	e.ID = event.IDOf(e)
	return e
}

// record is a fact as it stands in the log.
func (s *site) record(e event.Event) *kgo.Record {
	s.Helper()
	value, err := s.encoder.Encode(nil, e)
	if err != nil {
		s.Fatal(err)
	}
	id := e.Envelope().ID
	return &kgo.Record{Topic: s.topic, Partition: event.PartitionOf(e.Envelope().Subject, partitions), Key: id[:], Value: value}
}

// append produces n new facts.
func (s *site) append(n int) {
	s.Helper()
	r := rand.New(rand.NewPCG(uint64(len(s.facts)), 5))
	for range n {
		s.facts = append(s.facts, s.call(r))
	}
	s.produce(s.facts[len(s.facts)-n:])
}

func (s *site) produce(list []event.Event) {
	s.Helper()
	var records []*kgo.Record
	for _, e := range list {
		records = append(records, s.record(e))
	}
	s.write(records...)
}

func (s *site) write(records ...*kgo.Record) {
	s.Helper()
	if err := s.kafka.ProduceSync(s.Context(), records...).FirstErr(); err != nil {
		s.Fatal(err)
	}
}

// start runs a processor until halt.
func (s *site) start() {
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	proc := &app.Processor{Config: s.config, Logger: s.logger(), Version: "faults", RedisDial: s.dial}
	done := make(chan error, 1)
	go func() { done <- proc.Run(ctx) }()
	s.proc, s.done = proc, done
	s.Cleanup(s.stop)
}

func (s *site) halt() {
	s.Helper()
	s.stop()
	if err := s.ended(); err != nil {
		s.Fatalf("the processor ended with %v", err)
	}
}

// ended waits until the processor has ended.
func (s *site) ended() error {
	s.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(patience):
		s.Fatal("the processor goes on")
		return nil
	}
}

// patience is for a machine that others use too.
const patience = 60 * time.Second

// until waits for a condition, and says what was waited for when it does not come.
func (s *site) until(what string, ok func() bool) {
	s.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			lanes := ""
			if s.proc != nil {
				lanes = fmt.Sprintf("; ready: %v; lanes: %+v", s.proc.Ready(), s.proc.Lanes())
			}
			s.Fatalf("%s: not within %v%s", what, patience, lanes)
		}
	}
}

func (s *site) partition(n int32) event.Partition { return event.Partition{Topic: s.topic, Number: n} }

func (s *site) lane(n int32) pipeline.Snapshot { return s.proc.Lanes()[s.partition(n)] }

func (s *site) serving(n int32) pipeline.LaneID {
	return reference.Serving(s.Context(), s.redis, s.partition(n))
}

// next is the position of a partition as Redis has it, -1 when it has none.
func (s *site) next(n int32) int64 {
	next, err := s.redis.HGet(s.Context(), redisview.PosKey(s.serving(n)), "next").Int64()
	if err != nil {
		return -1
	}
	return next
}

// ends are the ends of the partitions, behind what is committed.
func (s *site) ends() (list [partitions]int64) {
	s.Helper()
	ends, err := s.admin.ListCommittedOffsets(s.Context(), s.topic)
	if err != nil {
		s.Fatal(err)
	}
	for p := range list {
		end, _ := ends.Lookup(s.topic, int32(p))
		list[p] = end.Offset
	}
	return list
}

// caughtUp waits until the serving generations have folded everything.
func (s *site) caughtUp() {
	s.Helper()
	for p, end := range s.ends() {
		s.until(fmt.Sprintf("partition %d reaches %d", p, end), func() bool { return s.next(int32(p)) == end })
	}
}

// exact holds the serving generations against the fold of the facts.
func (s *site) exact() {
	s.Helper()
	set, err := view.NewSet(view.Names())
	if err != nil {
		s.Fatal(err)
	}
	for p := range int32(partitions) {
		got, err := reference.Dump(s.Context(), s.node(p), s.serving(p))
		if err != nil {
			s.Fatal(err)
		}
		if diff := reference.Diff(got, reference.Of(set, factsOf(p, s.facts))); diff != nil {
			s.Errorf("partition %d:\n%s", p, strings.Join(diff, "\n"))
		}
	}
}

// factsOf is those of one partition.
func factsOf(p int32, facts []event.Event) (list []event.Event) {
	for _, e := range facts {
		if event.PartitionOf(e.Envelope().Subject, partitions) == p {
			list = append(list, e)
		}
	}
	return list
}

// node is where a partition's keys are: the one that answers for its position itself. What a cluster client believes may be old.
func (s *site) node(n int32) *redis.Client {
	s.Helper()
	if client, ok := s.redis.(*redis.Client); ok {
		return client
	}
	var refused []error
	for _, addr := range s.b.Redis {
		node := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2})
		s.Cleanup(func() { node.Close() })
		err := node.Exists(s.Context(), redisview.PosKey(s.serving(n))).Err()
		if err == nil {
			return node
		}
		refused = append(refused, err)
	}
	s.Fatal("no node answers for the partition: ", errors.Join(refused...))
	return nil
}

// folded is a site with facts that its processor, which goes on, has folded.
func folded(t *testing.T, b backend.Backend, o options) *site {
	t.Helper()
	s := newSite(t, b, o)
	s.append(300)
	s.start()
	s.caughtUp()
	return s
}

// noLetters checks that nothing was buried.
func (s *site) noLetters() {
	s.Helper()
	ends, err := s.admin.ListEndOffsets(s.Context(), s.letters)
	if err != nil {
		s.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset != 0 {
			s.Errorf("%d dead letters", o.Offset)
		}
	})
}
