package commit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/attack/rollback"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
)

// A small log is folded with one fault, at each of its trips to Redis in turn, and then to its end by another process in batches of one
// event. After every trip, not only at the end, what Redis holds must be whole: see bench.inspect.

// fault is what can happen to a trip.
type fault string

const (
	none        fault = "none"
	crashBefore fault = "crash before"
	crashAfter  fault = "crash after"
	dropped     fault = "dropped"    // never arrives; nobody is told
	replyLost   fault = "reply lost" // arrives; nobody is told
	late        fault = "late"       // arrives when the lane has long claimed again
	refusal     fault = "refused"
	setBack     fault = "set back" // Redis, to what it was when half as many trips had been made
	flushed     fault = "flushed"
	stolen      fault = "stolen" // a zombie claims, and says no more
	robbed      fault = "robbed" // likewise, and the group says that it may
)

var faults = []fault{crashBefore, crashAfter, dropped, replyLost, late, refusal, setBack, flushed, stolen, robbed}

// bench is one Redis database and a log to be folded into it.
type bench struct {
	*testing.T
	set    view.Set
	events []event.Event // by offset
	log    *memlog
	client *redisview.Client
	redis  *redis.Client
}

func newBench(t *testing.T, addr string, db int, set view.Set) *bench {
	b := &bench{T: t, set: set, log: newMemlog(partition)}
	var err error
	if b.client, err = redisview.New(redisview.Options{Addrs: []string{addr}, DB: db}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.client.Close() })
	b.redis = redis.NewClient(&redis.Options{Addr: addr, DB: db})
	t.Cleanup(func() { b.redis.Close() })
	r := rand.New(rand.NewPCG(7, 7))
	list := factsFor(set, r, 47, 5, set.Has(view.Timeline) || set.About() == event.Devices)[:47]
	// The last batch ends with the subject that it begins with: when it was written in part, what is left of it changes nothing.
	last := event.Common{Subject: list[36].Envelope().Subject, OccurredAt: 1_710_000_000_000}
	var end event.Event = &event.CallReported{Common: last, Report: event.Report{Counterpart: "c1", Direction: event.In, Outcome: event.Answered}}
	if set.About() == event.Devices {
		end = &event.DeviceLinked{Common: last, Link: event.Link{OtherDeviceID: "s1"}}
	}
	end.Envelope().ID = event.IDOf(end)
	for _, e := range append(list, end) {
		id := e.Envelope().ID
		b.events = append(b.events, e)
		b.log.add(id[:], encode(e), 0)
	}
	return b
}

// small makes four batches of twelve events, in chunks of one or two subjects.
func (b *bench) small() pipeline.Limits {
	l := limits(12)
	l.LiveEvents, l.ChunkCommands, l.Gather, l.Tick = 1, 8, time.Millisecond, 20*time.Millisecond
	if b.set.About() == event.Devices {
		l.ChunkCommands = 3
	}
	return l
}

//fault:p1 a crash before each trip of a lane, in turn
//fault:p2 a crash after each trip, also between two chunks
//fault:p3 each trip, or its reply, lost or late
//fault:p12 Redis set back at each trip
//fault:p15 Redis emptied at each trip
//fault:p17 each trip refused
func TestEveryStep(t *testing.T) {
	server := backend.RealRedis(t, "--databases", "48")
	unchecked, err := view.NewSet([]string{view.Card, view.Contacts, view.Reach, view.Top, view.TotalsOf})
	if err != nil {
		t.Fatal(err)
	}
	sets := []view.Set{allViews, unchecked, deviceViews}
	for i, set := range sets {
		name := []string{"exact", "off", "devices"}[i]
		undisturbed := newBench(t, server.Addr, i, set)
		steps := undisturbed.fold(none, 0)
		if steps < 25 {
			t.Fatalf("%s: %d trips are too few to tell anything", name, steps)
		}
		for k, f := range faults {
			t.Run(fmt.Sprintf("%s/%s", name, f), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, server.Addr, len(sets)+len(faults)*i+k, set)
				for at := 1; at <= steps && !t.Failed(); at++ {
					b.redis.FlushDB(t.Context())
					b.fold(f, at)
				}
			})
		}
	}
}

