package faults

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

// TestTailOfTheFile cuts bytes off the append-only file under load, as a power cut does: in the middle of a command, of a transaction, and
// further back.
//
//fault:p12 the append-only file cut at 1, 700 and 20,000 bytes from its end, under load
func TestTailOfTheFile(t *testing.T) {
	t.Parallel()
	s := folded(t, backend.Real(t), local.Options{})
	before := s.Serving(0)
	for _, cut := range []int64{1, 700, 20_000} {
		s.Append(300)
		s.CaughtUp()
		s.On.Server.Kill()
		files, err := filepath.Glob(filepath.Join(s.On.Server.Dir, "appendonlydir", "*.incr.aof"))
		if err != nil || len(files) != 1 {
			t.Fatalf("append-only files: %v (%v)", files, err)
		}
		info, err := os.Stat(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(files[0], max(0, info.Size()-cut)); err != nil {
			t.Fatal(err)
		}
		s.On.Server.Start()
		if cut == 20_000 {
			s.Until("it is seen that something is lost", func() bool { return s.Lane(0).Rollbacks+s.Lane(1).Rollbacks > 0 })
		}
		s.Append(100)
		s.CaughtUp()
	}
	s.Exact()
	s.noLetters()
	if s.Serving(0) != before {
		t.Error("something was rebuilt")
	}
	s.Halt()
}

// primary is an address that can be moved to another server, as a Sentinel or a service name does.
type primary struct{ at atomic.Pointer[string] }

func (p *primary) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, *p.at.Load())
}

// TestFailover promotes a replica that has seen less than the primary had acknowledged.
//
//fault:p13 a replica that has seen a part of what was acknowledged becomes the primary; events come in meanwhile, or none do
//fault:p14 the same with nothing to fold: noticed and healed within 2 s
func TestFailover(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]bool{"busy": true, "idle": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := backend.Real(t)
			replica := backend.RealRedis(t)
			rdb := redis.NewClient(&redis.Options{Addr: replica.Addr, Protocol: 2})
			defer rdb.Close()
			host, port, _ := net.SplitHostPort(b.Redis[0])
			if err := rdb.ReplicaOf(t.Context(), host, port).Err(); err != nil {
				t.Fatal(err)
			}
			s := newSite(t, b, local.Options{})
			var at primary
			at.at.Store(&b.Redis[0])
			s.RedisDial = at.dial
			s.Append(300)
			s.Start()
			s.CaughtUp()
			before := s.Serving(0)
			s.Until("the replica has it", func() bool {
				next, err := rdb.HGet(t.Context(), redisview.PosKey(before), "next").Int64()
				return err == nil && next == s.Next(0)
			})
			if err := rdb.ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil { // from here on it sees nothing
				t.Fatal(err)
			}
			lagging := s.Next(0)
			s.Append(500)
			s.CaughtUp()
			if busy {
				s.Append(200) // some of them are on their way
			}
			at.at.Store(&replica.Addr)
			s.On.Server.Kill()
			began := time.Now()
			s.Redis = rdb
			if next := s.Next(0); next != lagging {
				t.Fatalf("the replica is at %d, want %d", next, lagging)
			}
			s.CaughtUp()
			if took := time.Since(began); !busy && took > 2*time.Second {
				t.Errorf("healed after %v", took)
			}
			s.Exact()
			s.noLetters()
			if s.Serving(0) != before {
				t.Error("something was rebuilt")
			}
			if s.Lane(0).Rollbacks == 0 {
				t.Error("the rollback was not counted")
			}
			s.Halt()
		})
	}
}

