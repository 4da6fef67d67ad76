package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/kafkalog"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
	"switchboard/topology"
)

// partitions of the facts in these tests: enough to share, few to make.
const partitions = 4

// site is an installation: servers, topics under a prefix of its own, and what its programs are told.
type site struct {
	testing.TB
	on      backend.Backend
	env     []string
	reports string // topic of the facts
	letters string // topic of the dead letters
	client  *kgo.Client
	admin   *kadm.Client
	redis   *redis.Client
	encoder *avrowire.Encoder
}

// newSite has no topics yet.
func newSite(t testing.TB, b backend.Backend) *site {
	t.Helper()
	overlay := filepath.Join(t.TempDir(), "topology.yaml")
	small := fmt.Sprintf("topics:\n  calls.reports:\n    partitions: %d\n  dead-letters:\n    partitions: 2\n", partitions)
	if err := os.WriteFile(overlay, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	kafkaKind, redisKind := "server", "server"
	if b.Name != "real" {
		kafkaKind = "embedded"
	}
	if b.Server == nil {
		redisKind = "embedded"
	}
	s := &site{TB: t, on: b, reports: b.Prefix + "calls.reports", letters: b.Prefix + "dead-letters"}
	s.env = []string{
		"SWITCHBOARD_ENV=dev", "SWITCHBOARD_KAFKA_KIND=" + kafkaKind, "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(b.Brokers, ","), "SWITCHBOARD_KAFKA_TOPIC_PREFIX=" + b.Prefix,
		"SWITCHBOARD_REDIS_KIND=" + redisKind, "SWITCHBOARD_REDIS_ADDRS=" + strings.Join(b.Redis, ","), "SWITCHBOARD_TOPOLOGY_OVERLAYS=" + overlay,
		"SWITCHBOARD_INGEST_LISTEN=127.0.0.1:0", "SWITCHBOARD_OBSERVABILITY_LISTEN=127.0.0.1:0", "SWITCHBOARD_PROCESSOR_SESSION_TIMEOUT=6s",
	}
	var err error
	s.client, err = kgo.NewClient(kgo.SeedBrokers(b.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.ProducerBatchMaxBytes(1_040_000))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	s.admin = kadm.NewClient(s.client)
	s.redis = redis.NewClient(&redis.Options{Addr: b.Redis[0], Protocol: 2})
	t.Cleanup(func() { s.redis.Close() })
	if s.encoder, err = avrowire.NewEncoder(nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// builtSite has its topics.
func builtSite(t testing.TB, b backend.Backend) *site {
	t.Helper()
	s := newSite(t, b)
	c, err := config.Load(config.Options{Environ: s.env, Roles: []config.Role{config.RoleTopology}})
	if err != nil {
		t.Fatal(err)
	}
	left, err := app.ApplyTopology(t.Context(), c, slog.New(slog.DiscardHandler), func(topology.Step) {})
	if err != nil || !left.Empty() {
		t.Fatalf("topology: %v\n%s", err, left)
	}
	return s
}

// faulty is a broker in this process that does as it is told, and a Redis that can be killed.
func faulty(t testing.TB, opts ...kfake.Opt) (backend.Backend, *kfake.Cluster) {
	t.Helper()
	opts = append([]kfake.Opt{kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"})}, opts...)
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	server := backend.RealRedis(t)
	return backend.Backend{Name: "faulty", Brokers: cluster.ListenAddrs(), Redis: []string{server.Addr}, Prefix: backend.Prefix(), Server: server}, cluster
}

// noReplicas makes a broker refuse what is produced to a topic, for want of replicas in sync, until it is removed.
func noReplicas(topic string) kfake.Fault {
	return kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: -1}
}

// with is the environment of its programs and some more.
func (s *site) with(more ...string) []string { return append(slices.Clone(s.env), more...) }

func (s *site) cli(args ...string) ran {
	s.Helper()
	return run(s.TB, s.env, "switchboard", args...)
}

// fact is a record of a fact as the contract has it.
func (s *site) fact(e event.Event) *kgo.Record {
	s.Helper()
	value, err := s.encoder.Encode(nil, e)
	if err != nil {
		s.Fatal(err)
	}
	c := e.Envelope()
	return &kgo.Record{Topic: s.reports, Partition: event.PartitionOf(c.Subject, partitions), Key: slices.Clone(c.ID[:]), Value: value}
}

// produce appends records and gives their offsets to them.
func (s *site) produce(records ...*kgo.Record) {
	s.Helper()
	if err := s.client.ProduceSync(s.Context(), records...).FirstErr(); err != nil {
		s.Fatalf("produce: %v", err)
	}
}

// read reads a topic from its start to where it ends now, partition by partition, without control records and without
// what was aborted.
func (s *site) read(topic string) []*kgo.Record {
	s.Helper()
	ends, err := s.admin.ListEndOffsets(s.Context(), topic)
	if err != nil || ends.Error() != nil {
		s.Fatalf("ends of %s: %v, %v", topic, err, ends.Error())
	}
	at, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			at[o.Partition], left[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	if len(at) == 0 {
		return nil
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(s.on.Brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: at}), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		s.Fatal(err)
	}
	defer c.Close()
	var records []*kgo.Record
	for len(left) > 0 {
		ctx, cancel := context.WithTimeout(s.Context(), patience)
		fetches := c.PollFetches(ctx)
		cancel()
		if err := fetches.Err(); err != nil {
			s.Fatalf("read %s: %v, %v left", topic, err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= left[r.Partition]-1 {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
		})
	}
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return int(a.Partition - b.Partition) })
	return records
}

// facts are the events that stand in the log and can be folded, in the order of the log, partition by partition.
func (s *site) facts() []event.Event {
	s.Helper()
	decoder, err := avrowire.NewDecoder(nil)
	if err != nil {
		s.Fatal(err)
	}
	var list []event.Event
	for _, r := range s.read(s.reports) {
		e, err := decoder.Decode(r.Value)
		if err != nil || event.Validate(e) != nil || event.IDOf(e) != e.Envelope().ID || string(r.Key) != string(e.Envelope().ID[:]) || event.PartitionOf(e.Envelope().Subject, partitions) != r.Partition {
			continue
		}
		list = append(list, e)
	}
	return list
}

// pos is the position of a partition in the serving generation, -1 when there is none.
func (s *site) pos(partition int32) int64 {
	id := reference.Serving(s.Context(), s.redis, event.Partition{Topic: s.reports, Number: partition})
	next, err := s.redis.HGet(s.Context(), redisview.PosKey(id), "next").Int64()
	if err != nil {
		return -1
	}
	return next
}

// folded waits until the read models have reached the end of the log, and compares them with the fold of what stands in it.
func (s *site) folded() {
	s.Helper()
	s.reached()
	s.equals(s.facts())
}

// equals compares the read models with the fold of events.
func (s *site) equals(list []event.Event) {
	s.Helper()
	byPartition := make([][]event.Event, partitions)
	for _, e := range list {
		p := event.PartitionOf(e.Envelope().Subject, partitions)
		byPartition[p] = append(byPartition[p], e)
	}
	set, err := view.NewSet(view.Names())
	if err != nil {
		s.Fatal(err)
	}
	for p := range int32(partitions) {
		id := reference.Serving(s.Context(), s.redis, event.Partition{Topic: s.reports, Number: p})
		got, err := reference.Dump(s.Context(), s.redis, id)
		if err != nil {
			s.Fatal(err)
		}
		if diff := reference.Diff(got, reference.Of(set, byPartition[p])); diff != nil {
			s.Errorf("%s/%d is not the fold of its log:\n%s", s.reports, p, strings.Join(diff, "\n"))
		}
	}
}

// reached waits until every position is the end of its partition.
func (s *site) reached() {
	s.Helper()
	eventually(s, "the positions reach the ends", func() string {
		ends, err := s.admin.ListEndOffsets(s.Context(), s.reports)
		if err != nil {
			return err.Error()
		}
		var lags []string
		ends.Each(func(o kadm.ListedOffset) {
			if next := s.pos(o.Partition); next < o.Offset {
				lags = append(lags, fmt.Sprintf("%d is at %d of %d", o.Partition, next, o.Offset))
			}
		})
		return strings.Join(lags, ", ")
	})
}

// deadLetters are the letters in the log by their keys, each as often as it stands there.
func (s *site) deadLetters() map[string][]pipeline.DeadLetter {
	s.Helper()
	found := map[string][]pipeline.DeadLetter{}
	for _, r := range s.read(s.letters) {
		l, err := kafkalog.DecodeDeadLetter(r.Value)
		if err != nil {
			s.Errorf("a dead letter %q: %v", r.Value, err)
			continue
		}
		found[string(r.Key)] = append(found[string(r.Key)], l)
	}
	return found
}

// setting changes one setting of a topic, and waits until the brokers say so.
func (s *site) setting(topic, name, value string) {
	s.Helper()
	_, err := s.admin.AlterTopicConfigs(s.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, topic)
	if err != nil {
		s.Fatal(err)
	}
	eventually(s, topic+" has "+name+" = "+value, func() string {
		configs, err := s.admin.DescribeTopicConfigs(s.Context(), topic)
		if err != nil {
			return err.Error()
		}
		for _, c := range configs[0].Configs {
			if c.Key == name && c.MaybeValue() == value {
				return ""
			}
		}
		return "not yet"
	})
}

// topics are the names of all topics of the site, with their partitions.
func (s *site) topics() map[string]int {
	s.Helper()
	req := kmsg.NewPtrMetadataRequest() // not kadm's, which may answer from a cache
	resp, err := req.RequestWith(s.Context(), s.client)
	if err != nil {
		s.Fatal(err)
	}
	found := map[string]int{}
	for _, t := range resp.Topics {
		if t.Topic != nil && strings.HasPrefix(*t.Topic, s.on.Prefix) {
			found[*t.Topic] = len(t.Partitions)
		}
	}
	return found
}

// call is a report of a call in the shape of every door.
func call(subscriber, counterpart string, n int) event.Submitted {
	zero := int32(0)
	return event.Submitted{
		Kind: "call", Subscriber: subscriber, Counterpart: counterpart, Direction: "out", StartedAt: 1_709_510_400_000 + int64(n)*60_000,
		DurationS: int32(1 + n%600), Outcome: "answered", UTCOffsetS: &zero,
	}
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// cardKey is the key of a subscriber's card.
func (s *site) cardKey(subject event.Subject) string {
	id := reference.Serving(s.Context(), s.redis, event.Partition{Topic: s.reports, Number: event.PartitionOf(subject, partitions)})
	return redisview.Prefix(id) + "card:" + string(subject)
}
