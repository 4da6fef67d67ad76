package view

import (
	"fmt"
	"strings"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// Restorer turns the records of a snapshot into mutations, and derives what snapshots do not hold: reach, rankings, totals, and
// the offset up to which each subject is folded.
type Restorer struct {
	set    Set
	at     int64
	totals Totals
}

// NewRestorer restores for a set of read models; at is the offset of the last record that the snapshot covers.
func NewRestorer(set Set, at int64) *Restorer { return &Restorer{set: set, at: at} }

// Totals are the totals of everything added.
func (r *Restorer) Totals() Totals { return r.totals }

// Add appends the mutations of one record: the fields and values of a key. A record of a read model that the set does not have
// is left out.
func (r *Restorer) Add(dst []Mutation, key string, fields []string) ([]Mutation, error) {
	name, rest, _ := strings.Cut(key, ":")
	switch {
	case !r.set.Has(name):
		return dst, nil
	case name == Card:
		return r.card(dst, event.Subject(rest), fields)
	case name == Contacts:
		dst = append(dst, Mutation{SetFields, key, fields})
		if r.set.Has(Reach) {
			for i := 0; i < len(fields); i += 2 {
				dst = append(dst, Mutation{SetFields, ReachKey(fields[i]), []string{rest, ""}})
			}
		}
		return dst, nil
	case name == Timeline:
		return append(dst, Mutation{SetFields, key, fields}), nil
	}
	return dst, fmt.Errorf("view: a snapshot cannot hold %s", name)
}

// card restores a head record: a subscriber that is fresh to the read models, and folded up to at.
func (r *Restorer) card(dst []Mutation, id event.Subject, fields []string) ([]Mutation, error) {
	var c fold.Card
	for i := 0; i < len(fields); i += 2 {
		if _, err := SetCardField(&c, fields[i], fields[i+1]); err != nil {
			return dst, fmt.Errorf("card: field %s holds no number", fields[i])
		}
	}
	s := NewSubscriber(id, r.set)
	s.state.Card, s.state.At = c, r.at
	r.totals.Add(s.Change())
	set := append([]string{AtField, fmt.Sprint(r.at)}, fields...)
	dst = append(dst, Mutation{SetFields, CardKey(id), set})
	if r.set.Has(Top) {
		dst = s.projectTop(dst)
	}
	return dst, nil
}
