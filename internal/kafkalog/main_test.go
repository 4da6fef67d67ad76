package kafkalog

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/tests/backend"
	"switchboard/topology"
)

func TestMain(m *testing.M) { backend.Main(m) }

// TestMain cannot look for goroutines: the shared broker's are still there. Each test looks when it ends.
func noLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

const patience = 150 * time.Second // an overloaded machine is no failure

// bench is one topic on one broker, and what every test does with it.
type bench struct {
	t          *testing.T
	o          Options
	topic      string
	group      string
	partitions int32
	ctx        context.Context // ends before the test is out of patience
	fake       *kfake.Cluster  // nil on a real broker
}

func newBench(t *testing.T, brokers []string, prefix string, partitions int32, settings map[string]string) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b := &bench{t: t, o: Options{Brokers: brokers, Logger: testLogger(t)}, topic: prefix + "facts", group: prefix + "group", partitions: partitions, ctx: ctx}
	admin, err := NewAdmin(b.o)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	step := topology.Step{Op: topology.CreateTopic, Topic: b.topic, Partitions: partitions, Replication: 1, Settings: settings}
	if err := admin.Apply(ctx, topology.Diff{Steps: []topology.Step{step}}, nil); err != nil {
		t.Fatal(err)
	}
	return b
}

// onFake is a bench on a kfake of its own that the test can disturb.
func onFake(t *testing.T, partitions int32, opts ...kfake.Opt) *bench {
	t.Helper()
	opts = append([]kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100 * time.Millisecond), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"})}, opts...)
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	b := newBench(t, cluster.ListenAddrs(), "", partitions, nil)
	b.fake = cluster
	return b
}

// onEach runs f on kfake and on a real broker.
func onEach(t *testing.T, partitions int32, f func(b *bench)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		f(newBench(t, backend.EmbeddedKafka(t), backend.Prefix(), partitions, nil))
	})
	t.Run("real", func(t *testing.T) {
		f(newBench(t, backend.RealKafka(t), backend.Prefix(), partitions, nil))
	})
}

func (b *bench) partition(n int32) event.Partition { return event.Partition{Topic: b.topic, Number: n} }

func (b *bench) appender() *Appender {
	b.t.Helper()
	a, err := NewAppender(AppenderOptions{Options: b.o})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { a.Close(context.Background()) })
	return a
}

func (b *bench) log() *Log {
	b.t.Helper()
	l, err := NewLog(b.o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(l.Close)
	return l
}

// fill appends count records to each partition; the value of a record is its number, and bytes that cannot be compressed.
func (b *bench) fill(a *Appender, count int) {
	b.t.Helper()
	var records []Record
	for n := range b.partitions {
		for i := range count {
			records = append(records, Record{Partition: b.partition(n), Key: []byte("k"), Value: append(number(i), noise[i%1000:i%1000+100]...)})
		}
	}
	for chunk := range slices.Chunk(records, 10_000) {
		for _, r := range a.Append(b.ctx, chunk) {
			if r.Err != nil {
				b.t.Fatal(r.Err)
			}
		}
	}
}

var noise = func() []byte {
	bytes := make([]byte, 1100)
	for i := range bytes {
		bytes[i] = byte(rand.Uint32())
	}
	return bytes
}()

func number(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }

// member runs a consumer until stop is called or the test ends.
func (b *bench) member(change func(*ConsumerOptions), lane func(ctx context.Context, p *Partition)) (c *Consumer, stop func()) {
	b.t.Helper()
	o := ConsumerOptions{Options: b.o, Group: b.group, Topics: []string{b.topic}, SessionTimeout: 6 * time.Second, RebalanceTimeout: 20 * time.Second, CommitInterval: 5 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	c, err := NewConsumer(o)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := c.Run(ctx, lane); err != nil {
			b.t.Error(err)
		}
	}()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-ended }) }
	b.t.Cleanup(stop)
	return c, stop
}

// until waits for a condition; what names it.
func (b *bench) until(what string, condition func() bool) {
	b.t.Helper()
	for !condition() {
		select {
		case <-b.ctx.Done():
			b.t.Fatalf("never came: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (b *bench) produce(opts ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	client, err := b.o.client(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(client.Close)
	return client
}

func testLogger(t *testing.T) *slog.Logger {
	level := slog.LevelInfo
	if os.Getenv("KAFKALOG_DEBUG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(&output{t: t}, &slog.HandlerOptions{Level: level}))
}

// output is the test's log until the test has ended.
type output struct {
	mu sync.Mutex
	t  *testing.T
}

func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.t.Context().Err() == nil {
		o.t.Log(string(bytes.TrimRight(line, "\n")))
	}
	return len(line), nil
}

// takeAll takes from a partition until next is at least end, and gives f what it gets. It returns the error of Take.
func takeAll(ctx context.Context, p *Partition, end int64, f func([]pipeline.Raw)) error {
	for {
		records, next, err := p.Take(ctx, 500, time.Second)
		if err != nil {
			return err
		}
		f(records)
		if next >= end {
			return nil
		}
	}
}
