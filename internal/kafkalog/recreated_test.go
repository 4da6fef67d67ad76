package kafkalog

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/pipeline"
)

// TestRecreatedTopicIsReadOn: the topic is deleted and made again under a consumer. Lanes that go on all the same get its records, whether they ask the group
// first, as lanes do, or only fetch, which is what is left with brokers whose commits name no topic id.
func TestRecreatedTopicIsReadOn(t *testing.T) {
	for name, asks := range map[string]bool{"lease check": true, "fetch": false} {
		t.Run(name, func(t *testing.T) {
			onEach(t, 1, func(b *bench) {
				got := make(chan string, 100)
				lane := func(ctx context.Context, p *Partition) {
					p.SeekTo(0, -1)
					for {
						records, _, err := p.Take(ctx, 10, time.Second)
						if errors.Is(err, pipeline.ErrReleased) || ctx.Err() != nil {
							return
						}
						for _, r := range records {
							got <- string(r.Value)
						}
						if err == nil {
							continue
						}
						for asks && p.Check(ctx, 0, "") == pipeline.LeaseUnknown && ctx.Err() == nil {
							pause(ctx, 10*time.Millisecond)
						}
						p.SeekTo(0, -1)
					}
				}
				_, stop := b.member(nil, lane)
				defer stop()
				b.appendAnew("old")
				b.expect(got, "old")
				b.remake()
				b.appendAnew("new")
				b.expect(got, "new")
			})
		})
	}
}

// appendAnew appends one record with a client that knows nothing of the topic yet.
func (b *bench) appendAnew(value string) {
	b.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.o.Brokers...), kgo.DefaultProduceTopic(b.topic))
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(b.ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) expect(got <-chan string, want string) {
	b.t.Helper()
	select {
	case value := <-got:
		if value != want {
			b.t.Fatalf("got %q, want %q", value, want)
		}
	case <-b.ctx.Done():
		b.t.Fatalf("%q does not come", want)
	}
}

// remake deletes the topic and makes it again; the brokers need a moment to forget the old one.
func (b *bench) remake() {
	b.t.Helper()
	client, err := b.o.client()
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.DeleteTopic(b.ctx, b.topic); err != nil {
		b.t.Fatal(err)
	}
	for {
		_, err := admin.CreateTopic(b.ctx, b.partitions, 1, nil, b.topic)
		if err == nil {
			return
		}
		if !errors.Is(err, kerr.TopicAlreadyExists) {
			b.t.Fatal(err)
		}
		pause(b.ctx, 10*time.Millisecond)
	}
}
