package event

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
)

// Token says up to which positions of one topic a reader wants to see: a writer gets it with its
// receipt, and a query that is given it answers when the read models have reached it. Tokens of
// one topic are merged by maximum. The zero Token asks for nothing.
type Token struct {
	Topic TopicID
	Next  map[int32]int64 // per partition, the offset behind the last record that must be visible
}

const tokenVersion = 1

// maxTokenPartitions bounds what a token from outside can make us allocate.
const maxTokenPartitions = 10_000

// Cover extends the token so that it includes the record at offset of a partition.
func (t *Token) Cover(partition int32, offset int64) {
	if t.Next == nil {
		t.Next = make(map[int32]int64)
	}
	t.Next[partition] = max(t.Next[partition], offset+1)
}

// Merge extends the token by another one of the same topic.
func (t *Token) Merge(o Token) error {
	if len(o.Next) == 0 {
		return nil
	}
	if len(t.Next) > 0 && t.Topic != o.Topic {
		return fmt.Errorf("tokens of two topics cannot be merged: %s and %s", t.Topic, o.Topic)
	}
	t.Topic = o.Topic
	for p, next := range o.Next { // order-free: a maximum
		t.Cover(p, next-1)
	}
	return nil
}

// Partitions lists the partitions of the token, ascending.
func (t Token) Partitions() []int32 {
	list := make([]int32, 0, len(t.Next))
	for p := range t.Next { // order-free: sorted below
		list = append(list, p)
	}
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
	return list
}

// String is the opaque form, base64url of version, topic id, and pairs of partition and next
// offset; "" for a token that asks for nothing.
func (t Token) String() string {
	if len(t.Next) == 0 {
		return ""
	}
	b := append([]byte{tokenVersion}, t.Topic[:]...)
	for _, p := range t.Partitions() {
		b = binary.AppendUvarint(b, uint64(p))
		b = binary.AppendUvarint(b, uint64(t.Next[p]))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

var errToken = errors.New("not a consistency token: copy it whole from the answer that gave it")

// ParseToken reads the opaque form. Any damage is an error; nothing is guessed.
func ParseToken(s string) (Token, error) {
	var t Token
	if s == "" {
		return t, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 1+len(t.Topic) || b[0] != tokenVersion {
		return Token{}, errToken
	}
	copy(t.Topic[:], b[1:])
	b = b[1+len(t.Topic):]
	for len(b) > 0 {
		p, n := binary.Uvarint(b)
		if n <= 0 || p > 1<<31-1 || len(t.Next) >= maxTokenPartitions {
			return Token{}, errToken
		}
		next, m := binary.Uvarint(b[n:])
		if m <= 0 || next == 0 || next > 1<<62 {
			return Token{}, errToken
		}
		if _, twice := t.Next[int32(p)]; twice {
			return Token{}, errToken
		}
		t.Cover(int32(p), int64(next)-1)
		b = b[n+m:]
	}
	if len(t.Next) == 0 {
		return Token{}, errToken
	}
	return t, nil
}
