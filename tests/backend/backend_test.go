package backend

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimVariable) != "" {
		beVictim()
	}
	Main(m)
}

func TestEach(t *testing.T) {
	names := map[string]bool{}
	prefixes := map[string]bool{}
	Each(t, func(t *testing.T, b Backend) {
		names[b.Name], prefixes[b.Prefix] = true, true
		tryKafka(t, b)
		tryRedis(t, redis.NewClient(&redis.Options{Addr: b.Redis[0]}))
	})
	if t.Failed() || t.Skipped() {
		return
	}
	if len(prefixes) != len(names) || !names["embedded"] {
		t.Errorf("ran on %v with prefixes %v", names, prefixes)
	}
}

func TestRealCluster(t *testing.T) {
	b := RealCluster(t)
	if len(b.Redis) != 3 || !b.Cluster {
		t.Fatalf("not a cluster of three: %+v", b)
	}
	tryRedis(t, redis.NewClusterClient(&redis.ClusterOptions{Addrs: b.Redis[2:]}))
}

func tryKafka(t *testing.T, b Backend) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	topic := b.Prefix + "calls"
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Brokers...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("ring")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for read := 0; read < 3; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of 3 records: %v", read, err)
		}
		read += fetches.NumRecords()
	}
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: b.Prefix + "nobody.made.this"}).FirstErr(); err == nil {
		t.Error("a topic was made up on first use")
	}
}

func tryRedis(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	defer client.Close()
	for _, key := range []string{"{a}", "{b}", "{c}", "{d}"} { // in a cluster: on all nodes
		if err := client.Set(t.Context(), key, "1", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if got := client.Get(t.Context(), key).Val(); got != "1" {
			t.Fatalf("%s = %q", key, got)
		}
	}
}
