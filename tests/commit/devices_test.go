package commit

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
)

var deviceViews, _ = view.NewSet(view.DeviceNames())

// factsFor is random facts about the subjects that a set of read models is of.
func factsFor(set view.Set, r *rand.Rand, n, subjects int, noise bool) []event.Event {
	if set.About() == event.Devices {
		return lives(r, n, subjects, noise)
	}
	return reports(r, n, subjects, noise)
}

// lives is random events of a few devices, which link to each other, in any order; with noise also duplicates. Sessions, instants and names are few,
// so that stamps clash.
func lives(r *rand.Rand, n, devices int, noise bool) []event.Event {
	var list []event.Event
	for len(list) < n {
		c := event.Common{Subject: event.Subject(fmt.Sprint("s", r.IntN(devices))), OccurredAt: 1_700_000_000_000 + r.Int64N(20)*1000}
		seq := r.Int64N(6)
		s := event.Session{SessionID: fmt.Sprint("session ", seq), SessionSeq: seq}
		l := event.Link{OtherDeviceID: fmt.Sprint("s", r.IntN(devices+2)), LinkKind: []string{"", "radio", "made of words"}[r.IntN(3)]}
		var e event.Event
		switch r.IntN(5) {
		case 0:
			e = &event.DeviceConnected{Common: c, Session: s, Description: event.Description{
				ViaDeviceID: fmt.Sprint("gw", r.IntN(3)), Model: []string{"", "m 1", "m 2"}[r.IntN(3)], Firmware: fmt.Sprint(r.IntN(4)),
			}}
		case 1:
			e = &event.DeviceDisconnected{Common: c, Session: s, InitiatedByClient: r.IntN(2) == 0, DisconnectReason: event.DisconnectReason(r.IntN(13))}
		case 2:
			e = &event.DeviceRenamed{Common: c, Rename: event.Rename{NewName: fmt.Sprint("name ", r.IntN(9))}}
		case 3:
			e = &event.DeviceLinked{Common: c, Link: l}
		default:
			e = &event.DeviceUnlinked{Common: c, Link: l}
		}
		e.Envelope().ID = event.IDOf(e)
		list = append(list, e)
		if noise && r.IntN(10) == 0 {
			list = append(list, list[r.IntN(len(list))])
		}
	}
	return list
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
		got, err := reference.Dump(t.Context(), rdb, reference.Serving(t.Context(), rdb, partition))
		if err != nil {
			t.Fatal(err)
		}
		if diff := reference.Diff(got, reference.Of(set, mine)); diff != nil {
			t.Errorf("%s:\n%s", set.About(), strings.Join(diff, "\n"))
		}
		if len(log.letters) != len(mine)/2 || log.letters[0].Class != pipeline.ClassUnexpected {
			t.Errorf("%s: dead letters %+v", set.About(), log.letters)
		}
	}
}
