package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"switchboard/internal/event"
)

// MaxItemBytes is the largest report that is read, in bytes of its encoding.
const MaxItemBytes = 64 << 10

// DecodeJSON reads one report. Like everything that reads JSON here it is strict: UTF-8 only, no unknown field, none twice, whole
// numbers without fraction or exponent, no half surrogate. null is the same as a field left out.
// started_at and answered_at are Unix milliseconds or RFC 3339. The error is an Errors; the text
// of it quotes nothing but the name of an unknown field.
//
// encoding/json takes duplicate names, invalid UTF-8 and names in another case; its successor
// does not, but is an experiment in Go 1.26.
func DecodeJSON(data []byte) (event.Submitted, error) { return decodeJSON(&reportShape, data) }

// shape is the fields of what comes in as T.
type shape[T any] struct {
	fields []field[T]
	byName map[string]int
	// zone is where the offset is kept, and the zone that was named, so that an instant can say the offset where nothing else does.
	zone func(*T) (offset **int32, zone string)
}

func newShape[T any](zone func(*T) (**int32, string), fields []field[T]) shape[T] {
	if len(fields) > 64 {
		panic("intake: readObject counts fields in 64 bits")
	}
	s := shape[T]{fields: fields, byName: make(map[string]int, len(fields)), zone: zone}
	for n, f := range fields {
		s.byName[f.name] = n
	}
	return s
}

func decodeJSON[T any](shape *shape[T], data []byte) (T, error) {
	var s, none T
	if len(data) > MaxItemBytes {
		return s, problem("", fmt.Sprintf("must be at most %d bytes", MaxItemBytes))
	}
	if !utf8.Valid(data) {
		return s, problem("", "must be UTF-8")
	}
	if !json.Valid(data) {
		return s, problem("", "is not valid JSON"+where(data))
	}
	d := decoder{rest: bytes.TrimSpace(data)}
	if d.rest[0] != '{' {
		return s, problem("", "must be a JSON object")
	}
	var bad Errors
	readObject(&d, shape, &s, &bad)
	if len(bad) > 0 {
		return none, bad
	}
	return s, nil
}

// where tells the byte at which text stops being JSON.
func where(data []byte) string {
	var whole json.RawMessage
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(data, &whole), &syntax) {
		return fmt.Sprintf(" at byte %d", syntax.Offset)
	}
	return ""
}

// decoder walks over text that is known to be valid JSON.
type decoder struct{ rest []byte }

func readObject[T any](d *decoder, shape *shape[T], s *T, bad *Errors) {
	d.rest = d.rest[1:]
	var seen uint64 // a bit for each field
	var implied *int32
	for d.next() != '}' {
		if d.rest[0] == ',' {
			d.rest = d.rest[1:]
			d.next()
		}
		name, ok := unquote(d.value())
		d.next()
		d.rest = d.rest[1:] // the colon
		d.next()
		value := d.value()
		n, known := shape.byName[name]
		switch {
		case !ok:
			bad.add("", "has a field name with half a surrogate pair")
		case !known:
			bad.add(shown(name), "unknown field")
		case seen&(1<<n) != 0:
			bad.add(name, "is given twice")
		case value[0] != 'n':
			if text := shape.fields[n].read(s, value, &implied); text != "" {
				bad.add(name, text)
			}
		}
		if known {
			seen |= 1 << n
		}
	}
	if offset, zone := shape.zone(s); *offset == nil && zone == "" {
		*offset = implied
	}
}

// next skips white space and returns the byte behind it.
func (d *decoder) next() byte {
	for {
		switch d.rest[0] {
		case ' ', '\t', '\n', '\r':
			d.rest = d.rest[1:]
		default:
			return d.rest[0]
		}
	}
}

// value takes one value off the text.
func (d *decoder) value() []byte {
	depth := 0
	for i := 0; i < len(d.rest); i++ {
		switch d.rest[i] {
		case '"':
			for i++; d.rest[i] != '"'; i++ {
				if d.rest[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		case ',', ':', ' ', '\t', '\n', '\r':
			continue // only within an object or array
		default: // a number or a word: up to what ends it
			for i+1 < len(d.rest) && !ends(d.rest[i+1]) {
				i++
			}
		}
		if depth == 0 {
			v := d.rest[:i+1]
			d.rest = d.rest[i+1:]
			return v
		}
	}
	return nil // does not happen in valid JSON
}

func ends(c byte) bool {
	switch c {
	case ',', ':', ']', '}', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

// unquote reads a JSON string; ok is false for half a surrogate pair, which is no character.
func unquote(quoted []byte) (text string, ok bool) {
	b := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b), true
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			out = append(out, b[i])
			continue
		}
		i++
		switch b[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := hex4(b[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				if len(b) < i+7 || b[i+1] != '\\' || b[i+2] != 'u' {
					return "", false
				}
				if r = utf16.DecodeRune(r, hex4(b[i+3:])); r == utf8.RuneError {
					return "", false
				}
				i += 6
			}
			out = utf8.AppendRune(out, r)
		default: // the quote, the backslash and the slash
			out = append(out, b[i])
		}
	}
	return string(out), true
}

func hex4(b []byte) rune {
	n, _ := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(n)
}

// shown makes the name of an unknown field fit to be shown.
func shown(name string) string {
	const most = 64
	if len(name) > most {
		name = name[:most]
		for !utf8.ValidString(name) {
			name = name[:len(name)-1]
		}
		name += "..."
	}
	q := strconv.Quote(name)
	return q[1 : len(q)-1]
}
