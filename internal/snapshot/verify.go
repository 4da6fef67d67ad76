package snapshot

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// Refolder folds events into a snapshot in a scratch space, and compares what comes out with another one. Nothing is written.
type Refolder struct {
	Source     Source
	Decode     func(value []byte) (event.Event, error)
	NewSubject func(id event.Subject, set view.Set) view.Subject
	TailBytes  int64 // of events at a time
	// Events calls f with every event that can be folded from one offset to another, in order.
	Events func(ctx context.Context, from, to int64, f func(id event.Subject, offset int64, value []byte) error) error
}

// Difference is where two snapshots first differ: nil in place of it when they do not.
type Difference struct {
	Section  Section
	Key      string // of the record; "" when the totals differ
	Field    string
	Got, Had string // "" when there is no such field
}

func (d *Difference) String() string {
	if d.Key == "" {
		return fmt.Sprintf("the totals are %s folded again, %s in the snapshot", d.Got, d.Had)
	}
	return fmt.Sprintf("chunk %s, %s, field %s: %q folded again, %q in the snapshot", d.Section, d.Key, d.Field, d.Got, d.Had)
}

// Compare folds the events between two snapshots into the first, and tells where what comes out differs from the second. The memory
// it takes is that of the chunks that change, packed, beside what a Builder takes.
func (r *Refolder) Compare(ctx context.Context, base, target *Manifest) (*Difference, error) {
	if base.Bits != target.Bits {
		return nil, fmt.Errorf("snapshots of 2^%d and of 2^%d buckets are not compared", base.Bits, target.Bits)
	}
	m, made, err := r.fold(ctx, base, target.Next)
	if err != nil {
		return nil, err
	}
	return difference(ctx, made, m, target)
}

// Folded is a snapshot in a scratch space: packed, in memory.
type Folded struct {
	*Manifest
	source Source
}

// Fold folds the events from a snapshot to an offset into it. With Empty, what comes out is what the log says.
func (r *Refolder) Fold(ctx context.Context, base *Manifest, next int64) (*Folded, error) {
	m, made, err := r.fold(ctx, base, next)
	if err != nil {
		return nil, err
	}
	return &Folded{m, made}, nil
}

// Hash is the canonical hash of what was folded.
func (f *Folded) Hash(ctx context.Context) (view.Hash, error) { return f.Manifest.Hash(ctx, f.source) }

// Records calls each with every record of the read models that come of it.
func (f *Folded) Records(ctx context.Context, each func(key, field, value string) error) error {
	return f.Manifest.Records(ctx, f.source, each)
}

// fold makes the snapshot at an offset out of an earlier one, in a scratch space.
func (r *Refolder) fold(ctx context.Context, base *Manifest, next int64) (*Manifest, *scratch, error) {
	scratch := &scratch{Source: r.Source, records: make(map[int64]Record)}
	b := &Builder{Source: scratch, Append: scratch.append, Decode: r.Decode, NewSubject: r.NewSubject, Now: time.Now}
	m, tail := base, NewTail(base.Bits)
	build := func(next int64) error {
		if next <= m.Next {
			return nil
		}
		made, _, err := b.Build(ctx, m, tail, Progress{Next: next, LeaderEpoch: -1})
		if err != nil {
			return err
		}
		m, tail = made, NewTail(base.Bits)
		scratch.keep(m)
		return nil
	}
	err := r.Events(ctx, base.Next, next, func(id event.Subject, offset int64, value []byte) error {
		if tail.Bytes() >= r.TailBytes {
			if err := build(offset); err != nil {
				return err
			}
		}
		tail.Add(id, offset, value)
		return nil
	})
	if err == nil {
		err = build(next)
	}
	return m, scratch, err
}

// difference compares by digest, and looks into the first section whose digests differ.
func difference(ctx context.Context, s Source, got, had *Manifest) (*Difference, error) {
	find := func(m *Manifest, at Section) *Chunk {
		i, ok := slices.BinarySearchFunc(m.Chunks, at, func(c Chunk, at Section) int { return compareSections(c.Section, at) })
		if !ok {
			return nil
		}
		return &m.Chunks[i]
	}
	for _, list := range [][]Chunk{got.Chunks, had.Chunks} {
		for i := range list {
			at := list[i].Section
			x, y := find(got, at), find(had, at)
			if x != nil && y != nil && x.Digest == y.Digest {
				continue
			}
			return inside(ctx, s, at, got, had, x, y)
		}
	}
	if got.Totals != had.Totals {
		return &Difference{Got: fmt.Sprintf("%+v", got.Totals), Had: fmt.Sprintf("%+v", had.Totals)}, nil
	}
	return nil, nil
}

