package view

import (
	"fmt"
	"strconv"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// Subscriber is a subscriber of one partition: its state, what is stored of it, and what is queued to be folded.
type Subscriber struct {
	id       event.Subject
	set      Set
	state    *fold.Subscriber
	stored   fold.Card // as the read models have it
	storedAt int64     // likewise; -1: there is none
	loaded   bool      // the card has been read
	fresh    bool      // it was not there: nothing else of the subscriber is, either

	queue   []*queued
	reads   []func(values []Value) error // how to take what each Read finds, in their order
	weight  int
	folding int64 // offset of the event being folded
}

// queued is one event. The fold keeps its touch until the subscriber has been written.
type queued struct {
	offset int64
	touch  fold.Touch
}

// NewSubscriber is a subscriber of which nothing is known yet.
func NewSubscriber(id event.Subject, set Set) *Subscriber {
	o := fold.Options{Contacts: set.Has(Contacts), Timeline: set.Has(Timeline)}
	return &Subscriber{id: id, set: set, state: fold.NewSubscriber(o), storedAt: -1}
}

// Absent tells that nothing of the subscriber is stored.
func (s *Subscriber) Absent() { s.loaded, s.fresh, s.state.AllContacts = true, true, true }

// Queue takes an event to be folded.
func (s *Subscriber) Queue(offset int64, e event.Event) {
	q := &queued{offset: offset}
	if q.touch.Of(e) {
		s.queue = append(s.queue, q)
	}
}

// Reads appends what the queued events need and is not known yet.
func (s *Subscriber) Reads(dst []Read) []Read {
	s.reads = s.reads[:0]
	ask := func(key string, fields []string, fill func([]Value) error) {
		dst = append(dst, Read{key, fields})
		s.reads = append(s.reads, fill)
	}
	if s.fresh {
		s.readEntries(ask)
		return dst
	}
	s.readCard(ask)
	s.readEntries(ask)
	s.readContacts(ask)
	return dst
}

type asker = func(key string, fields []string, fill func([]Value) error)

// readCard asks for the card, if it is not known, and for the counts of weeks that are not known.
func (s *Subscriber) readCard(ask asker) {
	var fields []string
	if !s.loaded {
		fields = cardFieldNames[:len(cardFieldNames):len(cardFieldNames)]
	}
	head := len(fields)
	var weeks []*fold.Timeline
	for _, q := range s.queue {
		w := q.touch.Week
		if s.set.Has(Timeline) && s.state.Weeks[w] == nil {
			weeks = append(weeks, s.state.Week(w))
			fields = append(fields, WeekPrefix+string(w))
		}
	}
	if fields == nil {
		return
	}
	ask(CardKey(s.id), fields, func(values []Value) error {
		if head > 0 {
			if err := s.fillCard(values[:head]); err != nil {
				return err
			}
		}
		for i, v := range values[head:] {
			if v.OK {
				n, err := strconv.ParseInt(v.Text, 10, 64)
				if err != nil {
					return fmt.Errorf("card: field %s holds no number", fields[head+i])
				}
				weeks[i].Count = n
			}
			weeks[i].Stored, weeks[i].Whole = weeks[i].Count, weeks[i].Count == 0
		}
		return nil
	})
}

// readEntries asks for the timeline entries that are not known: whether they are there and, for an amendment, what they hold.
func (s *Subscriber) readEntries(ask asker) {
	if !s.set.Has(Timeline) {
		return
	}
	type want struct {
		ids    []fold.EntryID
		fields []string
	}
	var order []event.Week
	wanted := make(map[event.Week]*want)
	asked := make(map[fold.EntryID]bool)
	for _, q := range s.queue {
		t := &q.touch
		if s.known(t) || asked[t.Entry] {
			continue
		}
		asked[t.Entry] = true
		w := wanted[t.Week]
		if w == nil {
			w = &want{}
			wanted[t.Week] = w
			order = append(order, t.Week)
		}
		w.ids = append(w.ids, t.Entry)
		w.fields = append(w.fields, EntryField(t.Entry))
	}
	for _, week := range order {
		w := wanted[week]
		ask(TimelineKey(s.id, week), w.fields, func(values []Value) error {
			timeline := s.state.Week(week)
			for i, v := range values {
				timeline.Present[w.ids[i]] = v.OK
				if !v.OK {
					continue
				}
				e, err := ParseEntry(v.Text)
				if err != nil {
					return err
				}
				timeline.Know(w.ids[i], e)
			}
			return nil
		})
	}
}

// known tells whether a touch can be folded by what is known of the timeline.
func (s *Subscriber) known(t *fold.Touch) bool {
	week := s.state.Weeks[t.Week]
	if week == nil {
		return s.fresh // nothing of a fresh subscriber is stored
	}
	present, asked := week.Present[t.Entry]
	if !present {
		return asked || week.Whole
	}
	return !t.Amends() || week.Entries[t.Entry] != nil
}

// readContacts asks for the contacts that are not known.
func (s *Subscriber) readContacts(ask asker) {
	if !s.set.Has(Contacts) || s.state.AllContacts {
		return
	}
	var names []string
	for _, q := range s.queue {
		name := q.touch.Contact
		if _, known := s.state.Contacts[name]; name != "" && !known {
			s.state.Contacts[name] = nil // asked; the answer replaces it
			names = append(names, name)
		}
	}
	if names == nil {
		return
	}
	ask(ContactsKey(s.id), names, func(values []Value) error {
		for i, v := range values {
			if !v.OK {
				continue
			}
			c, err := ParseContact(v.Text)
			if err != nil {
				return err
			}
			s.state.Contacts[names[i]] = c
		}
		return nil
	})
}

// Fill takes what was read.
func (s *Subscriber) Fill(values [][]Value) error {
	for i, fill := range s.reads {
		if err := fill(values[i]); err != nil {
			return err
		}
	}
	s.reads = s.reads[:0]
	return nil
}

// Fold folds the queued events.
func (s *Subscriber) Fold() (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &Panic{Offset: s.folding, Value: value}
		}
	}()
	for _, q := range s.queue {
		s.folding = q.offset
		if s.fresh && s.set.Has(Timeline) {
			s.state.Week(q.touch.Week).Whole = true
		}
		s.weight += 160
		s.state.Fold(q.offset, &q.touch)
	}
	s.queue = nil
	return nil
}

// Project appends the mutations that make the read models equal to the subscriber: none when all that was
// queued had been folded before.
func (s *Subscriber) Project(dst []Mutation) []Mutation {
	if s.state.At == s.storedAt {
		return dst
	}
	dst = s.projectCard(dst)
	if s.set.Has(Contacts) {
		dst = s.projectContacts(dst)
	}
	if s.set.Has(Timeline) {
		dst = s.projectTimeline(dst)
	}
	if s.set.Has(Reach) {
		dst = s.projectReach(dst)
	}
	if s.set.Has(Top) {
		dst = s.projectTop(dst)
	}
	return dst
}

// Settle tells that everything projected has been written.
func (s *Subscriber) Settle() {
	s.state.Settle()
	s.stored, s.storedAt = s.state.Card, s.state.At
}

// Weight is about the bytes of memory that the subscriber holds: 600 for itself and 160 for each event, which
// leaves at most one contact and one entry behind.
func (s *Subscriber) Weight() int { return 600 + s.weight }
