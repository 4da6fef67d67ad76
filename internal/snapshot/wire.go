package snapshot

import (
	"encoding/binary"
	"errors"
)

// errShort is bytes that end, or claim more than there is, in the middle of something.
var errShort = errors.New("cut off")

// errNotCanonical is bytes that the encoder would have written otherwise: the same content must have one name.
var errNotCanonical = errors.New("not as it is written")

// wire reads varints and texts. It allocates nothing: what it returns lies in what it reads.
type wire struct {
	rest []byte
	err  error
}

func (w *wire) fail(err error) {
	if w.err == nil {
		w.err = err
	}
	w.rest = nil
}

func (w *wire) uvarint() uint64 {
	n, size := binary.Uvarint(w.rest)
	switch {
	case size <= 0:
		w.fail(errShort)
		return 0
	case size > 1 && w.rest[size-1] == 0:
		w.fail(errNotCanonical)
		return 0
	}
	w.rest = w.rest[size:]
	return n
}

func (w *wire) varint() int64 {
	u := w.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// atMost is a uvarint up to a limit.
func (w *wire) atMost(limit uint64) uint64 {
	n := w.uvarint()
	if n > limit {
		w.fail(errShort)
		return 0
	}
	return n
}

// offset is a uvarint that fits an int64.
func (w *wire) offset() int64 { return int64(w.atMost(1<<63 - 1)) }

func (w *wire) bytes(n int) []byte {
	if w.err != nil || n > len(w.rest) {
		w.fail(errShort)
		return nil
	}
	b := w.rest[:n:n]
	w.rest = w.rest[n:]
	return b
}

// text is bytes behind their length.
func (w *wire) text() []byte {
	n := w.uvarint()
	if n > uint64(len(w.rest)) {
		w.fail(errShort)
		return nil
	}
	return w.bytes(int(n))
}

func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendVarint(b []byte, n int64) []byte {
	return binary.AppendUvarint(b, uint64(n)<<1^uint64(n>>63))
}
