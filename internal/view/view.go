// Package view turns a changed subject into mutations of the read models, as data, and what was
// read back into a subject. Each read model has a file that says how it is stored; only
// internal/redisview knows how a mutation becomes a command. The package is pure.
package view

import (
	"fmt"
	"slices"
	"strings"

	"switchboard/internal/event"
)

// The read models. Names are also the first part of every key.
const (
	Card     = "card"
	Contacts = "contacts"
	Timeline = "timeline"
	Reach    = "reach"
	Top      = "top"
	TotalsOf = "totals"
	DeviceOf = "device"
	Links    = "links"
)

// Names lists every read model of subscribers, in the order in which they are documented.
func Names() []string { return []string{Card, Contacts, Timeline, Reach, Top, TotalsOf} }

// DeviceNames lists every read model of devices, likewise.
func DeviceNames() []string { return []string{DeviceOf, Links} }

// namesOf lists the read models of a kind of subjects; the first is the head record, which carries how far a subject is folded.
func namesOf(kind event.SubjectKind) []string {
	if kind == event.Devices {
		return DeviceNames()
	}
	return Names()
}

// Set is the read models that a generation holds, all of one kind of subjects. It is fixed when the generation is made.
type Set struct {
	names []string
	about event.SubjectKind
}

// ParseSet reads names separated by commas, in any order, and checks that each has what it needs.
func ParseSet(s string) (Set, error) { return NewSet(strings.Split(s, ",")) }

// NewSet checks a list of read models of one kind of subjects: the head record (card, device) is always needed; reach needs contacts.
func NewSet(names []string) (Set, error) {
	kind := event.Subscribers
	if len(names) > 0 && slices.Contains(DeviceNames(), names[0]) {
		kind = event.Devices
	}
	for _, n := range names {
		if !slices.Contains(namesOf(kind), n) {
			return Set{}, fmt.Errorf("%q is no read model of %s: want some of %s", n, kind, strings.Join(namesOf(kind), ", "))
		}
	}
	return SetFor(kind, names)
}

// SetFor picks the read models of a kind of subjects out of a list that may hold those of others, too, and checks them as NewSet does.
func SetFor(kind event.SubjectKind, names []string) (Set, error) {
	set := Set{about: kind}
	for _, known := range namesOf(kind) {
		if slices.Contains(names, known) {
			set.names = append(set.names, known)
		}
	}
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return Set{}, fmt.Errorf("%q stands twice", n)
		}
	}
	if head := namesOf(kind)[0]; !set.Has(head) {
		return Set{}, fmt.Errorf("%s is missing: it says how far each subject is folded", head)
	}
	if set.Has(Reach) && !set.Has(Contacts) {
		return Set{}, fmt.Errorf("reach needs contacts")
	}
	return set, nil
}

// About is the kind of subjects that the set is of.
func (s Set) About() event.SubjectKind { return s.about }

// NewSubject is a subject of the set's kind of which nothing is known yet.
func NewSubject(id event.Subject, set Set) Subject {
	if set.about == event.Devices {
		return NewDevice(id, set)
	}
	return NewSubscriber(id, set)
}

// Has tells whether the set holds a read model.
func (s Set) Has(name string) bool { return slices.Contains(s.names, name) }

// String is the names separated by commas, in the order in which they are documented.
func (s Set) String() string { return strings.Join(s.names, ",") }

// Op is what a mutation does to one key. All of them are absolute: repeating one changes nothing.
type Op uint8

// The operations. Args are, in turn: field, value, ...; field, ...; score, member, ...; member, ...
const (
	SetFields   Op = iota // HSET
	DropFields            // HDEL
	SetScores             // ZADD
	DropMembers           // ZREM
)

func (o Op) String() string { return [...]string{"HSET", "HDEL", "ZADD", "ZREM"}[o] }

// Mutation is one change of one key. The key has no prefix: the lane knows its partition and generation.
type Mutation struct {
	Op   Op
	Key  string
	Args []string
}

// String is for golden files and people.
func (m Mutation) String() string {
	return m.Op.String() + " " + m.Key + " " + strings.Join(m.Args, " ")
}

// Size is about the bytes that the mutation takes on the wire.
func (m Mutation) Size() int {
	n := len(m.Key) + 40
	for _, a := range m.Args {
		n += len(a) + 8
	}
	return n
}

// Read asks for fields of one hash.
type Read struct {
	Key    string
	Fields []string
}

// Value is what a read found for a field.
type Value struct {
	Text string
	OK   bool // false: there is no such field
}

// Subject is the unit of change: everything that a partition keeps about one subscriber or device.
// Its lane's goroutine owns it. The order of calls in a batch: Queue for each event, Reads, Fill, Fold,
// Project and Change, and Settle when the chunk has been written. After an error it must be thrown away.
type Subject interface {
	// Absent tells that nothing of the subject is stored, so that nothing has to be read. Only before anything else is called.
	Absent()
	// Queue takes an event to be folded. It must be about this subject, and of the kind that its topic carries.
	Queue(offset int64, e event.Event)
	// Reads appends what the queued events need and is not known yet.
	Reads(dst []Read) []Read
	// Fill takes what was read, one slice of values for each Read that Reads appended.
	Fill(values [][]Value) error
	// Fold folds the queued events. A *Panic names the event that the fold could not bear.
	Fold() error
	// Project appends the mutations that make the read models equal to the subject.
	Project(dst []Mutation) []Mutation
	// Change is what the subject adds to the totals of its partition.
	Change() Totals
	// Settle tells that everything projected has been written.
	Settle()
	// Weight is about the bytes of memory that the subject holds.
	Weight() int
}

// Panic is a fold that panicked: a bug, met by the event at an offset.
type Panic struct {
	Offset int64
	Value  any
}

func (p *Panic) Error() string { return fmt.Sprintf("fold panicked at offset %d", p.Offset) }
