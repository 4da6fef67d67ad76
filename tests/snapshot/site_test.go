// Package snapshot holds the rows of snapshots (DESIGN.md 7, RELIABILITY.md 3.5) on an in-process and on a real Kafka: the role as it runs,
// against folds of the log by another program path.
package snapshot

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/kafkalog"
	"switchboard/internal/snapshot"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/fixture"
	"switchboard/topology"
)

func TestMain(m *testing.M) { backend.Main(m) }

const (
	ofEach     = 2               // partitions of a topic of facts
	partitions = 2 * ofEach      // of both: first those of calls.reports, then those of devices.lifecycle
	patience   = 4 * time.Minute // on two cores that others use as well
)

// site is an installation without Redis: topics with a prefix, and snapshotters.
type site struct {
	*testing.T
	ctx    context.Context
	env    []string
	prefix string
	log    *slog.Logger
	kafka  *kafkalog.Log
	append *kafkalog.Appender
	enc    *avrowire.Encoder
	facts  []event.Event // everything appended, in order
}

// each runs f on kfake and on a real broker. settings are lines of the overlay for the topic snapshots.
func each(t *testing.T, f func(s *site), settings ...string) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { f(newSite(t, "embedded", backend.EmbeddedKafka(t), settings)) })
	t.Run("real", func(t *testing.T) { f(newSite(t, "server", backend.RealKafka(t), settings)) })
}

func newSite(t *testing.T, kind string, brokers, settings []string) *site {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	overlay := filepath.Join(t.TempDir(), "topology.yaml")
	text := fmt.Sprintf("topics:\n  calls.reports:\n    partitions: %[1]d\n  devices.lifecycle:\n    partitions: %[1]d\n  dead-letters:\n    partitions: 1\n  snapshots:\n    %[2]s\n", ofEach, strings.Join(append([]string{fmt.Sprint("partitions: ", ofEach)}, settings...), "\n    "))
	if err := os.WriteFile(overlay, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, ctx: ctx, prefix: backend.Prefix(), log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))}
	s.env = []string{
		"SWITCHBOARD_ENV=dev", "SWITCHBOARD_KAFKA_KIND=" + kind, "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(brokers, ","), "SWITCHBOARD_KAFKA_TOPIC_PREFIX=" + s.prefix,
		"SWITCHBOARD_TOPOLOGY_OVERLAYS=" + overlay, "SWITCHBOARD_OBSERVABILITY_LISTEN=127.0.0.1:0", "SWITCHBOARD_SNAPSHOT_SESSION_TIMEOUT=6s",
		"SWITCHBOARD_SNAPSHOT_BUCKETS=4", "SWITCHBOARD_SNAPSHOT_EVERY=1h",
	}
	if diff, err := app.ApplyTopology(ctx, s.config(), s.log, func(topology.Step) {}); err != nil || !diff.Empty() {
		t.Fatalf("topology: %v\n%s", err, diff)
	}
	var err error
	o := kafkalog.Options{Brokers: brokers, Logger: s.log}
	if s.kafka, err = kafkalog.NewLog(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kafka.Close)
	if s.append, err = kafkalog.NewAppender(kafkalog.AppenderOptions{Options: o}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.append.Close(context.Background()) })
	if s.enc, err = avrowire.NewEncoder(nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) config(env ...string) *config.Config {
	s.Helper()
	cfg, err := config.Load(config.Options{Environ: append(append([]string{}, s.env...), env...), Roles: []config.Role{config.RoleSnapshotter}})
	if err != nil {
		s.Fatal(err)
	}
	return cfg
}

// partition is one of facts, by its place among all of them.
func (s *site) partition(n int32) event.Partition {
	if n >= ofEach {
		return event.Partition{Topic: s.prefix + "devices.lifecycle", Number: n - ofEach}
	}
	return event.Partition{Topic: s.prefix + "calls.reports", Number: n}
}

