package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/avrowire"
	"switchboard/internal/event"
)

// bareIngest is what ingest is measured against: it decodes a JSON array, encodes each item as it is, and answers when all are acknowledged. It
// checks nothing, normalises nothing, gives no ids, and answers without a word.
func bareIngest(ctx context.Context, cfg *config.Config) error {
	top, err := app.LoadTopology(cfg)
	if err != nil {
		return err
	}
	topic, _ := top.FactsOf("CallReported")
	enc, err := avrowire.NewEncoder(nil)
	if err != nil {
		return err
	}
	client, err := newProducer(cfg.Kafka.Brokers, 2*time.Millisecond) // as the Appender of ingest
	if err != nil {
		return err
	}
	defer client.Close()
	var keys atomic.Uint64 // a compacted topic takes no record without a key
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var list []event.Submitted
		if err == nil {
			err = json.Unmarshal(body, &list)
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		status := http.StatusAccepted
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range list {
			value, err := enc.EncodeSubmitted(nil, &list[i])
			if err != nil {
				status = http.StatusInternalServerError
				break
			}
			wg.Add(1)
			p := event.PartitionOf(event.Subject(list[i].Subscriber), topic.Partitions)
			client.Produce(context.WithoutCancel(ctx), &kgo.Record{Topic: topic.Name, Partition: p, Key: binary.BigEndian.AppendUint64(make([]byte, 8, 16), keys.Add(1)), Value: value}, func(_ *kgo.Record, err error) {
				if err != nil {
					mu.Lock()
					status = http.StatusServiceUnavailable
					mu.Unlock()
				}
				wg.Done()
			})
		}
		wg.Wait()
		w.WriteHeader(status)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(handler)}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	n := takeNews("listening")
	n.Addr = listener.Addr().String()
	tell(n)
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}
