package intake

import (
	"strings"
	"sync"

	"switchboard/internal/event"
)

// numbers remembers what ParseNumber said: it takes 20 to 60 microseconds, and the same numbers come again and again. Both parts are two generations of at
// most half their capacity each: an LRU without a list, since when the young one is full it becomes the old one.
//
// Nearly all numbers come in E.164, which reads the same in every region (FuzzParseNumber). What is known of such a number is its place in a table of regions,
// its type and the length of its prefix: 400,000 take 9 MiB, where 65,536 texts take 12. With texts alone, the numbers of 20,000 subscribers with 20
// contacts each were parsed again and again: 52 microseconds a report (BenchmarkNumbers), which was two thirds of what ingest used; now 10, parsing each once.
type numbers struct {
	mu      sync.Mutex
	texts   generations[numberKey, Number]
	e164    generations[uint64, packedNumber]
	regions []string // of packedNumber; 0 is none
}

type numberKey struct{ raw, region string }

// e164PerText is how many numbers in E.164 are remembered for each text.
const e164PerText = 16

func newNumbers(capacity int) *numbers {
	return &numbers{texts: newGenerations[numberKey, Number](capacity), e164: newGenerations[uint64, packedNumber](e164PerText * capacity), regions: []string{""}}
}

func (c *numbers) parse(raw, region string) Number {
	raw = strings.TrimSpace(raw)
	if !dialable(trimTel(raw)) {
		return Number{ID: raw} // cheap to find out, and of any length
	}
	digits, plain := e164Digits(raw)
	if plain {
		if n, _, ok := c.plain(raw, digits); ok {
			return n
		}
	} else if n, ok := c.text(numberKey{raw, region}); ok {
		return n
	}
	key := numberKey{strings.Clone(raw), strings.Clone(region)} // the caller's may be pieces of a whole request
	n := ParseNumber(key.raw, key.region)
	if plain && n.ID == raw && n.IsNumber() {
		home := n.dialRegion()
		c.mu.Lock()
		c.e164.put(digits, c.pack(&n, home))
		c.mu.Unlock()
		return n
	}
	c.mu.Lock()
	c.texts.put(key, n)
	c.mu.Unlock()
	return n
}

func (c *numbers) text(key numberKey) (Number, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.texts.get(key)
}

// plain is a number in E.164 that is remembered, and its dialRegion.
func (c *numbers) plain(raw string, digits uint64) (n Number, home string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.e164.get(digits)
	if !ok {
		return Number{}, "", false
	}
	return Number{ID: raw, Region: c.regions[p.region], Type: event.NumberType(p.kind), Prefix: raw[1 : 1+p.prefix]}, c.regions[p.home], true
}

// dialRegion is that of a number: of one in an unassigned range it would be parsed for it once more.
func (c *numbers) dialRegion(n Number) string {
	if n.Region != "" || !n.IsNumber() {
		return n.Region
	}
	if digits, ok := e164Digits(n.ID); ok {
		if _, home, ok := c.plain(n.ID, digits); ok {
			return home
		}
	}
	return n.dialRegion()
}

// packedNumber is a Number in E.164 without its digits.
type packedNumber struct {
	region, home uint16 // in numbers.regions
	kind         uint8
	prefix       uint8 // length of Number.Prefix
}

func (c *numbers) pack(n *Number, home string) packedNumber {
	return packedNumber{c.regionAt(n.Region), c.regionAt(home), uint8(n.Type), uint8(len(n.Prefix))}
}

func (c *numbers) regionAt(name string) uint16 {
	for i, known := range c.regions {
		if known == name {
			return uint16(i)
		}
	}
	c.regions = append(c.regions, name)
	return uint16(len(c.regions) - 1)
}

// e164Digits is the digits of a text that is a plus and 4 to 15 of them, the first no zero, so that the number stands for the text.
func e164Digits(s string) (n uint64, ok bool) {
	if len(s) < 5 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return 0, false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, true
}

// generations is a map of at most so many entries, of which those not asked for in a long time go.
type generations[K comparable, V any] struct {
	half       int
	young, old map[K]V
}

func newGenerations[K comparable, V any](capacity int) generations[K, V] {
	return generations[K, V]{half: max(capacity/2, 1), young: make(map[K]V)}
}

func (g *generations[K, V]) get(key K) (v V, ok bool) {
	if v, ok = g.young[key]; ok {
		return v, true
	}
	if v, ok = g.old[key]; ok {
		g.put(key, v)
	}
	return v, ok
}

func (g *generations[K, V]) put(key K, v V) {
	if len(g.young) >= g.half {
		g.young, g.old = make(map[K]V, g.half/4), g.young
	}
	g.young[key] = v
}
