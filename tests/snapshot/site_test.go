// Package snapshot holds the rows of snapshots (DESIGN.md 7, RELIABILITY.md 3.5) on an in-process and on a real Kafka: the role as it runs,
// against folds of the log by another program path.
package snapshot

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"

	"switchboard/internal/app"
	"switchboard/internal/event"
	"switchboard/internal/snapshot"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/fixture"
	"switchboard/tests/reference"
	"switchboard/tests/site/local"
)

func TestMain(m *testing.M) { backend.Main(m) }

const (
	ofEach     = 2          // partitions of a topic of facts
	partitions = 2 * ofEach // of both: first those of calls.reports, then those of devices.lifecycle
)

// site is an installation without Redis.
type site struct{ *local.Site }

// each runs f on kfake and on a real broker. settings are lines of the topology for the topic snapshots.
func each(t *testing.T, f func(s *site), settings ...string) {
	t.Helper()
	run := func(name string, brokers func(testing.TB) []string) {
		t.Run(name, func(t *testing.T) {
			f(&site{local.New(t, backend.Backend{Name: name, Brokers: brokers(t), Prefix: backend.Prefix()}, local.Options{
				Partitions: map[string]int{"calls.reports": ofEach, "devices.lifecycle": ofEach},
				Settings:   map[string][]string{"snapshots": settings},
				Env:        []string{"SWITCHBOARD_SNAPSHOT_SESSION_TIMEOUT=6s", "SWITCHBOARD_SNAPSHOT_BUCKETS=4", "SWITCHBOARD_SNAPSHOT_EVERY=1h"},
				Logger:     slog.New(slog.NewTextHandler(t.Output(), nil)),
			})})
		})
	}
	run("embedded", backend.EmbeddedKafka)
	run("real", backend.RealKafka)
}

// partition is one of facts, by its place among all of them.
func (s *site) partition(n int32) event.Partition {
	if n >= ofEach {
		return event.Partition{Topic: s.Devices, Number: n - ofEach}
	}
	return s.Partition(n)
}

// snapshotter is a running one.
type snapshotter struct{ *local.Snapshotter }

func (s *site) run(env ...string) *snapshotter {
	s.Helper()
	return &snapshotter{s.Snapshotter(s.Load(env...))}
}

// made is how many snapshots a running snapshotter has made by a trigger.
func (r *snapshotter) made(trigger string) (n int64) {
	for _, seen := range r.Lanes() {
		n += seen.Made[trigger]
	}
	return n
}

// end is where a partition of facts ends.
func (s *site) end(n int32) int64 {
	s.Helper()
	p := s.partition(n)
	return s.EndsOf(p.Topic)[p.Number]
}

// caughtUp tells whether every partition has been taken in to its end, by whichever of them has it.
func (s *site) caughtUp(list ...*snapshotter) bool {
	s.Helper()
	ends := append(s.EndsOf(s.Reports), s.EndsOf(s.Devices)...)
	n := 0
	for place, end := range ends {
		for _, r := range list {
			if seen := r.Lanes()[s.partition(int32(place))]; seen.Known && seen.Position >= end {
				n++
			}
		}
	}
	return n == partitions
}

func (s *site) snapshots() *app.Snapshots {
	s.Helper()
	reader, err := app.OpenSnapshots(s.Config, s.Logger)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(reader.Close)
	return reader
}

// newest is the newest usable snapshot of every partition; nil where there is none.
func (s *site) newest(reader *app.Snapshots) [partitions]*snapshot.Manifest {
	s.Helper()
	var list [partitions]*snapshot.Manifest
	for n := range list {
		m, _, err := reader.Newest(s.Context(), s.partition(int32(n)))
		if err != nil {
			s.Fatal(err)
		}
		list[n] = m
	}
	return list
}

// check holds the newest snapshot of every partition against a fold of the facts that it must hold: one at a time, by the pure packages.
func (s *site) check(reader *app.Snapshots) {
	s.Helper()
	for n, m := range s.newest(reader) {
		if m == nil {
			s.Errorf("partition %d has no snapshot", n)
			continue
		}
		s.checkOne(reader, int32(n), m)
	}
}

func (s *site) checkOne(reader *app.Snapshots, n int32, m *snapshot.Manifest) {
	s.Helper()
	got, err := m.Hash(s.Context(), reader.Source(m.Of))
	if err != nil {
		s.Fatal(err)
	}
	if want := s.fold(n, m.Next); got.String() != want {
		s.Errorf("the snapshot of %s at %d is %s, the facts fold to %s", m.Of, m.Next, got, want)
	}
}

// fold is the canonical hash of the first facts of a partition, up to an offset: what was appended, not what was read.
func (s *site) fold(place int32, next int64) string {
	s.Helper()
	names := view.Names()
	if place >= ofEach {
		names = view.DeviceNames()
	}
	set, err := view.NewSet(names)
	if err != nil {
		s.Fatal(err)
	}
	var list []event.Event
	for _, e := range s.Facts {
		if s.PlaceOf(e) == s.partition(place) && int64(len(list)) < next {
			list = append(list, e)
		}
	}
	h, err := reference.Hash(set, list)
	if err != nil {
		s.Fatal(err)
	}
	return h.String()
}

// random is about n reports over some weeks, with amendments in any order and duplicates, and n/6 events of devices.
func random(seed uint64, n, subscribers int) []event.Event {
	r := rand.New(rand.NewPCG(seed, 5))
	var list []event.Event
	add := func(e event.Event) event.ID {
		id := event.IDOf(e)
		e.Envelope().ID = id
		list = append(list, e)
		return id
	}
	for len(list) < n {
		c := event.Common{Subject: event.Subject(fmt.Sprintf("+4477009%05d", r.IntN(subscribers))), OccurredAt: 1_700_000_000_000 + r.Int64N(40*86400)*1000}
		report := event.Report{Counterpart: fmt.Sprintf("+4477008%05d", r.IntN(30)), Direction: event.Direction(1 + r.IntN(2)), Outcome: event.Answered, AntennaID: fmt.Sprint(r.IntN(9))}
		if r.IntN(4) == 0 {
			add(&event.TextReported{Common: c, Report: report})
			continue
		}
		d := event.CallDetails{DurationS: int32(r.IntN(600))}
		id := add(&event.CallReported{Common: c, Report: report, CallDetails: d})
		for r.IntN(10) == 0 {
			d.DurationS = int32(r.IntN(600))
			add(&event.CallReportAmended{Common: c, Report: report, CallDetails: d, Kind: event.Call, Amends: id, Revision: int32(1 + r.IntN(3))})
		}
	}
	for range n / 20 {
		list = append(list, list[r.IntN(len(list))])
	}
	list = append(list, fixture.Lives(r, n/6, subscribers/2, true)...)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
