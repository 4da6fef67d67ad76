package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Framing tells how JSON items follow each other.
type Framing uint8

// The framings.
const (
	Array  Framing = iota // one JSON array
	NDJSON                // one item a line; empty lines are skipped
)

// Item is one item of a text.
type Item struct {
	Index int    // from 0
	Line  int    // the line it begins at, from 1
	Data  []byte // its text, a piece of the whole; nil if Problem is set
	// Problem is set when the item is too long; the next one follows all the same.
	Problem Errors
}

// FrameError says that a text is not what its framing says. What came before it was well formed.
type FrameError struct {
	Line    int
	Problem string
}

func (e *FrameError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// Items yields the items of a text, each at most most bytes long (0 is MaxItemBytes). What an item holds is not looked at: that is
// AcceptJSON's part. An error, a *FrameError, ends them. A byte order mark is skipped.
func Items(text []byte, framing Framing, most int) iter.Seq2[Item, error] {
	if most <= 0 {
		most = MaxItemBytes
	}
	return func(yield func(Item, error) bool) {
		s := itemScanner{rest: bytes.TrimPrefix(text, byteOrderMark), line: 1}
		next := s.nextLine
		if framing == Array {
			next = s.element
		}
		for index := 0; ; index++ {
			item := Item{Index: index}
			var err error
			item.Data, item.Line, err = next(index)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Item{}, err)
				return
			}
			if len(item.Data) > most {
				item.Data, item.Problem = nil, problem("", fmt.Sprintf("must be at most %d bytes", most))
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

var byteOrderMark = []byte("\uFEFF")

// itemScanner takes items off a text. Each of its methods gives an item and the line that it begins at, or io.EOF.
type itemScanner struct {
	rest []byte
	line int // of the next byte
}

// take takes n bytes off the text.
func (s *itemScanner) take(n int) []byte {
	taken := s.rest[:n]
	s.rest = s.rest[n:]
	s.line += bytes.Count(taken, []byte{'\n'})
	return taken
}

// nextLine takes one line that is not empty.
func (s *itemScanner) nextLine(int) (data []byte, line int, err error) {
	for len(s.rest) > 0 {
		line = s.line
		end := bytes.IndexByte(s.rest, '\n') + 1
		if end == 0 {
			end = len(s.rest)
		}
		if data = bytes.Trim(s.take(end), " \t\r\n"); len(data) > 0 {
			return data, line, nil
		}
	}
	return nil, 0, io.EOF
}

// element takes one element of the array, with the white space behind it.
func (s *itemScanner) element(index int) (data []byte, line int, err error) {
	if index == 0 {
		if !s.visible() || s.rest[0] != '[' {
			return nil, 0, s.broken("want a JSON array")
		}
		s.take(1)
	}
	if !s.visible() {
		return nil, 0, s.broken(notClosed)
	}
	switch c := s.rest[0]; {
	case c == ']':
		if s.take(1); s.visible() {
			return nil, 0, s.broken("something follows the array")
		}
		return nil, 0, io.EOF
	case index > 0 && c != ',':
		return nil, 0, s.broken("want a comma or the end of the array")
	case index > 0:
		if s.take(1); !s.visible() {
			return nil, 0, s.broken(notClosed)
		}
	}
	if c := s.rest[0]; c == ',' || c == ']' || c == '}' {
		return nil, 0, s.broken("want an item")
	}
	n := elementLength(s.rest)
	if n < 0 {
		s.take(len(s.rest))
		return nil, 0, s.broken(notClosed)
	}
	line = s.line
	return s.take(n), line, nil
}

const notClosed = "the array is not closed"

// elementLength is how far the element reaches that a text begins with: up to the comma or bracket behind it. -1: there is none.
func elementLength(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == ']'):
			return i
		case c == '}' || c == ']':
			depth--
		}
	}
	return -1
}

// visible skips white space; false: nothing else is left.
func (s *itemScanner) visible() bool {
	for len(s.rest) > 0 {
		switch s.rest[0] {
		case ' ', '\t', '\r', '\n':
			s.take(1)
		default:
			return true
		}
	}
	return false
}

// broken is the error of a text that ends too early or is no array.
func (s *itemScanner) broken(text string) error { return &FrameError{Line: s.line, Problem: text} }
