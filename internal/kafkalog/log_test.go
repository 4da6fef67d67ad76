package kafkalog

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"switchboard/internal/pipeline"
)

func TestObserve(t *testing.T) {
	onEach(t, 3, func(b *bench) {
		noLeaks(b.t)
		b.fill(b.appender(), 100)
		log := b.log()
		admin := kadm.NewClient(b.produce())
		if _, err := admin.DeleteRecords(b.ctx, kadm.Offsets{b.topic: {1: {Topic: b.topic, Partition: 1, At: 30}}}); err != nil {
			b.t.Fatal(err)
		}
		details, err := admin.ListTopics(b.ctx, b.topic)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, test := range []struct{ asked, end int32 }{{-1, 100}, {0, 100}, {7, -1}} {
			got, err := log.Observe(b.ctx, b.partition(1), test.asked)
			if err != nil {
				b.t.Fatal(err)
			}
			want := pipeline.LogState{ClusterID: got.ClusterID, TopicID: got.TopicID, Partitions: 3, Start: 30, End: 100, EpochEnd: int64(test.end)}
			if got != want || got.ClusterID == "" || [16]byte(got.TopicID) != details[b.topic].ID {
				b.t.Errorf("epoch %d: %+v, want %+v", test.asked, got, want)
			}
		}
		ends, err := log.HighWatermarks(b.ctx, b.topic)
		if err != nil || len(ends) != 3 || ends[b.partition(2)] != 100 {
			b.t.Errorf("HighWatermarks: %v, %v", ends, err)
		}
		gone := b.partition(0)
		gone.Topic += ".gone"
		var missing *MissingTopic
		if _, err := log.Observe(b.ctx, gone, -1); !errors.As(err, &missing) || !strings.Contains(err.Error(), "switchboard topology apply") {
			b.t.Errorf("Observe without a topic: %v", err)
		}
		if _, err := log.HighWatermarks(b.ctx, b.topic, gone.Topic); !errors.As(err, &missing) {
			b.t.Errorf("HighWatermarks without a topic: %v", err)
		}
		if _, err := log.Observe(b.ctx, b.partition(3), -1); err == nil || !strings.Contains(err.Error(), "has 3") {
			b.t.Errorf("Observe without a partition: %v", err)
		}
	})
}

func TestReadRange(t *testing.T) {
	onEach(t, 1, func(b *bench) {
		noLeaks(b.t)
		b.fill(b.appender(), 3000)
		log := b.log()
		next := int64(1234)
		err := log.ReadRange(b.ctx, b.partition(0), next, 2500, func(r pipeline.Raw) error {
			if r.Offset != next || r.AppendedMs == 0 {
				b.t.Fatalf("record %+v, want offset %d", r, next)
			}
			next++
			return nil
		})
		if err != nil || next != 2500 {
			b.t.Errorf("read to %d: %v", next, err)
		}
		enough := errors.New("enough")
		if err := log.ReadRange(b.ctx, b.partition(0), 0, 3000, func(pipeline.Raw) error { return enough }); err != enough {
			b.t.Errorf("the reader's error became %v", err)
		}
		if err := log.ReadRange(b.ctx, b.partition(0), 9000, 9001, nil); !errors.Is(err, pipeline.ErrGap) {
			b.t.Errorf("beyond the end: %v", err)
		}
		short, cancel := context.WithTimeout(b.ctx, 300*time.Millisecond)
		defer cancel()
		if err := log.ReadRange(short, b.partition(0), 2999, 3001, func(pipeline.Raw) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			b.t.Errorf("an end that does not come: %v", err)
		}
	})
}

func TestUnreachable(t *testing.T) {
	noLeaks(t)
	o := Options{Brokers: []string{"127.0.0.1:1"}}
	admin, err := NewAdmin(o)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := admin.Reach(ctx); err == nil || !strings.Contains(err.Error(), "no broker answers at 127.0.0.1:1: check kafka.brokers") {
		t.Errorf("Reach: %v", err)
	}
}

func TestOptions(t *testing.T) {
	bad := map[string]Options{
		"no brokers": {},
		"bad sasl":   {Brokers: []string{"b:1"}, SASL: SASL{Mechanism: "kerberos"}},
	}
	for name, o := range bad {
		if _, err := NewLog(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewAppender(AppenderOptions{Options: Options{Brokers: []string{"b:1"}}, Compression: "rar"}); err == nil {
		t.Error("compression rar: no error")
	}
	if _, err := NewConsumer(ConsumerOptions{Options: Options{Brokers: []string{"b:1"}}}); err == nil {
		t.Error("no group: no error")
	}
}
