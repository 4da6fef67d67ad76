package backend

import (
	"net"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Slot is that of a key in a Redis Cluster, to be moved to another node behind the back of the clients.
type Slot struct {
	Number int64
	At, To *redis.Client // the node that has it, and the one that Move moves it to

	t     testing.TB
	nodes []*redis.Client
}

// SlotOf asks the nodes themselves who has a key: what a cluster client believes may be old.
func SlotOf(t testing.TB, addrs []string, key string) *Slot {
	t.Helper()
	s := &Slot{t: t}
	for _, addr := range addrs {
		node := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2})
		t.Cleanup(func() { node.Close() })
		s.nodes = append(s.nodes, node)
	}
	for i, node := range s.nodes {
		err := node.Exists(t.Context(), key).Err()
		if err == nil {
			s.At, s.To = node, s.nodes[(i+1)%len(s.nodes)]
			s.Number = node.ClusterKeySlot(t.Context(), key).Val()
			return s
		}
		t.Logf("%s has not %s: %v", node.Options().Addr, key, err)
	}
	t.Fatal("no node has ", key)
	return nil
}

// Keys are those that the node has.
func (s *Slot) Keys() []string {
	s.t.Helper()
	keys, err := s.At.ClusterGetKeysInSlot(s.t.Context(), int(s.Number), 10_000).Result()
	if err != nil {
		s.t.Fatal(err)
	}
	return keys
}

// Move moves the slot with all its keys. A test that looks in between calls Begin, Migrate and Announce itself.
func (s *Slot) Move() {
	s.t.Helper()
	s.Begin()
	s.Migrate(s.Keys())
	s.Announce()
}

// Begin makes the old node answer for keys that it has no more, or not yet, with ASK.
func (s *Slot) Begin() {
	s.t.Helper()
	s.set(s.To, "IMPORTING", s.id(s.At))
	s.set(s.At, "MIGRATING", s.id(s.To))
}

// Migrate moves keys.
func (s *Slot) Migrate(keys []string) {
	s.t.Helper()
	host, port, err := net.SplitHostPort(s.To.Options().Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, key := range keys {
		if err := s.At.Migrate(s.t.Context(), host, port, key, 0, patience).Err(); err != nil {
			s.t.Fatalf("move %q: %v", key, err)
		}
	}
}

// Announce tells every node who has the slot now, the new one first.
func (s *Slot) Announce() {
	s.t.Helper()
	id := s.id(s.To)
	for _, node := range append([]*redis.Client{s.To}, s.nodes...) {
		s.set(node, "NODE", id)
	}
}

func (s *Slot) set(node *redis.Client, state, id string) {
	s.t.Helper()
	if err := node.Do(s.t.Context(), "CLUSTER", "SETSLOT", s.Number, state, id).Err(); err != nil {
		s.t.Fatalf("slot %d at %s: %s %s: %v", s.Number, node.Options().Addr, state, id, err)
	}
}

func (s *Slot) id(node *redis.Client) string {
	s.t.Helper()
	id, err := node.Do(s.t.Context(), "CLUSTER", "MYID").Text()
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}
