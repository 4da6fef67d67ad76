package snapshot

import (
	"context"
	"fmt"
	"slices"
)

// Record is one record of a topic of snapshots. Value is nil for a tombstone.
type Record struct {
	Offset     int64
	AppendedMs int64 // broker's append time, Unix milliseconds
	Key, Value []byte
}

// Source is the partition of the topic of snapshots that holds those of one partition of facts; others may stand beside them. It is for
// any number of goroutines.
type Source interface {
	// Bounds is where the partition begins and ends now.
	Bounds(ctx context.Context) (start, end int64, err error)
	// Read calls f with every record from offset from up to, not including, offset to, in order; what has been compacted away is left out.
	// to is not beyond the end that Bounds has told. An error of f ends it.
	Read(ctx context.Context, from, to int64, f func(Record) error) error
}

// Append appends records (without offsets) to the same partition, in order, and returns their offsets when all replicas have them. After an error
// some may stand there: appending them again is harmless.
type Append func(ctx context.Context, records []Record) ([]int64, error)

// Damaged is a snapshot of which something is not there or not what its manifest says. Its text holds nothing of people.
type Damaged struct {
	Offset int64 // of the manifest; -1: not known
	Next   int64
	What   error
}

func (d *Damaged) Error() string {
	return fmt.Sprintf("snapshot at %d (manifest at offset %d): %v", d.Next, d.Offset, d.What)
}

func (d *Damaged) Unwrap() error { return d.What }

// reader fetches chunks of one manifest.
type reader struct {
	source Source
	m      *Manifest
	moved  map[string]int64 // by key, where parts are that are not where the manifest says; nil: nobody has looked
}

// How much is read at once, in bytes of packed chunks and in offsets between wanted ones.
const (
	readBytes = 8 << 20
	readGap   = 4
)

func (r *reader) damaged(format string, args ...any) error {
	return &Damaged{r.m.Offset, r.m.Next, fmt.Errorf(format, args...)}
}

// each calls f with the canonical bytes of chunks, checked against their digests, in the order in which they stand in the topic. Chunks that lie
// beside each other are read together.
func (r *reader) each(ctx context.Context, chunks []Chunk, f func(c *Chunk, data []byte) error) error {
	order := make([]*Chunk, len(chunks))
	for i := range chunks {
		order[i] = &chunks[i]
	}
	slices.SortFunc(order, func(a, b *Chunk) int { return int(a.Offsets[0] - b.Offsets[0]) })
	for len(order) > 0 {
		n := together(order)
		if err := r.group(ctx, order[:n], f); err != nil {
			return err
		}
		order = order[n:]
	}
	return nil
}

// together is how many of the chunks are read at once: one at least.
func together(order []*Chunk) int {
	bytes, end := int64(0), int64(-1)
	for i, c := range order {
		first, last := c.Offsets[0], c.Offsets[len(c.Offsets)-1]
		if last-first >= int64(len(c.Offsets)) { // a chunk whose parts are scattered
			return max(i, 1)
		}
		if bytes += c.Packed; i > 0 && (bytes > readBytes || first > end+readGap) {
			return i
		}
		end = max(end, last)
	}
	return len(order)
}

func (r *reader) group(ctx context.Context, chunks []*Chunk, f func(c *Chunk, data []byte) error) error {
	wanted := make(map[int64][]byte)
	from, to := chunks[0].Offsets[0], int64(0)
	for _, c := range chunks {
		for _, o := range c.Offsets {
			wanted[o] = nil
			from, to = min(from, o), max(to, o+1)
		}
	}
	if to-from <= int64(len(wanted))*(1+readGap) {
		if err := r.read(ctx, from, to, wanted); err != nil {
			return err
		}
	} else {
		for o := range wanted {
			if err := r.read(ctx, o, o+1, wanted); err != nil {
				return err
			}
		}
	}
	for _, c := range chunks {
		data, err := r.assemble(c, func(i int) []byte { return wanted[c.Offsets[i]] })
		if err != nil {
			data, err = r.elsewhere(ctx, c, err)
		}
		if err != nil {
			return err
		}
		for _, o := range c.Offsets {
			delete(wanted, o)
		}
		if err := f(c, data); err != nil {
			return err
		}
	}
	return nil
}

// read fills wanted with the values of the parts between two offsets. What lies outside of the topic is left out.
func (r *reader) read(ctx context.Context, from, to int64, wanted map[int64][]byte) error {
	start, end, err := r.source.Bounds(ctx)
	if err != nil {
		return err
	}
	if from, to = max(from, start), min(to, end); from >= to {
		return nil
	}
	return r.source.Read(ctx, from, to, func(rec Record) error {
		if _, ok := wanted[rec.Offset]; ok {
			k, err := ParseKey(string(rec.Key))
			if err == nil && k.Kind == PartKind && k.Of == r.m.Of {
				wanted[rec.Offset] = rec.Value
			}
		}
		return nil
	})
}

