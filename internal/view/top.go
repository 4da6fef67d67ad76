package view

import (
	"strconv"

	"switchboard/internal/fold"
)

// tops are the sorted sets of a partition, with the figure that ranks. A subject lives in one partition, so
// that the first k of each partition, merged, are exact.
var tops = []struct {
	name     string
	contacts bool // only with the contacts view
	score    func(*fold.Card) int64
}{
	{"in", false, func(c *fold.Card) int64 { return c.CallsIn + c.TextsIn }},
	{"out", false, func(c *fold.Card) int64 { return c.CallsOut + c.TextsOut }},
	{"seconds", false, func(c *fold.Card) int64 { return c.SecondsIn + c.SecondsOut }},
	{"contacts", true, func(c *fold.Card) int64 { return c.Contacts }},
}

// TopNames lists what subscribers are ranked by.
func TopNames() []string {
	names := make([]string, len(tops))
	for i, t := range tops {
		names[i] = t.name
	}
	return names
}

// TopKey is the key of a ranking, a sorted set.
func TopKey(name string) string { return "top:" + name }

func (s *Subscriber) projectTop(dst []Mutation) []Mutation {
	for _, t := range tops {
		if t.contacts && !s.set.Has(Contacts) {
			continue
		}
		now, before := t.score(&s.state.Card), t.score(&s.stored)
		switch {
		case now == before:
		case now == 0:
			dst = append(dst, Mutation{DropMembers, TopKey(t.name), []string{string(s.id)}})
		default:
			dst = append(dst, Mutation{SetScores, TopKey(t.name), []string{strconv.FormatInt(now, 10), string(s.id)}})
		}
	}
	return dst
}