// fold folds the log with a fault at a trip, restarts, and compares. It returns the number of trips.
func (b *bench) fold(f fault, at int) (trips int) {
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	w := &wire{bench: b, fault: f, at: at, kill: cancel}
	stats := b.start(ctx, cancel, w, b.small(), &group{memlog: b.log, lost: &w.lost})
	if ctx.Err() == nil && !b.reached(stats) && f != robbed {
		b.Fatalf("%s %d: the lane ended at %d of %d", f, at, stats.Snapshot().Next, b.log.end)
	}
	b.check(fmt.Sprintf("%s %d", f, at), w)
	w.finish()
	again, done := context.WithTimeout(b.Context(), 20*time.Second)
	defer done()
	one := b.small()
	one.CatchupEvents = 1
	last := &wire{bench: b, kill: done}
	if s := b.start(again, done, last, one, &group{memlog: b.log}); !b.reached(s) {
		b.Fatalf("%s %d: after it, folding stands still at %d of %d", f, at, s.Snapshot().Next, b.log.end)
	}
	if next := b.redis.HGet(b.Context(), redisview.PosKey(b.serving()), "next").Val(); next != fmt.Sprint(b.log.end) {
		b.Fatalf("%s %d: the position is at %s of %d", f, at, next, b.log.end)
	}
	if diff := reference.Diff(b.dump(), reference.Of(b.set, b.events)); diff != nil {
		b.Fatalf("%s %d:\n%s", f, at, strings.Join(diff, "\n"))
	}
	return w.trips
}

func (b *bench) reached(s *pipeline.Stats) bool { return s.Snapshot().Next >= b.log.end }

// start folds until the end of the log, or until the lane ends.
func (b *bench) start(ctx context.Context, stop func(), w *wire, l pipeline.Limits, g pipeline.Membership) *pipeline.Stats {
	deps := newDeps(b.log, b.client, l, b.set)
	deps.Models, deps.Generations = w, w
	stats := pipeline.NewStats()
	lane := pipeline.NewLane(deps, pipeline.Assignment{Partition: partition, GroupOffset: -1}, &source{log: b.log, next: -1}, g, stats)
	done := make(chan error, 1)
	go func() { done <- lane.Run(ctx) }()
	for {
		select {
		case err := <-done:
			if err != nil {
				b.Fatalf("%s %d: the lane stopped: %v", w.fault, w.at, err)
			}
			return stats
		case <-time.After(time.Millisecond):
			if b.reached(stats) && w.settled() {
				stop()
			}
		}
	}
}

func (b *bench) dump() reference.Fields {
	got, err := reference.Dump(context.Background(), b.redis, b.serving())
	if err != nil {
		b.Fatal(err)
	}
	return got
}

func (b *bench) serving() pipeline.LaneID {
	return reference.Serving(context.Background(), b.redis, partition)
}

// check says what inspect found.
func (b *bench) check(when string, w *wire) {
	b.Helper()
	if w.wrong != nil {
		b.Fatalf("%s: %v", when, w.wrong)
	}
}

// inspect looks at the read models at any moment: every subject must be the fold of its events up to its @, the totals the sum of
// such subjects, nothing below next may be missing, and ahead must say how far any of them is.
func (b *bench) inspect() error {
	id := b.serving()
	if id.Generation == "" {
		return nil
	}
	ctx := context.Background()
	pos, err := b.redis.HGetAll(ctx, redisview.PosKey(id)).Result()
	if err != nil || pos["next"] == "" {
		return err
	}
	next, _ := strconv.ParseInt(pos["next"], 10, 64)
	ahead, _ := strconv.ParseInt(pos["ahead"], 10, 64)
	at := map[event.Subject]int64{}
	var folded []event.Event
	for offset, e := range b.events {
		s := e.Envelope().Subject
		if _, known := at[s]; !known {
			at[s] = -1
			head := view.CardKey(s)
			if b.set.About() == event.Devices {
				head = view.DeviceKey(s)
			}
			text, err := b.redis.HGet(ctx, redisview.Prefix(id)+head, "@").Result()
			if err == nil {
				at[s], err = strconv.ParseInt(text, 10, 64)
			}
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
		}
		if int64(offset) <= at[s] {
			folded = append(folded, e)
		} else if int64(offset) < next {
			return fmt.Errorf("next is %d, and offset %d of %s was not folded", next, offset, s)
		}
	}
	for s, n := range at {
		if n >= max(ahead, next) {
			return fmt.Errorf("%s is at %d, ahead says %d", s, n, ahead)
		}
	}
	if diff := reference.Diff(b.dump(), reference.Of(b.set, folded)); diff != nil {
		return fmt.Errorf("at next %d, part %s, subjects at %v:\n%s", next, pos["part"], at, strings.Join(diff, "\n"))
	}
	return nil
}

var (
	errDead = errors.New("this process was killed")
	errLost = errors.New("no answer")
)

