package redisview

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/tests/backend"
	"switchboard/tests/fixture"
)

// TestScansFollowASlot: what scans the keys of a slot either sees all of them or fails, however old the map is that go-redis has.
func TestScansFollowASlot(t *testing.T) {
	c := connect(t, backend.RealRedisCluster(t).Addrs...)
	cluster := c.shared.(*redis.ClusterClient)
	for _, g := range []string{"g1", "g2"} {
		fixture.Open(t, c, 0, 1, g).Fold(fixture.Call("alice", "bob", 1, 60), fixture.Call("carol", "bob", 2, 60))
	}
	p := event.Partition{Topic: fixture.Topic}
	pos := PosKey(pipeline.LaneID{Partition: p, Generation: "g1"})
	moveSlot(t, cluster, pos)
	retried := func(do func() error) {
		t.Helper()
		for limit := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			err := do()
			if err == nil {
				return
			}
			if time.Now().After(limit) {
				t.Fatal(err)
			}
		}
	}
	retried(func() error {
		found, err := c.Compare(t.Context(), p, "g1", "g2")
		if err == nil && (found.Subjects != 2 || found.Different != 0) {
			t.Errorf("compared: %+v, want 2 subjects", found)
		}
		return err
	})
	moveSlot(t, cluster, pos)
	retried(func() error { return c.Delete(t.Context(), p, "g1") })
	err := cluster.ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
		left, err := node.Keys(ctx, Prefix(pipeline.LaneID{Partition: p, Generation: "g1"})+"*").Result()
		if len(left) > 0 {
			t.Errorf("%s still has %v", node.Options().Addr, left)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// moveSlot moves the slot of a key to another node behind the back of a client.
func moveSlot(t *testing.T, cluster *redis.ClusterClient, key string) {
	t.Helper()
	slot, err := cluster.ClusterKeySlot(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	var all []*redis.Client
	from := -1
	for _, addr := range cluster.Options().Addrs {
		node := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2})
		t.Cleanup(func() { node.Close() })
		if node.Exists(t.Context(), key).Err() == nil {
			from = len(all)
		}
		all = append(all, node)
	}
	if from < 0 {
		t.Fatalf("no node has %s", key)
	}
	old, target := all[from], all[(from+1)%len(all)]
	must := func(node *redis.Client, args ...any) {
		t.Helper()
		if err := node.Do(t.Context(), args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	oldID, targetID := old.Do(t.Context(), "CLUSTER", "MYID").Val(), target.Do(t.Context(), "CLUSTER", "MYID").Val()
	must(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", oldID)
	must(old, "CLUSTER", "SETSLOT", slot, "MIGRATING", targetID)
	host, port, err := net.SplitHostPort(target.Options().Addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range old.ClusterGetKeysInSlot(t.Context(), int(slot), 10_000).Val() {
		must(old, "MIGRATE", host, port, k, 0, 10_000)
	}
	for _, node := range []*redis.Client{target, old} {
		must(node, "CLUSTER", "SETSLOT", slot, "NODE", targetID)
	}
}
