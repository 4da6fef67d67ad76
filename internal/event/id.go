package event

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// ID is the identity of a fact: a UUID of version 8 made of the first 128 bits of the SHA-256 of
// its canonical content. The same content has the same id, by whichever door it comes.
type ID [16]byte

// IDOf computes the id of a fact from its content; the ID field of the fact is not looked at.
func IDOf(e Event) ID { return IDOfContent(AppendContent(make([]byte, 0, 256), e)) }

// IDOfContent is the id of the fact whose canonical content AppendContent has written, for callers that use one buffer again and
// again: it escapes, and was a quarter of all bytes that a lane allocated.
func IDOfContent(content []byte) ID {
	sum := sha256.Sum256(content)
	var id ID
	copy(id[:], sum[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id
}

// IsZero tells whether the id is unset. No fact has the zero id: its version bits are not zero.
func (id ID) IsZero() bool { return id == ID{} }

// String is the usual 36-character form.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:], id[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// ParseID reads the 36-character form.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, fmt.Errorf("%q is not an event id: want 8-4-4-4-12 hexadecimal digits", s)
	}
	digits := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return ID{}, fmt.Errorf("%q is not an event id: %w", s, err)
	}
	return id, nil
}