// placeOf is the partition that a fact belongs to.
func placeOf(e event.Event) int32 {
	n := event.PartitionOf(e.Envelope().Subject, ofEach)
	if e.About() == event.Devices {
		n += ofEach
	}
	return n
}

// add appends facts.
func (s *site) add(list []event.Event) {
	s.Helper()
	var records []kafkalog.Record
	for _, e := range list {
		c := e.Envelope()
		value, err := s.enc.Encode(nil, e)
		if err != nil {
			s.Fatal(err)
		}
		records = append(records, kafkalog.Record{Partition: s.partition(placeOf(e)), Key: c.ID[:], Value: value})
	}
	for _, r := range s.append.Append(s.ctx, records) {
		if r.Err != nil {
			s.Fatal(r.Err)
		}
	}
	s.facts = append(s.facts, list...)
}

// snapshotter is a running one.
type snapshotter struct {
	*app.Snapshotter
	stop func() // as SIGTERM, and waits
}

func (s *site) run(env ...string) *snapshotter { return s.dial(nil, env...) }

func (s *site) dial(dial app.Dialer, env ...string) *snapshotter {
	s.Helper()
	r := &snapshotter{Snapshotter: &app.Snapshotter{Config: s.config(env...), Logger: s.log, KafkaDial: dial}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil && ctx.Err() == nil {
			s.Errorf("the snapshotter ended: %v", err)
		}
	}()
	r.stop = func() { cancel(); <-done }
	s.Cleanup(r.stop)
	return r
}

// until waits for a condition.
func (s *site) until(what string, condition func() bool) {
	s.Helper()
	for !condition() {
		select {
		case <-s.ctx.Done():
			s.Fatalf("never came: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// made is how many snapshots a running snapshotter has made by a trigger.
func (r *snapshotter) made(trigger string) (n int64) {
	for _, seen := range r.Lanes() {
		n += seen.Made[trigger]
	}
	return n
}

// caughtUp tells whether every partition has been taken in to its end, by whichever of them has it.
func (s *site) caughtUp(list ...*snapshotter) bool {
	ends, err := s.kafka.HighWatermarks(s.ctx, s.prefix+"calls.reports", s.prefix+"devices.lifecycle")
	if err != nil {
		s.Fatal(err)
	}
	n := 0
	for _, r := range list {
		for p, seen := range r.Lanes() {
			if seen.Known && seen.Position >= ends[p] {
				n++
			}
		}
	}
	return n == partitions
}

func (s *site) snapshots() *app.Snapshots {
	s.Helper()
	reader, err := app.OpenSnapshots(s.config(), s.log)
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
		m, _, err := reader.Newest(s.ctx, s.partition(int32(n)))
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
	got, err := m.Hash(s.ctx, reader.Source(m.Of))
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
	state, totals := view.State{}, view.Totals{}
	known := map[event.Subject]view.Subject{}
	offset := int64(0)
	for _, e := range s.facts {
		id := e.Envelope().Subject
		if placeOf(e) != place {
			continue
		}
		if offset == next {
			break
		}
		sub := known[id]
		if sub == nil {
			sub = view.NewSubject(id, set)
			known[id] = sub
		}
		sub.Queue(offset, e)
		offset++
		var found [][]view.Value
		for _, r := range sub.Reads(nil) {
			v := make([]view.Value, len(r.Fields))
			for i, f := range r.Fields {
				v[i].Text, v[i].OK = state[r.Key][f]
			}
			found = append(found, v)
		}
		if err := sub.Fill(found); err != nil {
			s.Fatal(err)
		}
		if err := sub.Fold(); err != nil {
			s.Fatal(err)
		}
		before := totals
		totals.Add(sub.Change())
		for _, m := range totals.Project(sub.Project(nil), before) {
			state.Apply(&m)
		}
		sub.Settle()
	}
	h, err := state.Hash()
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
