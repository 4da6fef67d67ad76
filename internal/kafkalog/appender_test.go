package kafkalog

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAppend(t *testing.T) {
	onEach(t, 2, func(b *bench) {
		noLeaks(b.t)
		a := b.appender()
		results := a.Append(b.ctx, []Record{
			{Partition: b.partition(1), Key: []byte("a"), Value: []byte("1")},
			{Partition: b.partition(0), Key: []byte("b")},
			{Partition: b.partition(1), Key: []byte("c"), Value: []byte("3")},
			{Partition: b.partition(1), Key: []byte("d"), Value: make([]byte, 3<<20)},
		})
		for i, want := range []int64{0, 0, 1} {
			if results[i].Err != nil || results[i].Offset != want {
				b.t.Errorf("record %d: %+v, want offset %d", i, results[i], want)
			}
		}
		if !errors.Is(results[3].Err, ErrRefused) {
			b.t.Errorf("a record of 3 MiB: %+v", results[3])
		}
		if n, err := a.Partitions(b.ctx, b.topic); n != 2 || err != nil {
			b.t.Errorf("%d partitions, %v", n, err)
		}
		if got := a.Append(b.ctx, nil); len(got) != 0 {
			b.t.Errorf("Append of nothing: %v", got)
		}
		gone, cancel := context.WithCancel(b.ctx)
		cancel()
		if got := a.Append(gone, []Record{{Partition: b.partition(0)}}); !errors.Is(got[0].Err, ErrOverloaded) {
			b.t.Errorf("Append after the deadline: %v", got)
		}
		var acknowledged atomic.Int64
		for i := range 5000 {
			a.AppendAsync(b.ctx, Record{Partition: b.partition(0), Value: number(i)}, func(r Result) {
				if want := int64(1 + i); r.Err != nil || r.Offset != want {
					b.t.Errorf("record %d: %+v", i, r)
				}
				acknowledged.Add(1)
			})
		}
		if err := a.Flush(b.ctx); err != nil || acknowledged.Load() != 5000 {
			b.t.Errorf("%d acknowledged after Flush, %v", acknowledged.Load(), err)
		}
	})
}

// TestAppendWhileNothingAnswers: while no broker takes anything, what was sent is unknown at the deadline, and what finds
// no room is refused at once; later everything that was sent stands in the log, once.
//
//fault:h1 unknown at the deadline, refused when the buffer is full, once in the log in the end
func TestAppendWhileNothingAnswers(t *testing.T) {
	b := onFake(t, 1)
	noLeaks(t)
	a, err := NewAppender(AppenderOptions{Options: b.o, MaxBufferedRecords: 10})
	if err != nil {
		t.Fatal(err)
	}
	stuck := b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	records := make([]Record, 15)
	for i := range records {
		records[i] = Record{Partition: b.partition(0), Value: number(i)}
	}
	short, cancel := context.WithTimeout(b.ctx, 200*time.Millisecond)
	defer cancel()
	for i, r := range a.Append(short, records) {
		want := ErrUnknown
		if i >= 10 {
			want = ErrOverloaded
		}
		if !errors.Is(r.Err, want) {
			t.Errorf("record %d: %v, want %v", i, r.Err, want)
		}
	}
	started := time.Now()
	if r := a.Append(b.ctx, records[:1]); !errors.Is(r[0].Err, ErrOverloaded) || time.Since(started) > time.Second {
		t.Errorf("with a full buffer: %v after %v", r[0].Err, time.Since(started))
	}
	late, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	waited := make(chan Result, 1)
	a.AppendAsync(late, records[0], func(r Result) { waited <- r })
	if r := <-waited; !errors.Is(r.Err, context.DeadlineExceeded) {
		t.Errorf("AppendAsync with a full buffer: %v", r.Err)
	}
	stuck.Remove()
	if err := a.Close(b.ctx); err != nil {
		t.Error(err)
	}
	if info := b.fake.PartitionInfo(b.topic, 0); info.HighWatermark != 10 {
		t.Errorf("%d records in the log, want 10", info.HighWatermark)
	}
}

func TestCloseGivesUp(t *testing.T) {
	b := onFake(t, 1)
	noLeaks(t)
	a, err := NewAppender(AppenderOptions{Options: b.o})
	if err != nil {
		t.Fatal(err)
	}
	b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	outcome := make(chan Result, 1)
	a.AppendAsync(b.ctx, Record{Partition: b.partition(0)}, func(r Result) { outcome <- r })
	short, cancel := context.WithTimeout(b.ctx, 100*time.Millisecond)
	defer cancel()
	if err := a.Close(short); err == nil {
		t.Error("Close: no error")
	}
	if r := <-outcome; !errors.Is(r.Err, ErrUnknown) {
		t.Errorf("the record: %v", r.Err)
	}
}

//fault:k15 a broker that lost what it acknowledged stops the appender
func TestDataLossStopsAppender(t *testing.T) {
	b := onFake(t, 1)
	noLeaks(t)
	a := b.appender()
	b.fill(a, 5)
	b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.OutOfOrderSequenceNumber})
	for range 2 {
		if r := a.Append(b.ctx, []Record{{Partition: b.partition(0)}}); !errors.Is(r[0].Err, ErrUnknown) {
			t.Errorf("Append: %+v", r[0])
		}
	}
	if err := a.Failed(); err == nil || !strings.Contains(err.Error(), "lost records") {
		t.Errorf("Failed: %v", err)
	}
}

//fault:k17 TLS and SCRAM, and what a wrong password says
func TestTLSAndSASL(t *testing.T) {
	server := httptest.NewUnstartedServer(nil) // for its certificate
	server.StartTLS()
	defer server.Close()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "u", "p"), kfake.Superuser("PLAIN", "u", "p"),
		kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates}))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	for _, test := range []struct {
		sasl SASL
		ok   bool
	}{{SASL{"scram-sha-512", "u", "p"}, true}, {SASL{"PLAIN", "u", "p"}, true}, {SASL{"scram-sha-512", "u", "wrong"}, false}, {SASL{}, false}} {
		secure := tls.Dialer{Config: server.Client().Transport.(*http.Transport).TLSClientConfig}
		o := Options{Brokers: cluster.ListenAddrs(), Dial: secure.DialContext, SASL: test.sasl}
		log, err := NewLog(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if err := log.Reach(ctx); (err == nil) != test.ok {
			t.Errorf("%s %s: %v", test.sasl.Mechanism, test.sasl.Password, err)
		}
		cancel()
		log.Close()
	}
}
