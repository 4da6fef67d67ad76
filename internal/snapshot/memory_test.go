package snapshot

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/view"
)

// memory is a partition of a topic of snapshots.
type memory struct {
	mu      sync.Mutex
	records []Record
	end     int64
	nowMs   int64
	fail    error // of the next append
	reads   int
}

func (m *memory) Bounds(context.Context) (int64, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return 0, m.end, nil
}

func (m *memory) Read(_ context.Context, from, to int64, f func(Record) error) error {
	m.mu.Lock()
	m.reads++
	list := slices.Clone(m.records)
	m.mu.Unlock()
	for _, r := range list {
		if r.Offset >= from && r.Offset < to {
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) Append(_ context.Context, list []Record) ([]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var offsets []int64
	for _, r := range list {
		if m.fail != nil {
			return nil, m.fail
		}
		r.Offset, r.AppendedMs = m.end, m.nowMs
		m.records = append(m.records, r)
		offsets = append(offsets, m.end)
		m.end++
	}
	return offsets, nil
}

// compact keeps the last record of each key, and drops tombstones.
func (m *memory) compact() {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := map[string]int64{}
	for _, r := range m.records {
		last[string(r.Key)] = r.Offset
	}
	m.records = slices.DeleteFunc(m.records, func(r Record) bool { return last[string(r.Key)] != r.Offset || r.Value == nil })
}

// remove takes the records away for which gone says so.
func (m *memory) remove(gone func(k Key) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records = slices.DeleteFunc(m.records, func(r Record) bool {
		k, err := ParseKey(string(r.Key))
		return err == nil && gone(k)
	})
}

var facts = event.Partition{Topic: "calls.reports", Number: 1}

// allViews are those of the kind of subjects that the events are about.
func (w wallet) allViews(t testing.TB) view.Set {
	t.Helper()
	names := view.Names()
	if w[0].About() == event.Devices {
		names = view.DeviceNames()
	}
	set, err := view.NewSet(names)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func (w wallet) identity(t testing.TB) Identity {
	return Identity{ClusterID: "c", TopicID: event.TopicID{1}, Of: facts, Partitions: 3, Fold: fold.Version, Views: w.allViews(t).String()}
}

// wallet is the events of a test: what stands in the log is the number of one.
type wallet []event.Event

func (w wallet) decode(value []byte) (event.Event, error) {
	var n int
	if _, err := fmt.Sscan(string(value), &n); err != nil || n >= len(w) {
		return nil, errors.New("no event")
	}
	return w[n], nil
}

func (w wallet) builder(m *memory) *Builder {
	return &Builder{Source: m, Append: m.Append, Decode: w.decode, NewSubject: view.NewSubject, Now: func() time.Time { return time.UnixMilli(m.nowMs) }}
}

// tail is the events from one offset to another.
func (w wallet) tail(bits uint8, from, to int64) (*Tail, Progress) {
	t := NewTail(bits)
	for o := from; o < to; o++ {
		t.Add(w[o].Envelope().Subject, o, []byte(fmt.Sprint(o)))
	}
	return t, Progress{Next: to, LeaderEpoch: 0, AppliedAppendMs: to}
}

// build makes the snapshot at an offset out of an earlier one.
func (w wallet) build(t testing.TB, m *memory, base *Manifest, to int64) *Manifest {
	t.Helper()
	tail, progress := w.tail(base.Bits, base.Next, to)
	next, _, err := w.builder(m).Build(context.Background(), base, tail, progress)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// restored is the read models that a snapshot comes back to.
func restored(t testing.TB, s Source, m *Manifest) view.State {
	t.Helper()
	set, err := view.ParseSet(m.Views)
	if err != nil {
		t.Fatal(err)
	}
	state := view.State{}
	var totals view.Totals
	err = m.Each(context.Background(), s, func(key string, fields []string) error {
		mutations, d, err := view.Restore(nil, set, m.Next-1, key, fields)
		totals.Add(d)
		for i := range mutations {
			state.Apply(&mutations[i])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if totals != m.Totals {
		t.Errorf("totals of the records: %+v, of the manifest: %+v", totals, m.Totals)
	}
	for _, mutation := range totals.Project(nil, view.Totals{}) {
		state.Apply(&mutation)
	}
	return state
}

// fold folds events into read models one at a time: a program path of its own. Subjects are loaded from the state.
func (w wallet) fold(t testing.TB, state view.State, from, to int64) {
	t.Helper()
	set := w.allViews(t)
	var values []view.Value
	for _, name := range view.TotalsFields() {
		text, ok := state[view.TotalsKey][name]
		values = append(values, view.Value{Text: text, OK: ok})
	}
	totals, err := view.ParseTotals(values)
	if err != nil {
		t.Fatal(err)
	}
	for o := from; o < to; o++ {
		s := view.NewSubject(w[o].Envelope().Subject, set)
		s.Queue(o, w[o])
		var found [][]view.Value
		for _, r := range s.Reads(nil) {
			v := make([]view.Value, len(r.Fields))
			for i, f := range r.Fields {
				v[i].Text, v[i].OK = state[r.Key][f]
			}
			found = append(found, v)
		}
		if err := errors.Join(s.Fill(found), s.Fold()); err != nil {
			t.Fatal(err)
		}
		before := totals
		totals.Add(s.Change())
		for _, m := range totals.Project(s.Project(nil), before) {
			state.Apply(&m)
		}
	}
}

func hash(t testing.TB, s view.State) string {
	t.Helper()
	h, err := s.Hash()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// random is about n reports over some weeks with amendments, before and after their originals, and duplicates.
func random(r *rand.Rand, n, subscribers int) wallet {
	var list wallet
	for len(list) < n {
		c := event.Common{Subject: event.Subject(fmt.Sprintf("+4477009%05d", r.IntN(subscribers))), OccurredAt: 1_700_000_000_000 + r.Int64N(40*86400)*1000}
		report := event.Report{Counterpart: fmt.Sprintf("+4477008%05d", r.IntN(30)), Direction: event.Direction(1 + r.IntN(2)), Outcome: event.Answered, AntennaID: fmt.Sprint(r.IntN(9))}
		if r.IntN(20) == 0 {
			report.Counterpart = event.Withheld
		}
		if r.IntN(4) == 0 {
			e := &event.TextReported{Common: c, Report: report}
			e.ID = event.IDOf(e)
			list = append(list, e)
			continue
		}
		e := &event.CallReported{Common: c, Report: report, CallDetails: event.CallDetails{DurationS: int32(r.IntN(600))}}
		e.ID = event.IDOf(e)
		list = append(list, e)
		for r.IntN(8) == 0 {
			a := &event.CallReportAmended{Common: c, Report: report, CallDetails: event.CallDetails{DurationS: int32(r.IntN(600))}, Kind: event.Call, Amends: e.ID, Revision: int32(1 + r.IntN(3))}
			a.ID = event.IDOf(a)
			list = append(list, a)
		}
	}
	for range n / 20 {
		list = append(list, list[r.IntN(len(list))])
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
