package kafkalog

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/topology"
)

func TestDeadLetters(t *testing.T) {
	onEach(t, 3, func(b *bench) {
		noLeaks(b.t)
		bury := DeadLetters(b.appender(), b.topic)
		letters := []pipeline.DeadLetter{
			{Partition: event.Partition{Topic: "calls.reports", Number: 7}, TopicID: event.TopicID{1, 2}, Offset: 123, LeaderEpoch: 4, Class: pipeline.ClassBadAvro, Reason: "no <record>"},
			{Partition: event.Partition{Topic: "calls.reports", Number: 7}, TopicID: event.TopicID{1, 2}, Offset: 124, LeaderEpoch: -1, Class: pipeline.ClassBadKey},
		}
		if err := bury(b.ctx, letters); err != nil {
			b.t.Fatal(err)
		}
		log := b.log()
		ends, err := log.HighWatermarks(b.ctx, b.topic)
		if err != nil {
			b.t.Fatal(err)
		}
		found := make(map[string]pipeline.DeadLetter)
		for p, end := range ends {
			err := log.ReadRange(b.ctx, p, 0, end, func(r pipeline.Raw) error {
				letter, err := DecodeDeadLetter(r.Value)
				found[string(r.Key)] = letter
				return err
			})
			if err != nil {
				b.t.Error(err)
			}
		}
		for _, want := range letters {
			key := "calls.reports/7/" + strconv.FormatInt(want.Offset, 10)
			if found[key] != want {
				b.t.Errorf("%s: %+v, want %+v", key, found[key], want)
			}
		}
		if err := DeadLetters(b.appender(), b.topic+".gone")(b.ctx, letters); !errors.As(err, new(*MissingTopic)) {
			b.t.Errorf("without a topic: %v", err)
		}
	})
	_, value := EncodeDeadLetter(pipeline.DeadLetter{Partition: event.Partition{Topic: "calls.reports", Number: 7}, Offset: 123, LeaderEpoch: 4, Class: "bad_avro", Reason: "no record"})
	const want = `{"v":1,"topic":"calls.reports","partition":7,"offset":123,"leader_epoch":4,"topic_id":"AAAAAAAAAAAAAAAAAAAAAA","class":"bad_avro","reason":"no record"}`
	if string(value) != want {
		t.Errorf("a dead letter is %s, want %s", value, want)
	}
	for _, bad := range []string{"", "{}", `{"v":1,"topic":"t"}`, "\xc3\x01"} {
		if _, err := DecodeDeadLetter([]byte(bad)); err == nil {
			t.Errorf("%q decodes", bad)
		}
	}
}

func TestAdminSettlesTopology(t *testing.T) {
	onEach(t, 1, func(b *bench) {
		noLeaks(b.t)
		full, err := topology.Load("dev", []string{"CallReported", "TextReported", "CallReportAmended", "ReportSubmitted", "DeviceConnected", "DeviceRenamed", "DeviceLinked", "DeviceUnlinked", "DeviceDisconnected", "DeviceEventSubmitted"})
		if err != nil {
			b.t.Fatal(err)
		}
		desired := full.WithPrefix(strings.TrimSuffix(b.topic, "facts") + "x.")
		var unchecked []string
		if strings.Contains(b.t.Name(), "embedded") {
			unchecked = topology.EmbeddedIgnores
		}
		admin, err := NewAdmin(b.o)
		if err != nil {
			b.t.Fatal(err)
		}
		defer admin.Close()
		names := make([]string, len(desired.Topics))
		for i, topic := range desired.Topics {
			names[i] = topic.Name
		}
		plan := func() topology.Diff {
			actual, err := admin.Topics(b.ctx, names...)
			if err != nil {
				b.t.Fatal(err)
			}
			return topology.Plan(desired, actual, unchecked...)
		}
		diff := plan()
		steps := 0
		if err := admin.Apply(b.ctx, diff, func(topology.Step) { steps++ }); err != nil {
			b.t.Fatal(err)
		}
		if steps != len(names) {
			b.t.Errorf("%d steps, want %d", steps, len(names))
		}
		if err := admin.Apply(b.ctx, diff, nil); err != nil {
			b.t.Errorf("the same steps again: %v", err)
		}
		if diff := plan(); !diff.Empty() {
			b.t.Errorf("after all steps:\n%s", diff)
		}
		desired.Topics[0].Retention += time.Hour
		diff = plan()
		if len(diff.Steps) != 1 {
			b.t.Fatalf("longer retention:\n%s", diff)
		}
		if err := admin.Apply(b.ctx, diff, nil); err != nil {
			b.t.Error(err)
		}
		b.until("the longer retention", func() bool { d := plan(); return d.Empty() })
		if id, err := admin.ClusterID(b.ctx); err != nil || id == "" {
			b.t.Errorf("cluster id %q, %v", id, err)
		}
		diff.Steps[0].Changes[0].To = "soon"
		if err := admin.Apply(b.ctx, diff, nil); unchecked == nil && (err == nil || !strings.Contains(err.Error(), desired.Topics[0].Name)) {
			b.t.Errorf("a bad value: %v", err)
		}
	})
}

