package view

import (
	"fmt"
	"slices"
	"strconv"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// AtField is the field of a head record that holds the offset of the last event folded into the subject.
const AtField = "@"

// WeekPrefix begins the fields of a card that count the reports of a UTC ISO week.
const WeekPrefix = "w:"

// cardFields are the fields of a card after AtField, with where the fold keeps them.
var cardFields = []struct {
	name string
	of   func(*fold.Card) *int64
}{
	{"calls_in", func(c *fold.Card) *int64 { return &c.CallsIn }},
	{"calls_out", func(c *fold.Card) *int64 { return &c.CallsOut }},
	{"texts_in", func(c *fold.Card) *int64 { return &c.TextsIn }},
	{"texts_out", func(c *fold.Card) *int64 { return &c.TextsOut }},
	{"seconds_in", func(c *fold.Card) *int64 { return &c.SecondsIn }},
	{"seconds_out", func(c *fold.Card) *int64 { return &c.SecondsOut }},
	{"contacts", func(c *fold.Card) *int64 { return &c.Contacts }},
	{"withheld", func(c *fold.Card) *int64 { return &c.Withheld }},
	{"first_ms", func(c *fold.Card) *int64 { return &c.FirstMs }},
	{"last_ms", func(c *fold.Card) *int64 { return &c.LastMs }},
	{"amended", func(c *fold.Card) *int64 { return &c.Amended }},
	{"duplicates", func(c *fold.Card) *int64 { return &c.Duplicates }},
}

// cardFieldNames are AtField and the names of cardFields: what is read of a card that is not known.
var cardFieldNames = func() []string {
	names := []string{AtField}
	for _, f := range cardFields {
		names = append(names, f.name)
	}
	return names
}()

// CardFields lists the fields of a card, without AtField and the weeks, in the order of VIEWS.md.
func CardFields() []string { return append([]string(nil), cardFieldNames[1:]...) }

// CardKey is the key of a subscriber's head record.
func CardKey(id event.Subject) string { return "card:" + string(id) }

// SetCardField sets a field of a card from its text; ok is false for a field that no card has.
func SetCardField(c *fold.Card, name, text string) (ok bool, err error) {
	for _, f := range cardFields {
		if f.name == name {
			*f.of(c), err = strconv.ParseInt(text, 10, 64)
			return true, err
		}
	}
	return false, nil
}

// fillCard takes what was read of cardFieldNames. A card without AtField does not exist.
func (s *Subscriber) fillCard(values []Value) error {
	s.loaded = true
	if !values[0].OK {
		s.Absent()
		return nil
	}
	for i, v := range values {
		if !v.OK {
			continue
		}
		n, err := strconv.ParseInt(v.Text, 10, 64)
		if err != nil {
			return fmt.Errorf("card: field %s holds no number", cardFieldNames[i])
		}
		if i == 0 {
			s.state.At = n
		} else {
			*cardFields[i-1].of(&s.state.Card) = n
		}
	}
	s.stored, s.storedAt = s.state.Card, s.state.At
	return nil
}

// projectCard writes what differs from what is stored. A zero is never stored.
func (s *Subscriber) projectCard(dst []Mutation) []Mutation {
	var space [40]string // on the stack; of all fields few change
	set := append(space[:0], AtField, strconv.FormatInt(s.state.At, 10))
	var drop []string
	for _, f := range cardFields {
		now, before := *f.of(&s.state.Card), *f.of(&s.stored)
		switch {
		case now == before:
		case now == 0:
			drop = append(drop, f.name)
		default:
			set = append(set, f.name, strconv.FormatInt(now, 10))
		}
	}
	for _, w := range s.state.ChangedWeeks {
		if week := s.state.Weeks[w]; week.Count != week.Stored {
			set = append(set, WeekPrefix+string(w), strconv.FormatInt(week.Count, 10))
		}
	}
	dst = append(dst, Mutation{SetFields, CardKey(s.id), slices.Clone(set)})
	if drop != nil {
		dst = append(dst, Mutation{DropFields, CardKey(s.id), drop})
	}
	return dst
}
