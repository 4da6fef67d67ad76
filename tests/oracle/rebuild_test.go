package oracle

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
)

// noticed is how soon a running processor sees that Redis was emptied, or went back.
const noticed = 2 * time.Second

// TestRedisIsDisposable empties Redis, replaces it and sets it back, under a running processor.
//
//fault:p12 started again with an older append-only file, under an idle processor: claimed within 2 s, folded from the older position
//fault:p14 all keys set back under an idle processor: noticed within 2 s
//fault:p15 FLUSHALL: new generations within 2 s, answers say rebuilding or are whole
func TestRedisIsDisposable(t *testing.T) {
	facts, truths := everything(t)
	want := pinnedHash(t)
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		o := &oracle{b: b, facts: facts, truths: truths, want: want}
		in := install(t, b)
		slow := []string{"SWITCHBOARD_PROCESSOR_BATCH_LIVE_EVENTS=5", "SWITCHBOARD_PROCESSOR_BATCH_CATCHUP_EVENTS=5"} // so that it can be watched
		p := in.process(slow...)
		half := len(facts) / 2
		in.importFacts(facts[:half])
		in.wait()
		older := copyRedis(t, in)
		files := ""
		if b.Server != nil {
			files = copyFiles(t, b.Server)
		}
		in.importFacts(facts[half:])
		in.wait()
		o.check(t, in)

		t.Run("set back", func(t *testing.T) { o.setBack(t, in, p, half, func() { older.restore(t, in) }) })
		if b.Server != nil {
			t.Run("started again with older files", func(t *testing.T) {
				o.setBack(t, in, p, half, func() { startWith(t, b.Server, files) })
			})
		}
		t.Run("FLUSHALL", func(t *testing.T) { o.emptied(t, in) })
		p.stop()
		t.Run("another Redis", func(t *testing.T) { o.replaced(t, in) })
	})
}

// emptied empties Redis and watches the answers until they are whole again.
func (o *oracle) emptied(t *testing.T, in *installation) {
	rdb := in.redis()
	before := servingAll(t, in, rdb)
	answers := in.console()
	q := console.Query{Subject: "oracle-sample_user"}
	whole, err := answers.Card(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var unavailable, rebuilding int
	var watching sync.WaitGroup
	stop := make(chan struct{})
	watching.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			card, err := answers.Card(t.Context(), q)
			switch {
			case errors.Is(err, view.ErrUnavailable):
				unavailable++
			case err != nil:
				t.Errorf("answer while Redis is folded again: %v", err)
				return
			case card.Rebuilding:
				rebuilding++
			case card.Figures != whole.Figures:
				t.Errorf("an answer that does not say rebuilding has %+v, want %+v", card.Figures, whole.Figures)
				return
			}
		}
	})
	in.await("a new generation of each partition", func() bool {
		now := servingAll(t, in, rdb)
		for number, g := range before {
			if now[number] == "" || now[number] == g {
				return false
			}
		}
		return true
	})
	took := time.Since(began)
	in.wait()
	folded := time.Since(began)
	close(stop)
	watching.Wait()
	if took > noticed {
		t.Errorf("new generations served after %v, want within %v", took, noticed)
	}
	if rebuilding == 0 {
		t.Errorf("%d answers were unavailable, none said rebuilding", unavailable)
	}
	t.Logf("new generations after %v, everything folded after %v; meanwhile %d answers unavailable, %d rebuilding", took, folded, unavailable, rebuilding)
	o.check(t, in)
}

func servingAll(t *testing.T, in *installation, rdb *redis.Client) map[int32]pipeline.Generation {
	t.Helper()
	names, err := rdb.HGetAll(t.Context(), redisview.ServingKey).Result()
	if err != nil {
		t.Fatal(err)
	}
	out := map[int32]pipeline.Generation{}
	for number := range int32(partitions) {
		out[number] = pipeline.Generation(names[in.partition(number).String()])
	}
	return out
}

