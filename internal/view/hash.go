package view

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"switchboard/internal/event"
)

// Hash is the canonical hash of read models: the sum mod 2^256 of SHA-256(view, subject, field, value), each of the
// four preceded by its length in 4 bytes, big-endian. A sum has no order, so that records may be added as they come, from
// several partitions at once. The zero value is the hash of nothing.
//
// Not in it: hash tag, generation, pos, the offset of a head record (AtField) and the duplicates of a card, which say how and when a log
// was folded and not what it holds.
type Hash struct {
	words   [4]uint64 // most significant first
	records int64
}

// Add adds one record: a field of a hash, or a member of a sorted set with its score.
func (h *Hash) Add(view, subject, field, value string) {
	h.add(view, subject, field, value, 1)
}

// Remove takes out a record that was added, so that a state that changes need not be hashed again as a whole.
func (h *Hash) Remove(view, subject, field, value string) {
	h.add(view, subject, field, value, -1)
}

func (h *Hash) add(view, subject, field, value string, sign int64) {
	var buf [512]byte
	b := buf[:0]
	for _, part := range [...]string{view, subject, field, value} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	digest := sha256.Sum256(b)
	h.records += sign
	var carry uint64
	for i := 3; i >= 0; i-- {
		word := binary.BigEndian.Uint64(digest[8*i:])
		if sign > 0 {
			h.words[i], carry = bits.Add64(h.words[i], word, carry)
		} else {
			h.words[i], carry = bits.Sub64(h.words[i], word, carry)
		}
	}
}

// AddKey adds a record by its key without prefix, unless it is one that the hash leaves out. An error: no read model
// has such a key.
func (h *Hash) AddKey(key, field, value string) error {
	name, subject, err := SplitKey(key)
	if err != nil {
		return err
	}
	if Hashed(name, field) {
		h.Add(name, subject, field, value)
	}
	return nil
}

// Owner is the subject that a record is of. Where a key is of many (reach, top, lists of devices), the field names it; "" for totals.
func Owner(key, field string) (event.Subject, error) {
	id, _, kept, err := Kept(key)
	switch {
	case err != nil || kept:
		return id, err
	case key == TotalsOf:
		return "", nil
	}
	return event.Subject(field), nil
}

// Hashed tells whether a field of a read model is part of the canonical hash.
func Hashed(view, field string) bool {
	switch view {
	case Card:
		return field != AtField && field != duplicatesField
	case DeviceOf:
		return field != AtField
	}
	return true
}

const duplicatesField = "duplicates"

// SplitKey splits a key without prefix into its read model and subject: card:<subject>, timeline:<subject>:<week>
// (subject "<subject>:<week>"), top:in (subject "in"), totals (subject ""), devices:connected (subject "connected"). The
// devices and linked of a key are parts of the read models device and links, and stand for themselves here.
func SplitKey(key string) (view, subject string, err error) {
	view, subject, _ = strings.Cut(key, ":")
	if slices.Contains(keyNames, view) && (view == TotalsOf) == (key == view) {
		return view, subject, nil
	}
	return "", "", fmt.Errorf("%q is no key of a read model", key)
}

// keyNames are what keys begin with.
var keyNames = append(append(Names(), DeviceNames()...), devices, linked)

// Scored tells whether a key is a sorted set; all others are hashes.
func Scored(key string) bool {
	return strings.HasPrefix(key, Top+":") || strings.HasPrefix(key, devices+":")
}

// Merge adds everything that another hash holds: the hash of two partitions together.
func (h *Hash) Merge(o Hash) {
	var carry uint64
	for i := 3; i >= 0; i-- {
		h.words[i], carry = bits.Add64(h.words[i], o.words[i], carry)
	}
	h.records += o.records
}

// Records is how many records were added.
func (h Hash) Records() int64 { return h.records }

// Sum is the hash as 32 bytes, big-endian.
func (h Hash) Sum() [32]byte {
	var sum [32]byte
	for i, word := range h.words {
		binary.BigEndian.PutUint64(sum[8*i:], word)
	}
	return sum
}

// String is the hash in 64 hexadecimal digits.
func (h Hash) String() string {
	sum := h.Sum()
	return hex.EncodeToString(sum[:])
}

// State is the read models of a partition in memory, by key without prefix and field (or member): what mutations
// come to, without a Redis.
type State map[string]map[string]string

// Apply does what a mutation says.
func (s State) Apply(m *Mutation) {
	fields := s[m.Key]
	if fields == nil {
		fields = make(map[string]string)
		s[m.Key] = fields
	}
	switch m.Op {
	case SetFields:
		for i := 0; i+1 < len(m.Args); i += 2 {
			fields[m.Args[i]] = m.Args[i+1]
		}
	case SetScores:
		for i := 0; i+1 < len(m.Args); i += 2 {
			fields[m.Args[i+1]] = m.Args[i]
		}
	case DropFields, DropMembers:
		for _, name := range m.Args {
			delete(fields, name)
		}
	}
	if len(fields) == 0 {
		delete(s, m.Key)
	}
}

// Hash is the canonical hash of the state.
func (s State) Hash() (Hash, error) {
	var h Hash
	for key, fields := range s { // order-free: a sum
		for field, value := range fields { // order-free: a sum
			if err := h.AddKey(key, field, value); err != nil {
				return Hash{}, err
			}
		}
	}
	return h, nil
}

// PartHash is the hash of one partition at its position.
type PartHash struct {
	Cut
	Hash Hash
}

// HashAnswer is the hash of all partitions, with the position of each.
type HashAnswer struct {
	Hash  Hash
	Parts []PartHash
}

// Add takes in a partition.
func (a *HashAnswer) Add(p PartHash) {
	a.Hash.Merge(p.Hash)
	a.Parts = append(a.Parts, p)
	slices.SortFunc(a.Parts, func(x, y PartHash) int {
		return cmp.Or(strings.Compare(x.Partition.Topic, y.Partition.Topic), cmp.Compare(x.Partition.Number, y.Partition.Number))
	})
}

// Comparable tells whether two folds of the log must have this hash: not where records without a value were skipped.
func (a *HashAnswer) Comparable() bool {
	return !slices.ContainsFunc(a.Parts, func(p PartHash) bool { return p.Tombstones > 0 })
}
