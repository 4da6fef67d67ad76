package event

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Partition names one partition of the log, such as calls.reports/7.
type Partition struct {
	Topic  string
	Number int32
}

// String is topic/number.
func (p Partition) String() string { return p.Topic + "/" + strconv.Itoa(int(p.Number)) }

// ParsePartition reads topic/number.
func ParsePartition(s string) (Partition, error) {
	topic, number, ok := strings.Cut(s, "/")
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || topic == "" || err != nil || n < 0 {
		return Partition{}, fmt.Errorf("%q is not a partition: want topic/number", s)
	}
	return Partition{Topic: topic, Number: int32(n)}, nil
}

// TopicID is the identity that Kafka gives a topic when it is created; a topic that is deleted and
// created again has another one.
type TopicID [16]byte

// String is the 22-character form that Kafka's tools print.
func (t TopicID) String() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

// ParseTopicID reads the 22-character form.
func ParseTopicID(s string) (TopicID, error) {
	var t TopicID
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(t) {
		return t, fmt.Errorf("%q is not a topic id: want 22 characters of base64url", s)
	}
	copy(t[:], b)
	return t, nil
}

// PartitionOf is the partition of a subject: Kafka's murmur2 of its UTF-8 bytes, without the sign
// bit, modulo the number of partitions, as Kafka's default partitioner places a key.
func PartitionOf(s Subject, partitions int32) int32 {
	return int32(murmur2(string(s))&0x7fffffff) % partitions
}

// murmur2 is the 32-bit hash of org.apache.kafka.common.utils.Utils.murmur2 (seed 0x9747b28c).
func murmur2(s string) uint32 {
	const m, r = 0x5bd1e995, 24
	h := uint32(0x9747b28c) ^ uint32(len(s))
	for len(s) >= 4 {
		k := uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h = h*m ^ k
		s = s[4:]
	}
	switch len(s) {
	case 3:
		h ^= uint32(s[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(s[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(s[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
