package snapshot

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"switchboard/internal/event"
)

// Digest is the SHA-256 of the canonical bytes of a chunk: its name.
type Digest [32]byte

// String is 64 hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Kind is what a record of a topic of snapshots is.
type Kind uint8

// The kinds. The zero value is none.
const (
	PartKind Kind = 1 + iota
	ManifestKind
	RetiredKind
)

// Key is the key of a record in a topic of snapshots.
type Key struct {
	Of     event.Partition // of facts
	Kind   Kind
	Digest Digest // of a part
	Part   int    // of a part: from 0
	Next   int64  // of a manifest, retired or not: its position
}

const (
	manifestName = "manifest"
	retiredName  = "retired"
)

// String is the key as it stands in the topic.
func (k Key) String() string {
	switch k.Kind {
	case PartKind:
		return k.Of.String() + "/" + k.Digest.String() + "/" + strconv.Itoa(k.Part)
	case ManifestKind:
		return k.Of.String() + "/" + manifestName + "/" + strconv.FormatInt(k.Next, 10)
	case RetiredKind:
		return k.Of.String() + "/" + retiredName + "/" + strconv.FormatInt(k.Next, 10)
	}
	return ""
}

// ParseKey reads a key. Only what String writes is one.
func ParseKey(text string) (Key, error) {
	fields := strings.Split(text, "/")
	if len(fields) != 4 {
		return Key{}, errKey
	}
	of, err := event.ParsePartition(fields[0] + "/" + fields[1])
	if err != nil {
		return Key{}, errKey
	}
	k := Key{Of: of}
	n, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil || n < 0 {
		return Key{}, errKey
	}
	switch fields[2] {
	case manifestName:
		k.Kind, k.Next = ManifestKind, n
	case retiredName:
		k.Kind, k.Next = RetiredKind, n
	default:
		raw, err := hex.DecodeString(fields[2])
		if err != nil || len(raw) != len(k.Digest) || n >= maxParts {
			return Key{}, errKey
		}
		k.Kind, k.Digest, k.Part = PartKind, Digest(raw), int(n)
	}
	if k.String() != text {
		return Key{}, errKey
	}
	return k, nil
}

var errKey = fmt.Errorf("no key of a snapshot: want topic/partition/digest/part, or topic/partition/%s/offset", manifestName)
