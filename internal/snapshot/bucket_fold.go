package snapshot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// section is the records of one chunk while events are folded into them. What is not touched stays as the canonical bytes have it.
type section struct {
	at    Section
	was   *Chunk // nil: there was none
	data  []byte // of was
	index map[string]span
	open  map[string]*record // those that were looked into
	dirty int                // how many of these have changed
}

// span is where a record's fields lie in data.
type span struct{ fields, from, to int }

// record is one record that was looked into.
type record struct {
	fields map[string]string
	exists bool
	dirty  bool
}

func newSection(at Section, was *Chunk, d *ChunkDecoder, data []byte) (*section, error) {
	s := &section{at: at, was: was, data: data, index: make(map[string]span), open: make(map[string]*record)}
	if d == nil {
		return s, nil
	}
	for d.Next() {
		to := len(data) - len(d.w.rest)
		s.index[string(d.key)] = span{d.count, to - len(d.body), to}
	}
	return s, d.Err()
}

// record is the record of a key, to be read and changed.
func (s *section) record(key string) *record {
	if r := s.open[key]; r != nil {
		return r
	}
	at, exists := s.index[key]
	r := &record{fields: make(map[string]string, at.fields), exists: exists}
	w := wire{rest: s.data[at.from:at.to]}
	for range at.fields {
		field := string(w.text())
		r.fields[field] = string(w.text())
	}
	s.open[key] = r
	return r
}

func (s *section) changed(r *record) {
	if !r.dirty {
		r.dirty = true
		s.dirty++
	}
}