// wire counts the trips of a process to Redis, and has a fault at one of them.
type wire struct {
	*bench
	fault fault
	at    int
	kill  context.CancelFunc

	mu     sync.Mutex
	trips  int
	dead   bool
	copied []any  // of Redis, to be set back to
	late   func() // what is still under way
	lost   bool   // the group's answer to a lease check
	wrong  error
	open   []pipeline.Store
}

// lateness is how many trips a lane makes before a late one arrives: enough to claim again and to commit.
const lateness = 8

// settled tells whether the fault, and what it left under way, is over.
func (w *wire) settled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trips >= w.at && w.late == nil
}

// trip makes one trip. run is the trip itself; its outcome counts for a late one.
func (w *wire) trip(run func() (pipeline.Outcome, error)) (pipeline.Outcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trips++
	if w.dead {
		return pipeline.Unknown, errDead
	}
	if w.late != nil && w.trips == w.at+lateness {
		w.late()
		w.late = nil
	}
	if w.trips == (w.at+1)/2 && w.fault == setBack {
		w.copied, _ = rollback.Copy(context.Background(), w.redis, partition)
	}
	defer w.look()
	if w.trips != w.at {
		return run()
	}
	switch w.fault {
	case crashBefore:
		w.die()
	case crashAfter:
		_, _ = run()
		w.die()
	case dropped:
		return pipeline.Unknown, errLost
	case replyLost:
		_, _ = run()
		return pipeline.Unknown, errLost
	case late:
		w.late = func() {
			if outcome, _ := run(); outcome == pipeline.Applied {
				w.wrong = errors.New("a trip was applied after the lane had claimed again")
			}
		}
		return pipeline.Unknown, errLost
	case refusal:
		return pipeline.Aborted, errors.New("READONLY You can't write against a read only replica.")
	case setBack:
		if err := rollback.To(context.Background(), w.redis, partition, w.copied); err != nil {
			w.wrong = err
		}
		return run()
	case flushed:
		w.redis.FlushDB(context.Background())
		return run()
	case robbed, stolen:
		w.steal()
		w.lost = w.fault == robbed
		return run()
	default:
		return run()
	}
	return pipeline.Unknown, errDead
}

func (w *wire) die() {
	w.dead = true
	w.kill()
}

// steal claims the lane for somebody else.
func (w *wire) steal() {
	id := w.serving()
	if id.Generation == "" {
		return
	}
	store, _, found, err := w.client.Open(context.Background(), id)
	if err != nil {
		w.wrong = err
		return
	}
	defer store.Close()
	if !found {
		return
	}
	if outcome, err := store.Claim(context.Background(), fmt.Sprint("thief.", w.at)); outcome != pipeline.Applied {
		w.wrong = fmt.Errorf("the thief's claim: %s: %w", outcome, err)
	}
}

// look inspects what a trip has left: every one of an undisturbed run, and the first ones behind a fault.
func (w *wire) look() {
	after := w.trips - w.at
	if w.wrong == nil && (w.fault == none || 0 <= after && after < 3 || w.fault == late && after == lateness) {
		w.wrong = w.inspect()
	}
}

// finish lets what is under way arrive, and closes everything.
func (w *wire) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.late != nil {
		w.late()
		w.late = nil
	}
	for _, s := range w.open {
		s.Close()
	}
}

// The ports of a lane, through the wire. A context that ended does not end a trip: it has been sent.

func (w *wire) Serving(ctx context.Context, p event.Partition) (g pipeline.Generation, err error) {
	_, failed := w.trip(func() (pipeline.Outcome, error) {
		g, err = w.client.Serving(context.WithoutCancel(ctx), p)
		return pipeline.Unknown, err
	})
	return g, failed
}

func (w *wire) Open(ctx context.Context, id pipeline.LaneID) (_ pipeline.Store, pos pipeline.Pos, found bool, _ error) {
	s := &store{wire: w}
	_, failed := w.trip(func() (_ pipeline.Outcome, err error) {
		s.Store, pos, found, err = w.client.Open(context.WithoutCancel(ctx), id)
		if err == nil {
			w.open = append(w.open, s.Store)
		}
		return pipeline.Unknown, err
	})
	return s, pos, found, failed
}

func (w *wire) Newest(ctx context.Context, p event.Partition) (g pipeline.Generation, err error) {
	_, failed := w.trip(func() (pipeline.Outcome, error) {
		g, err = w.client.Newest(context.WithoutCancel(ctx), p)
		return pipeline.Unknown, err
	})
	return g, failed
}

func (w *wire) Make(ctx context.Context, p event.Partition, line pipeline.Line, pos pipeline.Pos) error {
	_, failed := w.trip(func() (pipeline.Outcome, error) {
		return pipeline.Unknown, w.client.Make(context.WithoutCancel(ctx), p, line, pos)
	})
	return failed
}

