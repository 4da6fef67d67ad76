package commit

import (
	"math/rand/v2"
	"testing"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/fixture"
	"switchboard/tests/reference"
)

var deviceViews, _ = view.NewSet(view.DeviceNames())

// factsFor is random facts about the subjects that a set of read models is of.
func factsFor(set view.Set, r *rand.Rand, n, subjects int, noise bool) []event.Event {
	if set.About() == event.Devices {
		return fixture.Lives(r, n, subjects, noise)
	}
	return reports(r, n, subjects, noise)
}

// TestOfAnotherKind: a fact about a subscriber in a topic of devices, and the other way round, is a dead letter, and what follows is folded.
func TestOfAnotherKind(t *testing.T) {
	at := backend.EmbeddedRedis(t)
	c, err := redisview.New(redisview.Options{Addrs: []string{at}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rdb := redis.NewClient(&redis.Options{Addr: at})
	defer rdb.Close()
	r := rand.New(rand.NewPCG(5, 5))
	for _, set := range []view.Set{allViews, deviceViews} {
		other := deviceViews
		if set.About() == event.Devices {
			other = allViews
		}
		rdb.FlushAll(t.Context())
		log := newMemlog(partition)
		mine := factsFor(set, r, 20, 3, false)
		for i, e := range mine {
			for _, e := range append([]event.Event{e}, factsFor(other, r, 1, 3, false)[:i%2]...) {
				id := e.Envelope().ID
				log.add(id[:], encode(e), 0)
			}
		}
		run(t, log, c, set, limits(7))
		reference.Holds(t, rdb, reference.Serving(t.Context(), rdb, partition), set, mine)
		if len(log.letters) != len(mine)/2 || log.letters[0].Class != pipeline.ClassUnexpected {
			t.Errorf("%s: dead letters %+v", set.About(), log.letters)
		}
	}
}
