package faults

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
)

// TestSlotMoves moves the slot of a partition to another node, key by key, while it is folded.
//
//fault:p21 every key of a partition is in the slot of its position
//fault:p22 a slot that moves: no key moved, half of them, all but not announced, announced; exact, nothing broken, no dead letter
func TestSlotMoves(t *testing.T) {
	t.Parallel()
	s := folded(t, backend.RealCluster(t), options{})
	before := s.serving(0)
	from := s.node(0)
	slot := s.slot(redisview.PosKey(before))
	keys := s.keysIn(from, slot)
	named := 0
	for _, key := range from.Keys(t.Context(), redisview.Prefix(before)+"*").Val() {
		named++
		if other := s.slot(key); other != slot {
			t.Errorf("%s is in slot %d, the position in %d", key, other, slot)
		}
	}
	if named < 20 || len(keys) < named {
		t.Fatalf("the slot has %d keys, %d of the generation", len(keys), named)
	}
	to := s.otherNode(from)
	defer to.Close()
	toID, fromID := to.Do(t.Context(), "CLUSTER", "MYID").Val(), from.Do(t.Context(), "CLUSTER", "MYID").Val()
	s.must(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	s.must(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	s.append(200) // what makes no key goes on at the old node, the rest is answered with ASK
	s.move(from, to, keys[:len(keys)/2])
	aborted := func() int64 {
		l := s.lane(0)
		return l.Commits[pipeline.Aborted.String()] + l.Claims[pipeline.Aborted.String()]
	}
	seen, end := aborted(), s.ends()[1]
	s.append(100)
	s.until("the other partition, whose slot stays, goes on", func() bool { return s.next(1) > end })
	s.until("it is refused, and tries again", func() bool { return aborted() > seen || s.lane(0).State == pipeline.Claiming })
	for moving := s.keysIn(from, slot); len(moving) > 0; moving = s.keysIn(from, slot) {
		s.move(from, to, moving)
	}
	s.append(100)
	for _, addr := range s.b.Redis {
		node := redis.NewClient(&redis.Options{Addr: addr})
		s.must(node, "CLUSTER", "SETSLOT", slot, "NODE", toID)
		node.Close()
	}
	announced := time.Now()
	s.append(100)
	s.caughtUp()
	if took := time.Since(announced); took > 10*time.Second { // it was a minute, go-redis's own rhythm
		t.Errorf("the new node was found after %v", took)
	}
	s.exact()
	s.noLetters()
	if at := s.node(0).Options().Addr; at != to.Options().Addr {
		t.Errorf("the partition is at %s, not at %s", at, to.Options().Addr)
	}
	if s.serving(0) != before || s.lane(0).Stopped != nil {
		t.Errorf("it was rebuilt, or is stopped: %+v", s.lane(0))
	}
	s.halt()
}

func (s *site) slot(key string) int64 {
	s.Helper()
	slot, err := s.redis.ClusterKeySlot(s.Context(), key).Result()
	if err != nil {
		s.Fatal(err)
	}
	return slot
}

func (s *site) keysIn(node *redis.Client, slot int64) []string {
	s.Helper()
	keys, err := node.ClusterGetKeysInSlot(s.Context(), int(slot), 10_000).Result()
	if err != nil {
		s.Fatal(err)
	}
	return keys
}

func (s *site) otherNode(than *redis.Client) *redis.Client {
	for _, addr := range s.b.Redis {
		if addr != than.Options().Addr {
			return redis.NewClient(&redis.Options{Addr: addr, Protocol: 2})
		}
	}
	s.Fatal("no other node")
	return nil
}

func (s *site) must(node *redis.Client, args ...any) {
	s.Helper()
	if err := node.Do(s.Context(), args...).Err(); err != nil {
		s.Fatalf("%v: %v", args, err)
	}
}

func (s *site) move(from, to *redis.Client, keys []string) {
	s.Helper()
	host, port, _ := strings.Cut(to.Options().Addr, ":")
	for _, key := range keys {
		if err := from.Migrate(s.Context(), host, port, key, 0, patience).Err(); err != nil {
			s.Fatalf("move %s: %v", strconv.Quote(key), err)
		}
	}
}
