package backend

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

// EmbeddedRedis is a miniredis of this test alone. It has no expiry of its own: time in it moves
// only by FastForward, which a test that needs it gets by starting its own.
func EmbeddedRedis(t testing.TB) (addr string) {
	t.Helper()
	note(t, "embedded redis", "miniredis")
	return miniredis.RunT(t).Addr()
}

// EmbeddedKafka is a kfake of this test alone: three brokers and, as in production, no topics made
// up on first use. It ignores what it says about compaction lag and timestamp type.
func EmbeddedKafka(t testing.TB) (brokers []string) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatalf("start kfake: %v", err)
	}
	t.Cleanup(cluster.Close)
	note(t, "embedded kafka", "kfake")
	return cluster.ListenAddrs()
}

// Faulty is Embedded with one broker, which a test can tell what to refuse.
func Faulty(t testing.TB) (Backend, *kfake.Cluster) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatalf("start kfake: %v", err)
	}
	t.Cleanup(cluster.Close)
	note(t, "embedded kafka", "kfake")
	return Backend{Name: "embedded", Brokers: cluster.ListenAddrs(), Redis: []string{EmbeddedRedis(t)}, Prefix: Prefix()}, cluster
}