// replaced folds the log into a Redis that never knew anything.
func (o *oracle) replaced(t *testing.T, in *installation) {
	addr := ""
	if o.b.Name == "embedded" {
		addr = backend.EmbeddedRedis(t)
	} else {
		addr = backend.RealRedis(t).Addr
	}
	other := in.on(t, addr)
	other.process()
	other.wait()
	o.check(t, other)
}

// setBack makes Redis older, as it was after half of the facts, under an idle processor, which must see it soon, and fold from the
// stored position into the same generations.
func (o *oracle) setBack(t *testing.T, in *installation, p *processor, half int, back func()) {
	rdb := in.redis()
	generations, claims := servingAll(t, in, rdb), claimsOf(p)
	events := eventsOf(p)
	back()
	began := time.Now()
	in.await("a claim of each partition", func() bool {
		for number, n := range claimsOf(p) {
			if n == claims[number] {
				return false
			}
		}
		return true
	})
	took := time.Since(began)
	in.wait()
	if took > noticed {
		t.Errorf("claimed again after %v, want within %v", took, noticed)
	}
	if now := servingAll(t, in, rdb); !maps.Equal(now, generations) {
		t.Errorf("generations %v, want the same as before: %v", now, generations)
	}
	folded := eventsOf(p) - events
	if least := int64(len(o.facts) - half); folded < least || folded > least+500 { // a claim that had to be repeated folds a batch twice
		t.Errorf("%d events folded again, want %d", folded, least)
	}
	t.Logf("claimed again after %v; %d of %d events folded again", took, folded, len(o.facts))
	o.check(t, in)
}

func (in *installation) pos(rdb *redis.Client, number int32) string {
	return redisview.PosKey(pipeline.LaneID{Partition: in.partition(number), Generation: in.serving(rdb, number)})
}

func claimsOf(p *processor) map[event.Partition]int64 {
	out := map[event.Partition]int64{}
	for partition, s := range p.Lanes() {
		out[partition] = s.Claims[pipeline.Applied.String()]
	}
	return out
}

func eventsOf(p *processor) (n int64) {
	for _, s := range p.Lanes() {
		n += s.Events
	}
	return n
}

// redisCopy is everything that a Redis holds.
type redisCopy struct {
	hashes map[string]map[string]string
	scores map[string][]redis.Z
}

func copyRedis(t *testing.T, in *installation) *redisCopy {
	t.Helper()
	rdb, ctx := in.redis(), t.Context()
	c := &redisCopy{hashes: map[string]map[string]string{}, scores: map[string][]redis.Z{}}
	keys, err := rdb.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		kind, err := rdb.Type(ctx, key).Result()
		if err == nil && kind == "hash" {
			c.hashes[key], err = rdb.HGetAll(ctx, key).Result()
		} else if err == nil {
			c.scores[key], err = rdb.ZRangeWithScores(ctx, key, 0, -1).Result()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// restore sets all keys of each partition back in one atomic step, as a failover to a lagging replica would.
func (c *redisCopy) restore(t *testing.T, in *installation) {
	t.Helper()
	rdb, ctx := in.redis(), t.Context()
	now, err := rdb.Keys(ctx, "v:{*").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, err = rdb.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.Del(ctx, now...)
		for key, fields := range c.hashes {
			if key != redisview.ServingKey {
				tx.HSet(ctx, key, fields)
			}
		}
		for key, members := range c.scores {
			tx.ZAdd(ctx, key, members...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// copyFiles copies what a redis-server has written so far.
func copyFiles(t *testing.T, server *backend.RedisServer) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "appendonlydir"), os.DirFS(filepath.Join(server.Dir, "appendonlydir"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func startWith(t *testing.T, server *backend.RedisServer, files string) {
	t.Helper()
	server.Kill()
	here := filepath.Join(server.Dir, "appendonlydir")
	if err := errors.Join(os.RemoveAll(here), os.CopyFS(here, os.DirFS(filepath.Join(files, "appendonlydir")))); err != nil {
		t.Fatal(err)
	}
	server.Start()
}
