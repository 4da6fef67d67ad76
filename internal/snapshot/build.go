package snapshot

import (
	"context"
	"slices"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// Builder makes snapshots: of the last one and the events behind it, the next. It holds no state between two of them.
type Builder struct {
	Source     Source
	Append     Append
	Decode     func(value []byte) (event.Event, error)
	NewSubject func(id event.Subject, set view.Set) view.Subject
	Now        func() time.Time
}

// Progress is how far the events of a tail go, beside their number.
type Progress struct {
	Next            int64
	LeaderEpoch     int32
	AppliedAppendMs int64
	Tombstones      int64 // since folding began, as in a manifest
	Skipped         int64
}

// Written is what a snapshot took.
type Written struct {
	Chunks, Kept int   // chunks written, and chunks of the last snapshot named again
	Records      int   // of the topic
	Bytes        int64 // of them
	Loaded       int64 // canonical bytes of the chunks that were read
	Peak         int64 // the most canonical bytes of one bucket
}

// Empty is the snapshot before the first event: at the position where folding begins, with no chunk. It stands in no topic.
func Empty(id Identity, start int64, bits uint8) *Manifest {
	return &Manifest{Identity: id, Next: start, HistoryFrom: start, LeaderEpoch: -1, Bits: bits, Offset: -1}
}

// build is one run of a Builder.
type build struct {
	*Builder
	set     view.Set
	base    *Manifest
	next    *Manifest
	reader  *reader
	panics  int64
	written Written
}

// Build folds a tail into the snapshot it lies behind, and writes what has changed, the manifest last. A bucket at a time is in
// memory: its head, the weeks that the tail touches, and what they become. A *Damaged: base cannot be used. The
// tail is left as it is.
func (b *Builder) Build(ctx context.Context, base *Manifest, tail *Tail, to Progress) (*Manifest, Written, error) {
	set, err := view.ParseSet(base.Views)
	if err != nil {
		return nil, Written{}, err
	}
	next := *base
	next.Next, next.LeaderEpoch, next.AppliedAppendMs = to.Next, to.LeaderEpoch, to.AppliedAppendMs
	next.Tombstones, next.Skipped, next.Chunks, next.Offset = to.Tombstones, to.Skipped, nil, -1
	run := &build{Builder: b, set: set, base: base, next: &next, reader: &reader{source: b.Source, m: base}}
	rest := base.Chunks
	for n := range uint32(1) << base.Bits {
		i := 0
		for i < len(rest) && rest[i].Bucket == n {
			i++
		}
		own := rest[:i]
		rest = rest[i:]
		pile := tail.piles[n]
		if pile == nil {
			next.Chunks = append(next.Chunks, own...)
			run.written.Kept += len(own)
			continue
		}
		if err := run.bucket(ctx, n, own, pile); err != nil {
			return nil, run.written, err
		}
	}
	next.Skipped += run.panics
	next.CreatedMs = b.Now().UnixMilli()
	if err := run.manifest(ctx); err != nil {
		return nil, run.written, err
	}
	return &next, run.written, nil
}

// bucket folds one bucket and writes what has changed.
func (r *build) bucket(ctx context.Context, n uint32, chunks []Chunk, p *pile) error {
	f := &bucketFold{b: r, number: n, chunks: chunks, at: r.base.Next - 1, sections: make(map[event.Week]*section)}
	if err := f.fold(ctx, p); err != nil {
		return err
	}
	var list []Chunk
	for _, c := range chunks {
		if f.sections[c.Week] == nil {
			list = append(list, c)
			r.written.Kept++
		}
	}
	var fresh []Chunk
	var parts []int
	var records []Record
	size := int64(0)
	for _, s := range f.sections {
		size += int64(len(s.data))
		c, packed := r.encode(s)
		switch {
		case c == nil: // no record is left
		case packed == nil:
			r.written.Kept++
			list = append(list, *c)
		default:
			size += c.Size
			values := cut(packed)
			for i, v := range values {
				key := Key{Of: r.base.Of, Kind: PartKind, Digest: c.Digest, Part: i}
				records = append(records, Record{Key: []byte(key.String()), Value: v})
			}
			fresh, parts = append(fresh, *c), append(parts, len(values))
		}
	}
	r.written.Peak = max(r.written.Peak, size)
	if len(records) > 0 {
		offsets, err := r.append(ctx, records)
		if err != nil {
			return err
		}
		for i, n := range parts {
			fresh[i].Offsets, offsets = offsets[:n:n], offsets[n:]
		}
		r.written.Chunks += len(fresh)
		list = append(list, fresh...)
	}
	slices.SortFunc(list, func(a, b Chunk) int { return compareSections(a.Section, b.Section) })
	r.next.Chunks = append(r.next.Chunks, list...)
	return nil
}

// encode is what becomes of a section: nil when nothing is left, without packed bytes when nothing has changed.
func (r *build) encode(s *section) (c *Chunk, packed []byte) {
	if s.dirty == 0 {
		return s.was, nil
	}
	data, fields := s.encode(r.base.Bits)
	if data == nil {
		return nil, nil
	}
	digest := DigestOf(data)
	if s.was != nil && s.was.Digest == digest {
		return s.was, nil
	}
	packed = pack(data)
	return &Chunk{Section: s.at, Digest: digest, Fields: fields, Size: int64(len(data)), Packed: int64(len(packed))}, packed
}

// load reads a chunk of the base.
func (r *build) load(ctx context.Context, c *Chunk) (*section, error) {
	var s *section
	err := r.reader.each(ctx, []Chunk{*c}, func(_ *Chunk, data []byte) error {
		d, err := r.reader.decoder(c, data)
		if err != nil {
			return err
		}
		r.written.Loaded += int64(len(data))
		if s, err = newSection(c.Section, c, d, data); err != nil {
			return r.reader.damaged("%w", err)
		}
		return nil
	})
	return s, err
}

func (r *build) append(ctx context.Context, records []Record) ([]int64, error) {
	for _, rec := range records {
		r.written.Bytes += int64(len(rec.Key) + len(rec.Value))
	}
	r.written.Records += len(records)
	return r.Append(ctx, records)
}

// tableRoom is how large a packed table of chunks may be to stand in the manifest itself; tests make it smaller.
var tableRoom = MaxRecord - 8<<10

// manifest writes the manifest, and before it what does not fit into it.
func (r *build) manifest(ctx context.Context) error {
	if err := r.next.Validate(); err != nil {
		return err
	}
	data := encodeTable(r.next.Chunks)
	packed := pack(data)
	t := table{digest: DigestOf(data), size: int64(len(data)), packed: packed, length: int64(len(packed))}
	r.next.table = t.digest
	if len(packed) > tableRoom {
		var records []Record
		for i, v := range cut(packed) {
			records = append(records, Record{Key: []byte(Key{Of: r.next.Of, Kind: PartKind, Digest: t.digest, Part: i}.String()), Value: v})
		}
		var err error
		if t.parts, err = r.append(ctx, records); err != nil {
			return err
		}
		t.packed = nil
	}
	offsets, err := r.append(ctx, []Record{{Key: []byte(r.next.Key().String()), Value: r.next.encode(t)}})
	if err == nil {
		r.next.Offset = offsets[0]
	}
	return err
}
