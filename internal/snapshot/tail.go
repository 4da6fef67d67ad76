package snapshot

import (
	"encoding/binary"
	"iter"

	"switchboard/internal/event"
)

// Tail is the events behind a snapshot, by bucket, as the log has them. One goroutine uses it.
type Tail struct {
	Events int

	bits  uint8
	piles map[uint32]*pile
	bytes int64
}

// pile is the events of one bucket in their order: offset, length, value, ..., in blocks, none of which splits an event.
type pile struct{ blocks [][]byte }

// blockBytes is the unit in which a pile grows; half of one is what a bucket costs beside its events.
const blockBytes = 8 << 10

// NewTail is a tail without events.
func NewTail(bits uint8) *Tail { return &Tail{bits: bits, piles: make(map[uint32]*pile)} }

// Add takes in a record that is a valid event about a subject. The offset is above those before.
func (t *Tail) Add(id event.Subject, offset int64, value []byte) {
	bucket := BucketOf(id, t.bits)
	p := t.piles[bucket]
	if p == nil {
		p = &pile{}
		t.piles[bucket] = p
	}
	need := len(value) + 2*binary.MaxVarintLen64
	last := len(p.blocks) - 1
	if last < 0 || cap(p.blocks[last])-len(p.blocks[last]) < need {
		size := max(blockBytes, need)
		p.blocks = append(p.blocks, make([]byte, 0, size))
		t.bytes += int64(size)
		last++
	}
	b := binary.AppendUvarint(p.blocks[last], uint64(offset))
	p.blocks[last] = appendText(b, value)
	t.Events++
}

// Bytes is about the memory that the tail takes.
func (t *Tail) Bytes() int64 { return t.bytes }

// all is offset and value of every event, in order.
func (p *pile) all() iter.Seq2[int64, []byte] {
	return func(yield func(int64, []byte) bool) {
		for _, block := range p.blocks {
			for w := (wire{rest: block}); len(w.rest) > 0; {
				offset := w.offset()
				if value := w.text(); !yield(offset, value) {
					return
				}
			}
		}
	}
}