// TestApplyWaitsForEveryBroker: a topic is made when the slowest broker knows it.
func TestApplyWaitsForEveryBroker(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	refusals := 5
	cluster.ControlKey(int16(kmsg.Metadata), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		asked := request.(*kmsg.MetadataRequest)
		if cluster.CurrentNode() != 2 || len(asked.Topics) == 0 || refusals == 0 {
			return nil, nil, false
		}
		refusals--
		resp := asked.ResponseKind().(*kmsg.MetadataResponse)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.ErrorCode = asked.Topics[0].Topic, kerr.UnknownTopicOrPartition.Code
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	admin, err := NewAdmin(Options{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	step := topology.Step{Op: topology.CreateTopic, Topic: "slow", Partitions: 3, Replication: 3}
	if err := admin.Apply(t.Context(), topology.Diff{Steps: []topology.Step{step}}, nil); err != nil {
		t.Fatal(err)
	}
	if refusals > 0 {
		t.Errorf("broker 2 would still have said %d times that there is no such topic", refusals)
	}
}

func TestEmbedded(t *testing.T) {
	noLeaks(t)
	desired, err := topology.Load("dev", []string{"CallReported", "TextReported", "CallReportAmended", "ReportSubmitted", "DeviceConnected", "DeviceRenamed", "DeviceLinked", "DeviceUnlinked", "DeviceDisconnected", "DeviceEventSubmitted"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	start := func() *Embedded {
		e, err := StartEmbedded(t.Context(), EmbeddedOptions{DataDir: dir, Topology: desired})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	p := event.Partition{Topic: "calls.reports", Number: 3}
	e := start()
	a, err := NewAppender(AppenderOptions{Options: Options{Brokers: []string{e.Addr()}}})
	if err != nil {
		t.Fatal(err)
	}
	if r := a.Append(t.Context(), []Record{{Partition: p, Key: []byte("k"), Value: []byte("v")}}); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	var states [2]pipeline.LogState
	for i := range states {
		log, err := NewLog(Options{Brokers: []string{e.Addr()}})
		if err != nil {
			t.Fatal(err)
		}
		if states[i], err = log.Observe(t.Context(), p, -1); err != nil {
			t.Fatal(err)
		}
		log.Close()
		if i == 0 {
			a.Close(t.Context())
			e.Close()
			e = start()
		}
	}
	if _, err := StartEmbedded(t.Context(), EmbeddedOptions{Listen: e.Addr()}); err == nil || !strings.Contains(err.Error(), e.Addr()) {
		t.Errorf("a port that is taken: %v", err)
	}
	e.Close()
	if states[0] != states[1] || states[0].End != 1 || states[0].Partitions != 12 {
		t.Errorf("after a restart %+v, before %+v", states[1], states[0])
	}
	if _, err := StartEmbedded(t.Context(), EmbeddedOptions{Listen: "0.0.0.0:0"}); err == nil {
		t.Error("0.0.0.0: no error")
	}
}
