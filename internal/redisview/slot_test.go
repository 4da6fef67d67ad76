package redisview

import (
	"context"
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
	backend.SlotOf(t, cluster.Options().Addrs, pos).Move()
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
	backend.SlotOf(t, cluster.Options().Addrs, pos).Move()
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