func (w *wire) Serve(ctx context.Context, id, over pipeline.LaneID) (served bool, _ error) {
	_, failed := w.trip(func() (_ pipeline.Outcome, err error) {
		served, err = w.client.Serve(context.WithoutCancel(ctx), id, over)
		return pipeline.Unknown, err
	})
	return served, failed
}

// What follows concerns builds, which nothing here asks for: these are no trips that could fail.

func (w *wire) List(ctx context.Context, p event.Partition) ([]pipeline.Line, error) {
	return w.client.List(context.WithoutCancel(ctx), p)
}

func (w *wire) Adopted(ctx context.Context, p event.Partition) (event.TopicID, error) {
	return w.client.Adopted(context.WithoutCancel(ctx), p)
}

func (w *wire) Mark(ctx context.Context, p event.Partition, line pipeline.Line) error {
	return w.client.Mark(context.WithoutCancel(ctx), p, line)
}

func (w *wire) Flip(ctx context.Context, p event.Partition, from, to pipeline.Generation) (bool, error) {
	return w.client.Flip(context.WithoutCancel(ctx), p, from, to)
}

func (w *wire) Compare(ctx context.Context, p event.Partition, a, b pipeline.Generation) (pipeline.Comparison, error) {
	return w.client.Compare(context.WithoutCancel(ctx), p, a, b)
}

func (w *wire) Delete(ctx context.Context, p event.Partition, g pipeline.Generation) error {
	return w.client.Delete(context.WithoutCancel(ctx), p, g)
}

// store is a lane's connection through the wire.
type store struct {
	pipeline.Store
	wire *wire
}

// Close leaves the connection open: something may still be under way on it.
func (s *store) Close() {}

func (s *store) Claim(ctx context.Context, token string) (pipeline.Outcome, error) {
	return s.wire.trip(func() (pipeline.Outcome, error) { return s.Store.Claim(context.WithoutCancel(ctx), token) })
}

func (s *store) Load(ctx context.Context, reads []view.Read) (values [][]view.Value, err error) {
	_, failed := s.wire.trip(func() (pipeline.Outcome, error) {
		values, err = s.Store.Load(context.WithoutCancel(ctx), reads)
		return pipeline.Unknown, err
	})
	return values, failed
}

func (s *store) Commit(ctx context.Context, c *pipeline.Chunk) (pipeline.Outcome, error) {
	sent := *c
	sent.Mutations = slices.Clone(c.Mutations) // the lane goes on with its own when this is late
	return s.wire.trip(func() (pipeline.Outcome, error) { return s.Store.Commit(context.WithoutCancel(ctx), &sent) })
}

// group is a group whose answer to a lease check a test decides.
type group struct {
	*memlog
	lost   *bool // nil: never
	unsure int   // so many answers know nothing
	asked  func()
}

func (g *group) Check(context.Context, int64, string) pipeline.Lease {
	if g.asked != nil {
		g.asked()
	}
	if g.unsure > 0 {
		g.unsure--
		return pipeline.LeaseUnknown
	}
	if g.lost != nil && *g.lost {
		return pipeline.LeaseLost
	}
	return pipeline.LeaseHeld
}

// TestLeaseDecides: a lane that was robbed ends when the group says so, claims nothing on the way, and asks until the group knows.
//
//fault:p6 robbed, it claims nothing before the group has answered, and ends when that says lost
func TestLeaseDecides(t *testing.T) {
	server := backend.RealRedis(t)
	for i, held := range []bool{false, true} {
		t.Run(fmt.Sprint("held ", held), func(t *testing.T) {
			b := newBench(t, server.Addr, i, allViews)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			lost := !held
			w := &wire{bench: b, fault: stolen, at: 12, kill: cancel}
			g := &group{memlog: b.log, lost: &lost, unsure: 3}
			owner := func() string { return b.redis.HGet(context.Background(), redisview.PosKey(b.serving()), "owner").Val() }
			g.asked = func() {
				if got := owner(); got != "thief.12" && g.unsure > 0 {
					t.Errorf("before the group has answered, the owner is %q", got)
				}
			}
			stats := b.start(ctx, cancel, w, b.small(), g)
			w.finish()
			if got := owner(); held == (got == "thief.12") {
				t.Errorf("the owner is %q at the end", got)
			}
			if b.reached(stats) != held {
				t.Errorf("the lane is at %d of %d", stats.Snapshot().Next, b.log.end)
			}
			if n := stats.Snapshot().LeaseChecks; n < 4 {
				t.Errorf("%d lease checks", n)
			}
		})
	}
}