// TestFull fills Redis to its maxmemory: the partitions wait with everything in the log, and go on when there is room.
//
//fault:p17 maxmemory reached: every commit aborted, nothing skipped, no dead letter, not ready; it heals
func TestFull(t *testing.T) {
	t.Parallel()
	s := folded(t, backend.Real(t), local.Options{})
	limit := func(to string) {
		t.Helper()
		if err := s.Redis.ConfigSet(t.Context(), "maxmemory", to).Err(); err != nil {
			t.Fatal(err)
		}
	}
	limit("1mb") // less than an empty one takes
	var at [partitions]int64
	for p := range at {
		at[p] = s.Next(int32(p))
	}
	s.Append(300)
	s.Until("refusals", func() bool {
		refused := 0
		for p := range int32(partitions) {
			if l := s.Lane(p); l.Commits[pipeline.Aborted.String()]+l.Claims[pipeline.Aborted.String()] > 2 {
				refused++
			}
		}
		return refused == partitions
	})
	if err := s.Processor.Ready(); err == nil {
		t.Error("the processor says that all is well")
	}
	for p, next := range at {
		if now := s.Next(int32(p)); now != next {
			t.Errorf("partition %d moved from %d to %d", p, next, now)
		}
	}
	limit("0")
	s.CaughtUp()
	s.Exact()
	s.noLetters()
	s.Halt()
}

// TestUnsafeRedis: no processor starts on a Redis that may lose what it holds while it keeps the position.
//
//fault:p16 without persistence: a processor ends at its start, and names the setting
//fault:p18 with an eviction policy: likewise
func TestUnsafeRedis(t *testing.T) {
	t.Parallel()
	s := newSite(t, backend.Real(t), local.Options{})
	for setting, value := range map[string]string{"maxmemory-policy": "allkeys-lru", "appendonly": "no"} {
		was := s.Redis.ConfigGet(t.Context(), setting).Val()[setting]
		if err := s.Redis.ConfigSet(t.Context(), setting, value).Err(); err != nil {
			t.Fatal(err)
		}
		s.Start()
		var unsafe *redisview.UnsafeRedis
		if err := s.Ended(); !errors.As(err, &unsafe) || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s %s: the processor ended with %v", setting, value, err)
		}
		if err := s.Redis.ConfigSet(t.Context(), setting, was).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Redis.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys were written", n)
	}
	s.Append(100)
	s.Start()
	s.CaughtUp()
	s.Exact()
	s.Halt()
}

// TestAnotherType puts a string where a hash or a sorted set belongs: the partition stops, and its next owner builds a generation beside the
// broken one. The other partition does not notice.
//
//fault:p20 a head record that is a string, met when it is read
//fault:p20 a top list that is a string, met inside a transaction whose other commands were applied
func TestAnotherType(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"card:", "top:"} {
		t.Run(strings.TrimSuffix(name, ":"), func(t *testing.T) {
			t.Parallel()
			s := folded(t, backend.Real(t), local.Options{})
			s.Config.Processor.CacheBytes = 0 // every subject is read again
			s.Halt()
			broken, other := s.Serving(0), s.Serving(1)
			keys, err := s.Redis.Keys(t.Context(), redisview.Prefix(broken)+name+"*").Result()
			if err != nil || len(keys) == 0 {
				t.Fatalf("no keys (%v)", err)
			}
			for _, key := range keys {
				if err := s.Redis.Set(t.Context(), key, "of somebody else", 0).Err(); err != nil {
					t.Fatal(err)
				}
			}
			s.Start()
			s.Append(200)
			s.Until("the partition stops", func() bool { return s.Lane(0).Stopped != nil })
			if why := s.Lane(0).Stopped; why.Rule != 3 || !strings.Contains(why.Error(), "WRONGTYPE") || !strings.Contains(why.Hint, "start") {
				t.Errorf("stopped by rule %d: %v", why.Rule, why)
			}
			if err := s.Processor.Ready(); err == nil {
				t.Error("the processor says that all is well")
			}
			end := s.Ends()[1]
			s.Until("the other partition goes on", func() bool { return s.Next(1) == end })
			s.Halt()
			s.Start()
			s.Until("another generation serves", func() bool { return s.Serving(0) != broken })
			s.Append(100)
			s.CaughtUp()
			s.Exact()
			s.noLetters()
			if s.Serving(1) != other {
				t.Error("the other partition was rebuilt")
			}
			s.Halt()
		})
	}
}
