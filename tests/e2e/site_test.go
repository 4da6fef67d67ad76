package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/kafkalog"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

// partitions of the facts in these tests: enough to share, few to make.
const partitions = 4

// site is an installation whose roles are programs.
type site struct{ *local.Site }

// newSite has no topics yet.
func newSite(t testing.TB, b backend.Backend) *site { return siteWith(t, b, true) }

// builtSite has its topics.
func builtSite(t testing.TB, b backend.Backend) *site { return siteWith(t, b, false) }

func siteWith(t testing.TB, b backend.Backend, noTopics bool) *site {
	t.Helper()
	return &site{local.New(t, b, local.Options{
		Partitions: map[string]int{"calls.reports": partitions, "dead-letters": 2},
		Env:        []string{"SWITCHBOARD_PROCESSOR_SESSION_TIMEOUT=6s"},
		NoTopics:   noTopics,
	})}
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
	return backend.Backend{Name: "embedded", Brokers: cluster.ListenAddrs(), Redis: []string{server.Addr}, Prefix: backend.Prefix(), Server: server}, cluster
}

// noReplicas makes a broker refuse what is produced to a topic, for want of replicas in sync, until it is removed.
func noReplicas(topic string) kfake.Fault {
	return kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: -1}
}

// with is the environment of its programs and some more.
func (s *site) with(more ...string) []string { return append(slices.Clone(s.Env), more...) }

func (s *site) cli(args ...string) ran {
	s.Helper()
	return run(s.TB, s.Env, "switchboard", args...)
}

// facts are the events that stand in the log and can be folded, in the order of the log, partition by partition.
func (s *site) facts() []event.Event {
	s.Helper()
	decoder, err := avrowire.NewDecoder(nil)
	if err != nil {
		s.Fatal(err)
	}
	var list []event.Event
	for _, r := range s.Read(s.Reports) {
		e, err := decoder.Decode(r.Value)
		if err != nil || event.Validate(e) != nil || event.IDOf(e) != e.Envelope().ID || string(r.Key) != string(e.Envelope().ID[:]) || event.PartitionOf(e.Envelope().Subject, partitions) != r.Partition {
			continue
		}
		list = append(list, e)
	}
	return list
}

// folded waits until the read models have reached the end of the log, and compares them with the fold of what stands in it.
func (s *site) folded() {
	s.Helper()
	s.CaughtUp()
	s.Holds(s.facts())
}

// deadLetters are the letters in the log by their keys, each as often as it stands there.
func (s *site) deadLetters() map[string][]pipeline.DeadLetter {
	s.Helper()
	found := map[string][]pipeline.DeadLetter{}
	for _, r := range s.Read(s.Letters) {
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
	_, err := s.Admin.AlterTopicConfigs(s.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, topic)
	if err != nil {
		s.Fatal(err)
	}
	eventually(s, topic+" has "+name+" = "+value, func() string {
		configs, err := s.Admin.DescribeTopicConfigs(s.Context(), topic)
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
	resp, err := req.RequestWith(s.Context(), s.Kafka)
	if err != nil {
		s.Fatal(err)
	}
	found := map[string]int{}
	for _, t := range resp.Topics {
		if t.Topic != nil && strings.HasPrefix(*t.Topic, s.On.Prefix) {
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
	return redisview.Prefix(s.Serving(event.PartitionOf(subject, partitions))) + "card:" + string(subject)
}
