package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"switchboard/internal/event"
)

// The canonical bytes of a chunk:
//
//	"SWC1"  bits  bucket  week                 (week: text, empty for the head)
//	then, in ascending order of keys, records: key  n  then n times, in ascending order of fields:  field  value
//
// Numbers are uvarints, texts stand behind their length; bits is one byte. A chunk has at least one record. A record without fields is a head of
// which everything is as it was at first: it says that the subject exists. Nothing is twice, so that the same content always has the
// same bytes and the same digest.

const chunkMagic = "SWC1"

// Section names a chunk within a snapshot.
type Section struct {
	Bucket uint32
	Week   event.Week // "" is the head
}

// String is bucket/week, for people.
func (s Section) String() string {
	if s.Week == "" {
		return fmt.Sprintf("%d/head", s.Bucket)
	}
	return fmt.Sprintf("%d/%s", s.Bucket, s.Week)
}

// ChunkEncoder writes the canonical bytes of one chunk: the header, then records in ascending order of keys. It panics when the order
// is broken: a bug, since the name of a chunk must not depend on how it came to be.
type ChunkEncoder struct {
	buf     []byte
	last    string
	records int
	fields  int64
}

// NewChunkEncoder writes the header.
func NewChunkEncoder(bits uint8, at Section, sizeHint int) *ChunkEncoder {
	b := append(make([]byte, 0, sizeHint+64), chunkMagic...)
	b = append(b, bits)
	b = binary.AppendUvarint(b, uint64(at.Bucket))
	return &ChunkEncoder{buf: appendText(b, string(at.Week))}
}

// Record writes one record: its fields are field, value, ... in ascending order of fields.
func (e *ChunkEncoder) Record(key string, fields []string) {
	e.begin(key, len(fields)/2)
	for i := 0; i < len(fields); i += 2 {
		if i > 0 && fields[i-2] >= fields[i] {
			panic("snapshot: fields out of order")
		}
		e.buf = appendText(appendText(e.buf, fields[i]), fields[i+1])
	}
}

// raw writes a record as another chunk has it: body is the number of fields and the fields.
func (e *ChunkEncoder) raw(key string, fields int, body []byte) {
	e.begin(key, fields)
	e.buf = append(e.buf, body...)
}

func (e *ChunkEncoder) begin(key string, fields int) {
	if e.records > 0 && e.last >= key {
		panic("snapshot: records out of order")
	}
	e.last = key
	e.records++
	e.fields += int64(fields)
	e.buf = binary.AppendUvarint(appendText(e.buf, key), uint64(fields))
}

// Bytes are the canonical bytes; nil for a chunk without records, which is never written.
func (e *ChunkEncoder) Bytes() []byte {
	if e.records == 0 {
		return nil
	}
	return e.buf
}

// DigestOf is the name of a chunk with these canonical bytes.
func DigestOf(data []byte) Digest { return sha256.Sum256(data) }

// ChunkDecoder reads the canonical bytes of a chunk record by record. It accepts nothing that a ChunkEncoder would have written
// otherwise, and allocates nothing but what Fields returns.
type ChunkDecoder struct {
	Bits uint8
	At   Section

	w     wire
	last  []byte
	key   []byte
	count int
	body  []byte
	seen  int
}

// NewChunkDecoder reads the header.
func NewChunkDecoder(data []byte) (*ChunkDecoder, error) {
	d := &ChunkDecoder{w: wire{rest: data}}
	if string(d.w.bytes(len(chunkMagic))) != chunkMagic {
		return nil, fmt.Errorf("chunk: no %s", chunkMagic)
	}
	if bits := d.w.bytes(1); bits != nil {
		d.Bits = bits[0]
	}
	d.At.Bucket = uint32(d.w.atMost(1<<MaxBits - 1))
	d.At.Week = event.Week(d.w.text())
	if d.w.err != nil || d.Bits > MaxBits || d.At.Bucket>>d.Bits != 0 {
		return nil, fmt.Errorf("chunk: header: %w", orShort(d.w.err))
	}
	return d, nil
}

func orShort(err error) error {
	if err == nil {
		return errShort
	}
	return err
}

// Next goes to the next record; false at the end, or at an error: see Err.
func (d *ChunkDecoder) Next() bool {
	if d.w.err != nil || len(d.w.rest) == 0 {
		if d.seen == 0 {
			d.w.fail(errNotCanonical)
		}
		return false
	}
	d.last, d.key = d.key, d.w.text()
	if d.seen > 0 && string(d.last) >= string(d.key) {
		d.w.fail(errNotCanonical)
	}
	n := d.w.atMost(uint64(len(d.w.rest)) / 2) // a field and a value take a byte each at least
	d.count, d.body = int(n), d.w.rest
	var before []byte
	for i := 0; i < d.count && d.w.err == nil; i++ {
		field := d.w.text()
		if i > 0 && string(before) >= string(field) {
			d.w.fail(errNotCanonical)
		}
		before = field
		d.w.text()
	}
	d.body = d.body[:len(d.body)-len(d.w.rest)]
	d.seen++
	return d.w.err == nil
}

// Key is that of the record. It lies in the chunk.
func (d *ChunkDecoder) Key() []byte { return d.key }

// Count is how many fields the record has.
func (d *ChunkDecoder) Count() int { return d.count }

// Fields is field, value, ... of the record, in ascending order of fields, as copies.
func (d *ChunkDecoder) Fields() []string {
	list := make([]string, 0, 2*d.count)
	text := string(d.body) // one copy for all
	w := wire{rest: d.body}
	for range 2 * d.count {
		n := len(w.text())
		end := len(d.body) - len(w.rest)
		list = append(list, text[end-n:end])
	}
	return list
}

// Err is why Next ended, nil at the end of the chunk.
func (d *ChunkDecoder) Err() error {
	if d.w.err == nil {
		return nil
	}
	return fmt.Errorf("chunk %s: record %d: %w", d.At, d.seen, d.w.err)
}
