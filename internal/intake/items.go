package intake

import (
	"bufio"
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

// Item is one item of a stream.
type Item struct {
	Index int    // from 0
	Line  int    // the line it begins at, from 1
	Data  []byte // its text, valid until the next item is asked for; nil if Problem is set
	// Problem is set when the item was too long to be kept; the stream goes on behind it.
	Problem Errors
}

// FrameError says that a text is not what its framing says. What came before it was well formed.
type FrameError struct {
	Line    int
	Problem string
}

func (e *FrameError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// Items yields the items of a stream, each at most most bytes long (0 is MaxItemBytes), in memory
// for one item. What an item holds is not looked at: that is AcceptJSON's part. An error ends the
// stream: a *FrameError, or what the reader said. A byte order mark is skipped.
func Items(r io.Reader, framing Framing, most int) iter.Seq2[Item, error] {
	if most <= 0 {
		most = MaxItemBytes
	}
	return func(yield func(Item, error) bool) {
		s := itemScanner{r: bufio.NewReaderSize(r, 16<<10), most: most, line: 1}
		if mark, _ := s.r.Peek(3); bytes.Equal(mark, byteOrderMark) {
			_, _ = s.r.Discard(len(mark))
		}
		next := s.line1
		if framing == Array {
			next = s.element
		}
		for index := 0; ; index++ {
			item, err := next(index)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Item{}, err)
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

var byteOrderMark = []byte("\uFEFF")

type itemScanner struct {
	r    *bufio.Reader
	most int
	line int
	buf  []byte
	long bool // the item is longer than most; buf is not kept
}

func (s *itemScanner) item(index, line int) Item {
	if s.long {
		return Item{Index: index, Line: line, Problem: problem("", fmt.Sprintf("must be at most %d bytes", s.most))}
	}
	return Item{Index: index, Line: line, Data: s.buf}
}

func (s *itemScanner) start() { s.buf, s.long = s.buf[:0], false }

func (s *itemScanner) keep(b ...byte) {
	if s.long = s.long || len(s.buf)+len(b) > s.most; !s.long {
		s.buf = append(s.buf, b...)
	}
}

// line1 takes one line that is not empty.
func (s *itemScanner) line1(index int) (Item, error) {
	for {
		s.start()
		line := s.line
		var err error
		for {
			var piece []byte
			piece, err = s.r.ReadSlice('\n')
			s.keep(bytes.TrimSuffix(piece, []byte{'\n'})...)
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return Item{}, err
		}
		s.line++
		if s.buf = bytes.Trim(s.buf, " \t\r"); len(s.buf) > 0 || s.long {
			return s.item(index, line), nil
		}
		if err != nil {
			return Item{}, io.EOF
		}
	}
}

// element takes one element of the array.
func (s *itemScanner) element(index int) (Item, error) {
	if index == 0 {
		if c, err := s.visible(); err != nil {
			return Item{}, s.broken(err, "want a JSON array")
		} else if c != '[' {
			return Item{}, s.broken(nil, "want a JSON array")
		}
	}
	c, err := s.visible()
	if err != nil {
		return Item{}, s.broken(err, "the array is not closed")
	}
	switch {
	case c == ']':
		if _, err := s.visible(); err == nil {
			return Item{}, s.broken(nil, "something follows the array")
		} else if !errors.Is(err, io.EOF) {
			return Item{}, err
		}
		return Item{}, io.EOF
	case index > 0 && c != ',':
		return Item{}, s.broken(nil, "want a comma or the end of the array")
	case index > 0:
		if c, err = s.visible(); err != nil {
			return Item{}, s.broken(err, "the array is not closed")
		}
	}
	if c == ',' || c == ']' || c == '}' {
		return Item{}, s.broken(nil, "want an item")
	}
	line := s.line
	if err := s.body(c); err != nil {
		return Item{}, s.broken(err, "the array is not closed")
	}
	return s.item(index, line), nil
}

// body reads an element whose first byte is c, and leaves the comma or bracket behind it.
func (s *itemScanner) body(c byte) error {
	s.start()
	depth, quoted, escaped := 0, false, false
	for {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == ']'):
			return s.r.UnreadByte()
		case c == '}' || c == ']':
			depth--
		}
		if c == '\n' {
			s.line++
		}
		s.keep(c)
		var err error
		if c, err = s.r.ReadByte(); err != nil {
			return err
		}
	}
}

// visible is the next byte that is no white space.
func (s *itemScanner) visible() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c == '\n':
			s.line++
		case c != ' ' && c != '\t' && c != '\r':
			return c, nil
		}
	}
}

// broken is the error of a text that ends too early or is no array; what the reader said wins.
func (s *itemScanner) broken(err error, text string) error {
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return &FrameError{Line: s.line, Problem: text}
}