// encode is the canonical bytes as they are now, nil when no record is left, and how many fields they hold.
func (s *section) encode(bits uint8) ([]byte, int64) {
	keys := make([]string, 0, len(s.index)+s.dirty)
	for key := range s.index {
		if r := s.open[key]; r == nil || r.exists {
			keys = append(keys, key)
		}
	}
	for key, r := range s.open {
		if _, known := s.index[key]; r.exists && !known {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	e := NewChunkEncoder(bits, s.at, len(s.data)+64*s.dirty)
	for _, key := range keys {
		r := s.open[key]
		if r == nil || !r.dirty {
			at := s.index[key]
			e.raw(key, at.fields, s.data[at.from:at.to])
			continue
		}
		fields := make([]string, 0, 2*len(r.fields))
		for _, name := range slices.Sorted(maps.Keys(r.fields)) {
			fields = append(fields, name, r.fields[name])
		}
		e.Record(key, fields)
	}
	return e.Bytes(), e.fields
}

// bucketFold is one bucket while its events are folded.
type bucketFold struct {
	b        *build
	number   uint32
	chunks   []Chunk // of the base
	at       int64   // every record holds what lies at or before this offset
	sections map[event.Week]*section
}

// sliceEvents bounds the events of a bucket that are decoded at one time.
const sliceEvents = 20_000

// fold folds a pile.
func (f *bucketFold) fold(ctx context.Context, p *pile) error {
	var order []event.Subject
	queued := make(map[event.Subject][]queuedEvent)
	n := 0
	flush := func(first int64) error {
		for _, id := range order {
			if err := f.subject(ctx, id, queued[id]); err != nil {
				return err
			}
		}
		clear(queued)
		order, n, f.at = order[:0], 0, first-1
		return ctx.Err()
	}
	for offset, value := range p.all() {
		if n == sliceEvents {
			if err := flush(offset); err != nil {
				return err
			}
		}
		e, err := f.b.Decode(value)
		if err != nil {
			return fmt.Errorf("decode the event at offset %d again: %w", offset, err) // it was valid when it was read
		}
		id := e.Envelope().Subject
		if queued[id] == nil {
			order = append(order, id)
		}
		queued[id] = append(queued[id], queuedEvent{offset, e})
		n++
	}
	return flush(f.b.next.Next)
}

type queuedEvent struct {
	offset int64
	event  event.Event
}

// subject folds the events of one subject. One that the fold cannot bear is left out, as the processor leaves it out.
func (f *bucketFold) subject(ctx context.Context, id event.Subject, events []queuedEvent) error {
	for {
		s := f.b.NewSubject(id, f.b.set)
		for _, q := range events {
			s.Queue(q.offset, q.event)
		}
		reads := s.Reads(nil)
		values := make([][]view.Value, len(reads))
		for i := range reads {
			v, err := f.read(ctx, &reads[i])
			if err != nil {
				return err
			}
			values[i] = v
		}
		if err := s.Fill(values); err != nil {
			return &Damaged{f.b.base.Offset, f.b.base.Next, err}
		}
		err := s.Fold()
		var p *view.Panic
		switch {
		case errors.As(err, &p):
			f.b.panics++
			events = slices.DeleteFunc(events, func(q queuedEvent) bool { return q.offset == p.Offset })
			continue
		case err != nil:
			return err
		}
		f.b.next.Totals.Add(s.Change())
		for _, m := range s.Project(nil) {
			if err := f.apply(ctx, &m); err != nil {
				return err
			}
		}
		return nil
	}
}

// read answers what a subject asks for. A head record says, in AtField, how far it is folded.
func (f *bucketFold) read(ctx context.Context, r *view.Read) ([]view.Value, error) {
	s, err := f.sectionOf(ctx, r.Key)
	if err != nil {
		return nil, err
	}
	values := make([]view.Value, len(r.Fields))
	if s == nil {
		return values, nil
	}
	record := s.record(r.Key)
	if !record.exists {
		return values, nil
	}
	for i, name := range r.Fields {
		if name == view.AtField && view.IsHead(r.Key) {
			values[i] = view.Value{Text: strconv.FormatInt(f.at, 10), OK: true}
			continue
		}
		values[i].Text, values[i].OK = record.fields[name]
	}
	return values, nil
}

// apply does what a mutation says to the records that a snapshot keeps.
func (f *bucketFold) apply(ctx context.Context, m *view.Mutation) error {
	s, err := f.sectionOf(ctx, m.Key)
	if err != nil || s == nil {
		return err
	}
	name, _, err := view.SplitKey(m.Key)
	if err != nil {
		return err
	}
	r := s.record(m.Key)
	switch m.Op {
	case view.SetFields:
		for i := 0; i+1 < len(m.Args); i += 2 {
			field, value := m.Args[i], m.Args[i+1]
			if old, ok := r.fields[field]; view.Hashed(name, field) && (!ok || old != value) {
				r.fields[field] = value
				s.changed(r)
			}
		}
	case view.DropFields:
		for _, field := range m.Args {
			if _, ok := r.fields[field]; ok {
				delete(r.fields, field)
				s.changed(r)
			}
		}
	default:
		return fmt.Errorf("a mutation %s of %s, which a snapshot keeps", m.Op, name)
	}
	exists := len(r.fields) > 0 || view.IsHead(m.Key)
	if exists != r.exists {
		r.exists = exists
		s.changed(r)
	}
	return nil
}

// sectionOf is the section that holds a key, read when it is first asked for; nil for what is derived.
func (f *bucketFold) sectionOf(ctx context.Context, key string) (*section, error) {
	_, week, kept, err := view.Kept(key)
	if err != nil || !kept {
		return nil, err
	}
	if s := f.sections[week]; s != nil {
		return s, nil
	}
	at := Section{Bucket: f.number, Week: week}
	var s *section
	if i := slices.IndexFunc(f.chunks, func(c Chunk) bool { return c.Week == week }); i >= 0 {
		s, err = f.b.load(ctx, &f.chunks[i])
	} else {
		s, err = newSection(at, nil, nil, nil)
	}
	if err != nil {
		return nil, err
	}
	f.sections[week] = s
	return s, nil
}
