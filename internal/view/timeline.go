package view

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// TimelineKey is the key of one UTC ISO week of a subscriber's reports, a hash of entry to report.
func TimelineKey(id event.Subject, w event.Week) string {
	return "timeline:" + string(id) + ":" + string(w)
}

// EntryField is the field of an entry: 11 characters of base64url.
func EntryField(id fold.EntryID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// The letters of kind and direction, and of the outcome, by their numbers.
const (
	kindLetters      = "?ct"
	directionLetters = "?io"
	outcomeLetters   = "?amrbveu"
)

// FormatEntry is an entry as stored, separated by spaces: start in Unix milliseconds; seconds east of UTC; a letter
// each for kind (c t), direction (i o) and outcome (? a m r b v e u); seconds; antenna, - when unknown; revision.id of
// the amendment that holds, - when none; counterpart, which may be empty and hold spaces. In the antenna,
// % and white space are written as %XX.
func FormatEntry(e *fold.Entry) string {
	var buf [128]byte
	b := append(strconv.AppendInt(buf[:0], e.StartMs, 10), ' ')
	b = append(strconv.AppendInt(b, int64(e.OffsetS), 10), ' ')
	b = append(b, kindLetters[e.Kind], directionLetters[e.Direction], outcomeLetters[e.Outcome], ' ')
	b = append(strconv.AppendInt(b, e.Seconds, 10), ' ')
	b = append(appendToken(b, e.Antenna), ' ')
	if e.Revision == 0 {
		b = append(b, '-')
	} else {
		b = append(strconv.AppendInt(b, int64(e.Revision), 10), '.')
		b = base64.RawURLEncoding.AppendEncode(b, e.Amendment[:])
	}
	return string(append(append(b, ' '), e.Counterpart...))
}

// appendToken writes a text that must hold no space.
func appendToken(b []byte, s string) []byte {
	if s == "" || s == "-" {
		return append(b, map[string]string{"": "-", "-": "%2D"}[s]...)
	}
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == '%' {
			b = append(b, '%', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

var errEntry = errors.New("timeline: a value is no report")

// ParseEntry reads what FormatEntry wrote.
func ParseEntry(s string) (*fold.Entry, error) {
	part := strings.SplitN(s, " ", 7)
	if len(part) != 7 || len(part[2]) != 3 {
		return nil, errEntry
	}
	e := &fold.Entry{Counterpart: part[6]}
	var err1, err2, err3, err4 error
	e.StartMs, err1 = strconv.ParseInt(part[0], 10, 64)
	offset, err2 := strconv.ParseInt(part[1], 10, 32)
	e.Seconds, err3 = strconv.ParseInt(part[3], 10, 64)
	e.OffsetS = int32(offset)
	kind, direction := strings.IndexByte(kindLetters, part[2][0]), strings.IndexByte(directionLetters, part[2][1])
	outcome := strings.IndexByte(outcomeLetters, part[2][2])
	if e.Antenna, err4 = parseToken(part[4]); errors.Join(err1, err2, err3, err4) != nil || min(kind, direction, outcome) < 0 {
		return nil, errEntry
	}
	e.Kind, e.Direction, e.Outcome = event.Kind(kind), event.Direction(direction), event.Outcome(outcome)
	if part[5] == "-" {
		return e, nil
	}
	revision, id, _ := strings.Cut(part[5], ".")
	n, err := strconv.ParseInt(revision, 10, 32)
	raw, err2 := base64.RawURLEncoding.DecodeString(id)
	if err != nil || err2 != nil || n < 1 || len(raw) != len(e.Amendment) {
		return nil, errEntry
	}
	e.Revision = int32(n)
	copy(e.Amendment[:], raw)
	return e, nil
}

func parseToken(s string) (string, error) {
	if s == "-" {
		return "", nil
	}
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errEntry
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", errEntry
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), nil
}

func (s *Subscriber) projectTimeline(dst []Mutation) []Mutation {
	for _, w := range s.state.ChangedWeeks {
		week := s.state.Weeks[w]
		args := make([]string, 0, 2*len(week.Changed))
		for _, id := range week.Changed {
			args = append(args, EntryField(id), FormatEntry(week.Entries[id]))
		}
		dst = append(dst, Mutation{SetFields, TimelineKey(s.id, w), args})
	}
	return dst
}