// assemble puts the parts of a chunk together and checks them.
func (r *reader) assemble(c *Chunk, value func(i int) []byte) ([]byte, error) {
	var packed []byte
	for i := range c.Offsets {
		v := value(i)
		if v == nil {
			return nil, fmt.Errorf("part %d of %d is not there", i, len(c.Offsets))
		}
		part, parts, piece, err := readPart(v)
		if err != nil {
			return nil, err
		}
		if part != i || parts != len(c.Offsets) {
			return nil, fmt.Errorf("part %d of %d where part %d of %d should be", part, parts, i, len(c.Offsets))
		}
		if i == 0 && len(c.Offsets) == 1 {
			packed = piece
		} else {
			packed = append(packed, piece...)
		}
	}
	data, err := unpack(packed, c.Size)
	if err != nil {
		return nil, err
	}
	if DigestOf(data) != c.Digest {
		return nil, fmt.Errorf("the digest of the content is %s", DigestOf(data))
	}
	return data, nil
}

// elsewhere looks for a chunk by its name: where a manifest says it is it may not be any more, since the same chunk was written again, and the
// earlier copy compacted away. why is what was wrong there.
func (r *reader) elsewhere(ctx context.Context, c *Chunk, why error) ([]byte, error) {
	if r.moved == nil {
		moved, err := r.locate(ctx)
		if err != nil {
			return nil, err
		}
		r.moved = moved
	}
	found := *c
	found.Offsets = nil
	values := make(map[int64][]byte)
	for i := 0; i < maxParts; i++ {
		o, ok := r.moved[Key{Of: r.m.Of, Kind: PartKind, Digest: c.Digest, Part: i}.String()]
		if !ok {
			break
		}
		values[o] = nil
		if err := r.read(ctx, o, o+1, values); err != nil {
			return nil, err
		}
		_, parts, _, err := readPart(values[o])
		if err != nil {
			break
		}
		if found.Offsets = append(found.Offsets, o); len(found.Offsets) == parts {
			break
		}
	}
	if len(found.Offsets) == 0 {
		return nil, r.damaged("chunk %s (%s): %w", c.Section, c.Digest, why)
	}
	data, err := r.assemble(&found, func(i int) []byte { return values[found.Offsets[i]] })
	if err != nil {
		return nil, r.damaged("chunk %s (%s): %w", c.Section, c.Digest, err)
	}
	return data, nil
}

// locate is where the newest copy of every part is: one pass over the partition.
func (r *reader) locate(ctx context.Context) (map[string]int64, error) {
	start, end, err := r.source.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	ours := make(map[Digest]bool, len(r.m.Chunks)+1)
	for i := range r.m.Chunks {
		ours[r.m.Chunks[i].Digest] = true
	}
	at := make(map[string]int64)
	err = r.source.Read(ctx, start, end, func(rec Record) error {
		k, err := ParseKey(string(rec.Key))
		if err != nil || k.Kind != PartKind || k.Of != r.m.Of || len(ours) > 0 && !ours[k.Digest] {
			return nil
		}
		if rec.Value == nil {
			delete(at, string(rec.Key))
		} else {
			at[string(rec.Key)] = rec.Offset
		}
		return nil
	})
	return at, err
}

// Each calls f with every record of the snapshot, once, as the package's documentation says. A *Damaged: the snapshot cannot be used,
// and f may have seen a part of it. Any other error is that of f, of ctx or of the source.
func (m *Manifest) Each(ctx context.Context, s Source, f func(key string, fields []string) error) error {
	return m.EachChunk(ctx, s, func(c *Chunk, d *ChunkDecoder) error {
		for d.Next() {
			if err := f(string(d.Key()), d.Fields()); err != nil {
				return err
			}
		}
		return nil
	})
}

// EachChunk calls f with every chunk of the snapshot, its digest checked, to be read to its end.
func (m *Manifest) EachChunk(ctx context.Context, s Source, f func(c *Chunk, d *ChunkDecoder) error) error {
	r := &reader{source: s, m: m}
	return r.each(ctx, m.Chunks, func(c *Chunk, data []byte) error {
		d, err := r.decoder(c, data)
		if err != nil {
			return err
		}
		if err := f(c, d); err != nil {
			return err
		}
		if err := d.Err(); err != nil {
			return r.damaged("%w", err)
		}
		return nil
	})
}

// decoder is that of a chunk which is the section that the manifest says.
func (r *reader) decoder(c *Chunk, data []byte) (*ChunkDecoder, error) {
	d, err := NewChunkDecoder(data)
	if err != nil {
		return nil, r.damaged("%w", err)
	}
	if d.At != c.Section || d.Bits != r.m.Bits {
		return nil, r.damaged("chunk %s of 2^%d buckets where %s of 2^%d should be", d.At, d.Bits, c.Section, r.m.Bits)
	}
	return d, nil
}
