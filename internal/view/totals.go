package view

import (
	"fmt"
	"strconv"
)

// TotalsKey is the key of the totals of a partition, a hash.
const TotalsKey = "totals"

// Totals are the figures of a whole partition, or a difference of them.
type Totals struct {
	Subjects, Reports, Calls, Texts, Seconds, Contacts, Withheld, Amended int64
}

func (t *Totals) fields() [8]*int64 {
	return [...]*int64{&t.Subjects, &t.Reports, &t.Calls, &t.Texts, &t.Seconds, &t.Contacts, &t.Withheld, &t.Amended}
}

var totalsNames = [...]string{"subjects", "reports", "calls", "texts", "seconds", "contacts", "withheld", "amended"}

// TotalsFields lists the fields of the totals.
func TotalsFields() []string { return append([]string(nil), totalsNames[:]...) }

// Add adds a difference.
func (t *Totals) Add(d Totals) {
	to, by := t.fields(), d.fields()
	for i := range to {
		*to[i] += *by[i]
	}
}

// ParseTotals reads the values of TotalsFields.
func ParseTotals(values []Value) (Totals, error) {
	var t Totals
	for i, p := range t.fields() {
		if !values[i].OK {
			continue
		}
		n, err := strconv.ParseInt(values[i].Text, 10, 64)
		if err != nil {
			return Totals{}, fmt.Errorf("totals: field %s holds no number", totalsNames[i])
		}
		*p = n
	}
	return t, nil
}

// Project appends the mutations that turn the totals before into t.
func (t *Totals) Project(dst []Mutation, before Totals) []Mutation {
	var set, drop []string
	now, was := t.fields(), before.fields()
	for i, name := range totalsNames {
		switch {
		case *now[i] == *was[i]:
		case *now[i] == 0:
			drop = append(drop, name)
		default:
			set = append(set, name, strconv.FormatInt(*now[i], 10))
		}
	}
	if set != nil {
		dst = append(dst, Mutation{SetFields, TotalsKey, set})
	}
	if drop != nil {
		dst = append(dst, Mutation{DropFields, TotalsKey, drop})
	}
	return dst
}

// Change is what the subscriber adds to the totals.
func (s *Subscriber) Change() Totals {
	now, was := &s.state.Card, &s.stored
	d := Totals{
		Reports:  now.Reports() - was.Reports(),
		Calls:    now.CallsIn + now.CallsOut - was.CallsIn - was.CallsOut,
		Texts:    now.TextsIn + now.TextsOut - was.TextsIn - was.TextsOut,
		Seconds:  now.SecondsIn + now.SecondsOut - was.SecondsIn - was.SecondsOut,
		Contacts: now.Contacts - was.Contacts,
		Withheld: now.Withheld - was.Withheld,
		Amended:  now.Amended - was.Amended,
	}
	if s.storedAt < 0 && s.state.At >= 0 {
		d.Subjects = 1
	}
	return d
}
