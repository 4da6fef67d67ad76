// Package unit reads and writes the two kinds of quantities that people put in config and
// topology files: sizes ("64MiB") and spans of time ("400d", "1m30s"). It is pure.
package unit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size in bytes.
type Bytes int64

// Units of Bytes. There are no decimal ones: whether MB means 10^6 or 2^20 is anybody's guess.
const (
	KiB Bytes = 1 << (10 * (iota + 1))
	MiB
	GiB
	TiB
)

var byteUnits = []struct {
	suffix string
	size   Bytes
}{{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", 1}}

// ParseBytes reads a whole number with an optional unit: 900KiB, 64MiB, 2GiB, 512B, 512. Negative sizes do
// not exist.
func ParseBytes(s string) (Bytes, error) {
	digits, size := strings.TrimSpace(s), Bytes(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(digits, u.suffix); ok {
			digits, size = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size: want a whole number and B, KiB, MiB, GiB or TiB, such as 64MiB", s)
	}
	if n > uint64(math.MaxInt64/size) {
		return 0, fmt.Errorf("%q is beyond 8 EiB", s)
	}
	return Bytes(n) * size, nil
}

// String is the size in the largest unit that divides it: 64MiB, 1000B. ParseBytes reads it back.
func (b Bytes) String() string {
	for _, u := range byteUnits {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.suffix
		}
	}
	return "0B"
}

// MarshalText is String.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText is ParseBytes.
func (b *Bytes) UnmarshalText(text []byte) error {
	parsed, err := ParseBytes(string(text))
	if err == nil {
		*b = parsed
	}
	return err
}
