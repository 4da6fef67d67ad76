package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"switchboard/internal/event"
)

// What a snapshot keeps are the records from which everything else can be derived: without scores, lists, totals and the reverse
// edges, and without what the canonical hash leaves out (Hashed).

// restorer says how a record of a snapshot comes back. Whoever adds a read model that a snapshot keeps adds a line to restorers.
type restorer struct {
	head bool // it carries AtField
	// derive appends what follows from the record. nil: nothing does.
	derive func(dst []Mutation, set Set, id event.Subject, fields []string) ([]Mutation, Totals, error)
}

var restorers = map[string]restorer{
	Card:     {head: true, derive: deriveFromCard},
	Contacts: {derive: deriveFromContacts},
	Timeline: {},
	DeviceOf: {head: true, derive: deriveFromDevice},
	Links:    {derive: deriveFromLinks},
}

// Kept says where a snapshot keeps the record of a key without prefix: with the head of its subject (week ""), or with a week of its
// timeline. kept is false for what is derived. An error: no read model has such a key.
func Kept(key string) (id event.Subject, week event.Week, kept bool, err error) {
	name, subject, err := SplitKey(key)
	if err != nil {
		return "", "", false, err
	}
	if _, kept = restorers[name]; !kept {
		return event.Subject(subject), "", false, nil
	}
	if name != Timeline {
		return event.Subject(subject), "", true, nil
	}
	i := strings.LastIndexByte(subject, ':')
	if i < 0 {
		return "", "", false, fmt.Errorf("a key of a timeline without a week")
	}
	return event.Subject(subject[:i]), event.Week(subject[i+1:]), true, nil
}

// IsHead tells whether a key is that of a head record: the one that carries AtField.
func IsHead(key string) bool {
	name, _, _ := strings.Cut(key, ":")
	return restorers[name].head
}

// restoreFields is how many fields one mutation of Restore writes at most, so that a chunk of a lane can hold it.
const restoreFields = 512

// Restore appends the mutations that bring a record of a snapshot back into read models that hold nothing of it yet, with what
// follows from it: scores and reverse edges. fields are field, value, ... at is the offset before the position of the snapshot. The totals are what
// the record adds to those of its partition. A record may be restored twice, its totals must not be added twice.
func Restore(dst []Mutation, set Set, at int64, key string, fields []string) ([]Mutation, Totals, error) {
	name, subject, err := SplitKey(key)
	if err != nil {
		return dst, Totals{}, err
	}
	r, known := restorers[name]
	if !known || len(fields)%2 != 0 {
		return dst, Totals{}, fmt.Errorf("%s: no record of a snapshot", name)
	}
	if !set.Has(name) {
		return dst, Totals{}, nil
	}
	if r.head {
		fields = append([]string{AtField, strconv.FormatInt(at, 10)}, fields...)
	}
	for rest := fields; len(rest) > 0; {
		n := min(len(rest), 2*restoreFields)
		dst = append(dst, Mutation{SetFields, key, rest[:n:n]})
		rest = rest[n:]
	}
	if r.derive == nil {
		return dst, Totals{}, nil
	}
	return r.derive(dst, set, event.Subject(subject), fields)
}

func deriveFromCard(dst []Mutation, set Set, id event.Subject, fields []string) ([]Mutation, Totals, error) {
	s := NewSubscriber(id, set)
	s.state.At = 0
	for i := 0; i < len(fields); i += 2 {
		if _, err := SetCardField(&s.state.Card, fields[i], fields[i+1]); err != nil {
			return dst, Totals{}, fmt.Errorf("card: field %s holds no number", fields[i])
		}
	}
	if set.Has(Top) {
		dst = s.projectTop(dst)
	}
	return dst, s.Change(), nil
}

func deriveFromContacts(dst []Mutation, set Set, id event.Subject, fields []string) ([]Mutation, Totals, error) {
	if set.Has(Reach) {
		for i := 0; i < len(fields); i += 2 {
			dst = append(dst, Mutation{SetFields, ReachKey(fields[i]), []string{string(id), ""}})
		}
	}
	return dst, Totals{}, nil
}

func deriveFromDevice(dst []Mutation, set Set, id event.Subject, fields []string) ([]Mutation, Totals, error) {
	d := NewDevice(id, set)
	values := make([]Value, len(deviceFieldNames))
	for i := 0; i < len(fields); i += 2 {
		n := slices.Index(deviceFieldNames, fields[i])
		if n < 0 {
			return dst, Totals{}, fmt.Errorf("device: no device has a field %s", fields[i])
		}
		values[n] = Value{Text: fields[i+1], OK: true}
	}
	if err := d.fill(values); err != nil {
		return dst, Totals{}, err
	}
	d.storedAt = -1 // it stands in no list yet
	return d.projectList(dst), Totals{}, nil
}

func deriveFromLinks(dst []Mutation, _ Set, id event.Subject, fields []string) ([]Mutation, Totals, error) {
	for i := 0; i < len(fields); i += 2 {
		edge, err := ParseEdge(fields[i+1])
		if err != nil {
			return dst, Totals{}, err
		}
		if edge.Linked {
			dst = append(dst, Mutation{SetFields, LinkedKey(fields[i]), []string{string(id), fields[i+1]}})
		}
	}
	return dst, Totals{}, nil
}
