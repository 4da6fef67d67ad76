package backend

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The shared broker of this run is there already under `make test`, so this one is started as it is
// without: by the script.
func TestOwnKafkaEndsWithItsTest(t *testing.T) {
	var dir string
	t.Run("use", func(t *testing.T) {
		servers := OwnKafka(t, 1)
		dir = servers.dir
		tryKafka(t, Backend{Brokers: servers.Brokers, Prefix: Prefix()})
	})
	if _, err := os.Stat(dir); dir != "" && !os.IsNotExist(err) {
		t.Errorf("%s is left behind (%v)", dir, err)
	}
}

func TestThreeBrokersLoseOneAndGetItBack(t *testing.T) {
	if os.Getenv("SWITCHBOARD_LONG") == "" {
		t.Skip("three brokers: only with SWITCHBOARD_LONG=1 (make test-long)")
	}
	servers := OwnKafka(t, 3)
	client, err := kgo.NewClient(kgo.SeedBrokers(servers.Brokers...), kgo.DefaultProduceTopic("replicated"),
		kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, 3, 3, nil, "replicated"); err != nil {
		t.Fatal(err)
	}
	produce := func() {
		t.Helper()
		for range 6 {
			if err := client.ProduceSync(ctx, kgo.StringRecord("ring")).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	produce()
	servers.Kill(t, 2)
	produce()
	servers.Start(t)
	produce()
}
