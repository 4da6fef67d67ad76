package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/avrowire"
)

// doorRun is events that came in by a door other than HTTP.
type doorRun struct {
	EventsPerSecond float64
	CPUUs           float64 // of the role, an event
	PeakBytes       int64
}

// measureDoors measures the inbox and import.
func measureDoors(ctx context.Context, b *bench) error {
	n := b.events / 2
	inbox, err := b.inbox(ctx, n)
	if err != nil {
		return err
	}
	file, err := b.importFile(ctx, n)
	if err != nil {
		return err
	}
	by := func(r *doorRun) string {
		return fmt.Sprintf("CPU us/event: %.1f, with checks, numbers, ids; Kafka beside it", r.CPUUs)
	}
	b.add(
		figure("inbox to the log", inbox.EventsPerSecond, "events/s", by(inbox)),
		figure("import to the log, NDJSON", file.EventsPerSecond, "events/s", by(file)),
	)
	return b.details("doors", map[string]*doorRun{"inbox": inbox, "import": file})
}

// inbox lets ingest take n reports that stand in the inbox when it starts.
func (b *bench) inbox(ctx context.Context, n int) (*doorRun, error) {
	t, err := b.servers.newSite(ctx)
	if err != nil {
		return nil, err
	}
	b.say("inbox: %s events", number(float64(n)))
	if err := b.fillInbox(ctx, t, n); err != nil {
		return nil, err
	}
	s := spec{Role: "ingest"}
	if b.profile != "" {
		s.Profile = filepath.Join(b.profile, "inbox")
	}
	p, err := t.start(ctx, s)
	if err != nil {
		return nil, err
	}
	defer p.kill()
	began, err := p.await(ctx, "listening")
	if err != nil {
		return nil, err
	}
	if err := t.awaitFacts(ctx, int64(n)); err != nil {
		return nil, err
	}
	took := time.Since(began.At)
	end, err := p.end(ctx)
	if err != nil {
		return nil, err
	}
	return &doorRun{float64(n) / took.Seconds(), (end.CPU - began.CPU).Seconds() * 1e6 / float64(n), end.PeakBytes}, nil
}

// fillInbox submits n reports as a foreign producer does: no key, any partition.
func (b *bench) fillInbox(ctx context.Context, t *site, n int) error {
	enc, err := avrowire.NewEncoder(nil)
	if err != nil {
		return err
	}
	client, err := newProducer(t.brokers, 10*time.Millisecond)
	if err != nil {
		return err
	}
	defer client.Close()
	r := newReporter(n, b.subscribers, 0)
	for i := range n {
		s := r.submitted(i)
		value, err := enc.EncodeSubmitted(nil, &s)
		if err != nil {
			return err
		}
		client.Produce(ctx, &kgo.Record{Topic: t.prefix + "calls.inbox", Partition: int32(i % 12), Value: value}, nil)
	}
	return client.Flush(ctx)
}

// awaitFacts waits until so many stand in the log.
func (t *site) awaitFacts(ctx context.Context, n int64) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	last, moved := int64(0), time.Now()
	for {
		ends, err := listEnds(ctx, client, t.topic(), t.partitions)
		if err != nil {
			return err
		}
		switch got := sum(ends); {
		case got >= n:
			return nil
		case got > last:
			last, moved = got, time.Now()
		case time.Since(moved) > time.Minute:
			return fmt.Errorf("%d of %d facts are in the log, and none came for a minute", got, n)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// importFile imports n reports from a file.
func (b *bench) importFile(ctx context.Context, n int) (*doorRun, error) {
	t, err := b.servers.newSite(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	b.say("import: %s events", number(float64(n)))
	s := spec{Role: "import", File: filepath.Join(folder, "reports.ndjson")}
	if err := b.writeReports(s.File, n); err != nil {
		return nil, err
	}
	if b.profile != "" {
		s.Profile = filepath.Join(b.profile, "import")
	}
	p, err := t.start(ctx, s)
	if err != nil {
		return nil, err
	}
	defer p.kill()
	began, err := p.await(ctx, "importing")
	if err != nil {
		return nil, err
	}
	end, err := p.await(ctx, "imported")
	if err != nil {
		return nil, err
	}
	if err := t.awaitFacts(ctx, int64(n)); err != nil {
		return nil, err
	}
	_, err = p.end(ctx)
	return &doorRun{float64(n) / end.At.Sub(began.At).Seconds(), (end.CPU - began.CPU).Seconds() * 1e6 / float64(n), end.PeakBytes}, err
}

func (b *bench) writeReports(name string, n int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	lines, r := json.NewEncoder(w), newReporter(n, b.subscribers, 0)
	for i := range n {
		if err := lines.Encode(r.submitted(i)); err != nil {
			return err
		}
	}
	return w.Flush()
}
