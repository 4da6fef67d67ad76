package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxJoined is how many lines a quoted field may stretch over. A quote that is not closed within
// them is a mistake of its own line: encoding/csv would swallow the file up to the next quote.
const maxJoined = 100

// table reads CSV (RFC 4180; CRLF or LF; a quote inside a field without quotes is taken as it is).
type table struct {
	lines  *lineReader
	comma  byte
	header []string
	again  []numbered // lines that were read to find the end of a quoted field, and are none of it
	text   []byte
	row    []string
}

type numbered struct {
	text   []byte
	number int
	err    error // a rowError: the line was too long
}

// openTable reads the header.
func openTable(lines *lineReader, comma rune) (*table, error) {
	if comma >= utf8.RuneSelf || comma == '"' || comma == '\n' || comma == '\r' {
		return nil, badOption("comma: must be one ASCII character, no quote")
	}
	first, number, err := lines.next()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: want a header with the names of the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("line %d: the header %w", number, err)
	}
	t := &table{lines: lines, comma: byte(comma)}
	if comma == 0 {
		t.comma = likelyComma(first)
	}
	row, state := split(slices.Clone(first), t.comma, nil)
	if state != complete || !utf8.Valid(first) {
		return nil, fmt.Errorf("line %d: the header is no CSV", number)
	}
	for _, name := range row {
		t.header = append(t.header, strings.TrimSpace(name))
	}
	return t, nil
}

// likelyComma is what a header's columns are most likely parted by.
func likelyComma(header []byte) byte {
	best, most := byte(','), 0
	for _, c := range []byte(",;\t|") {
		if n := bytes.Count(header, []byte{c}); n > most {
			best, most = c, n
		}
	}
	return best
}

// columns finds columns by name; the error names all that are missing, but no other: the first
// line of a file without header is somebody's call.
func (t *table) columns(names []string) (map[string]int, error) {
	at := make(map[string]int, len(names))
	var missing []string
	for _, name := range names {
		n := slices.Index(t.header, name)
		if n < 0 {
			missing = append(missing, fmt.Sprintf("%q", name))
			continue
		}
		if slices.Contains(t.header[n+1:], name) {
			return nil, fmt.Errorf("line 1: the header names the column %q twice", name)
		}
		at[name] = n
	}
	if missing != nil {
		return nil, fmt.Errorf("line 1: the header has no column %s", strings.Join(missing, ", "))
	}
	return at, nil
}

// next gives the next row, valid until the next call, with as many fields as the header.
func (t *table) next() ([]string, int, error) {
	line := t.line()
	if line.err != nil {
		return nil, line.number, line.err
	}
	t.text = append(t.text[:0], line.text...)
	var state splitState
	t.row, state = split(t.text, t.comma, t.row[:0])
	if state == open {
		state = t.join()
	}
	switch {
	case state == open:
		return nil, line.number, badRow("a quoted field is not closed")
	case state == garbled:
		return nil, line.number, badRow("something follows a quoted field")
	case len(t.row) != len(t.header):
		return nil, line.number, badRow(fmt.Sprintf("has %d fields, the header has %d", len(t.row), len(t.header)))
	}
	return t.row, line.number, nil
}

// line is the next line, read before or new; its text is valid until the next call.
func (t *table) line() numbered {
	if len(t.again) > 0 {
		l := t.again[0]
		t.again = t.again[1:]
		return l
	}
	text, number, err := t.lines.next()
	return numbered{text, number, err}
}

// join adds lines to t.text until its quotes are closed. If they never are, the lines are read again.
func (t *table) join() splitState {
	var joined []numbered
	state := open
	for state == open && len(joined) < maxJoined {
		l := t.line()
		l.text = slices.Clone(l.text)
		joined = append(joined, l)
		if l.err != nil || len(t.text)+len(l.text) > MaxItemBytes {
			break
		}
		t.text = append(append(t.text, '\n'), l.text...)
		t.row, state = split(t.text, t.comma, t.row[:0])
	}
	if state != complete {
		t.again = append(joined, t.again...)
		return open
	}
	return complete
}

type splitState uint8

const (
	complete splitState = iota
	open                // ends within a quoted field
	garbled             // something other than a comma follows a closing quote
)

// split appends the fields of a row.
func split(text []byte, comma byte, row []string) ([]string, splitState) {
	for {
		if len(text) == 0 || text[0] != '"' {
			end := bytes.IndexByte(text, comma)
			if end < 0 {
				return append(row, string(text)), complete
			}
			row = append(row, string(text[:end]))
			text = text[end+1:]
			continue
		}
		var field []byte
		text = text[1:]
		for {
			end := bytes.IndexByte(text, '"')
			if end < 0 {
				return row, open
			}
			field = append(field, text[:end]...)
			text = text[end+1:]
			if len(text) == 0 || text[0] != '"' {
				break
			}
			field = append(field, '"')
			text = text[1:]
		}
		row = append(row, string(field))
		if len(text) == 0 {
			return row, complete
		}
		if text[0] != comma {
			return row, garbled
		}
		text = text[1:]
	}
}