func inside(ctx context.Context, s Source, at Section, got, had *Manifest, x, y *Chunk) (*Difference, error) {
	read := func(m *Manifest, c *Chunk) (map[[2]string]string, error) {
		fields := make(map[[2]string]string)
		if c == nil {
			return fields, nil
		}
		part := *m
		part.Chunks = []Chunk{*c}
		return fields, part.Each(ctx, s, func(key string, list []string) error {
			fields[[2]string{key, ""}] = "a record"
			for i := 0; i < len(list); i += 2 {
				fields[[2]string{key, list[i]}] = list[i+1]
			}
			return nil
		})
	}
	g, err := read(got, x)
	if err != nil {
		return nil, err
	}
	h, err := read(had, y)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(g)
	maps.Copy(all, h)
	names := slices.SortedFunc(maps.Keys(all), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, n := range names {
		if g[n] != h[n] {
			return &Difference{Section: at, Key: n[0], Field: n[1], Got: g[n], Had: h[n]}, nil
		}
	}
	return nil, fmt.Errorf("chunk %s has two names and one content", at)
}

// Hash is the canonical hash of the read models that a snapshot comes back to.
func (m *Manifest) Hash(ctx context.Context, s Source) (view.Hash, error) {
	var h view.Hash
	err := m.Records(ctx, s, h.AddKey)
	return h, err
}

// Records calls f with every record of these read models.
func (m *Manifest) Records(ctx context.Context, s Source, f func(key, field, value string) error) error {
	set, err := view.ParseSet(m.Views)
	if err != nil {
		return err
	}
	add := func(list []view.Mutation) error {
		for i := range list {
			c := &list[i]
			for j := 0; j+1 < len(c.Args); j += 2 {
				field, value := c.Args[j], c.Args[j+1]
				if c.Op == view.SetScores {
					field, value = value, field
				}
				if err := f(c.Key, field, value); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var mutations []view.Mutation
	err = m.Each(ctx, s, func(key string, fields []string) error {
		if mutations, _, err = view.Restore(mutations[:0], set, m.Next-1, key, fields); err != nil {
			return err
		}
		return add(mutations)
	})
	if err == nil && set.Has(view.TotalsOf) {
		err = add(m.Totals.Project(nil, view.Totals{}))
	}
	return err
}

// scratch is a topic of snapshots with what is appended kept in memory, at offsets that no topic has.
type scratch struct {
	Source
	records map[int64]Record
	next    int64
}

const scratchBase = int64(1) << 62

func (s *scratch) append(_ context.Context, list []Record) ([]int64, error) {
	var offsets []int64
	for _, r := range list {
		r.Offset = scratchBase + s.next
		s.next++
		s.records[r.Offset] = r
		offsets = append(offsets, r.Offset)
	}
	return offsets, nil
}

// keep forgets what a manifest does not name.
func (s *scratch) keep(m *Manifest) {
	named := make(map[int64]bool)
	for i := range m.Chunks {
		for _, o := range m.Chunks[i].Offsets {
			named[o] = true
		}
	}
	maps.DeleteFunc(s.records, func(o int64, _ Record) bool { return !named[o] })
}

func (s *scratch) Bounds(ctx context.Context) (start, end int64, err error) {
	start, _, err = s.Source.Bounds(ctx)
	return start, scratchBase + s.next, err
}

func (s *scratch) Read(ctx context.Context, from, to int64, f func(Record) error) error {
	if from < scratchBase {
		_, end, err := s.Source.Bounds(ctx)
		if err != nil {
			return err
		}
		if err := s.Source.Read(ctx, from, min(to, end), f); err != nil {
			return err
		}
	}
	for o := max(from, scratchBase); o < to; o++ {
		if r, ok := s.records[o]; ok {
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}
