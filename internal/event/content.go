package event

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// AppendContent appends the canonical content of a fact: RFC 8785 (JCS) of
// {"type": short name, field: value ...} without every field that is 0, false, "" or unknown, so
// that a field added later changes no id. What says how the fact came here is not content, nor is
// what intake derives. There are no floats.
func AppendContent(dst []byte, e Event) []byte {
	c := content{buf: append(dst, '{'), envelope: e.Envelope(), typ: e.Type()}
	switch e := e.(type) { // and no e.writeContent(&c): c would escape
	case *CallReported:
		e.writeContent(&c)
	case *TextReported:
		e.writeContent(&c)
	case *CallReportAmended:
		e.writeContent(&c)
	case *DeviceConnected:
		e.writeContent(&c)
	case *DeviceRenamed:
		e.writeContent(&c)
	case *DeviceLinked:
		e.writeContent(&c)
	case *DeviceUnlinked:
		e.writeContent(&c)
	case *DeviceDisconnected:
		e.writeContent(&c)
	default:
		panic("event: no content of " + e.Type())
	}
	c.common("zone_unknown")
	c.buf[len(c.buf)-1] = '}' // the comma behind the last field; "type" is always there
	return c.buf
}

// content writes fields in ascending order of their names, which is JCS order for ASCII names.
// The common fields are spliced in by name: common(to) writes all common fields up to and including to.
type content struct {
	buf      []byte
	envelope *Common
	typ      string
	written  int // common fields written so far
}

// commonNames are the common fields of content, ascending.
var commonNames = [...]string{"occurred_at", "subject", "type", "utc_offset_s", "zone_unknown"}

func (c *content) common(to string) {
	for c.written < len(commonNames) && commonNames[c.written] <= to {
		name := commonNames[c.written]
		c.written++
		switch name {
		case "occurred_at":
			c.number(name, c.envelope.OccurredAt)
		case "subject":
			c.text(name, string(c.envelope.Subject))
		case "type":
			c.text(name, c.typ)
		case "utc_offset_s":
			c.number(name, int64(c.envelope.UTCOffsetS))
		case "zone_unknown":
			c.flag(name, c.envelope.ZoneUnknown)
		}
	}
}

func (c *content) name(name string) {
	c.buf = append(c.buf, '"')
	c.buf = append(c.buf, name...)
	c.buf = append(c.buf, '"', ':')
}

func (c *content) text(name, value string) {
	if value == "" {
		return
	}
	c.name(name)
	c.buf = append(appendJSONString(c.buf, value), ',')
}

func (c *content) number(name string, value int64) {
	if value == 0 {
		return
	}
	c.name(name)
	c.buf = append(strconv.AppendInt(c.buf, value, 10), ',')
}

func (c *content) flag(name string, value bool) {
	if !value {
		return
	}
	c.name(name)
	c.buf = append(c.buf, "true,"...)
}

func (c *content) symbol(name string, number uint8, value fmt.Stringer) {
	if number != 0 {
		c.text(name, value.String())
	}
}

const hexDigits = "0123456789abcdef"

// appendJSONString appends s as RFC 8785 3.2.2.2 has it. Bytes that are no UTF-8 become U+FFFD:
// intake refuses them, so that this only keeps the function total.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b >= 0x20 && b != '"' && b != '\\' && b < utf8.RuneSelf {
			i++
			continue
		}
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}
