package fold

import "switchboard/internal/event"

// Card is the head record of a subscriber.
type Card struct {
	Sums
	Contacts   int64 // distinct contacts; 0 without the contacts view
	Withheld   int64 // reports without a contact
	Amended    int64 // timeline entries that an amendment replaced or asserted
	Duplicates int64 // events that changed nothing; not part of the canonical hash
}

// Contact is a subscriber-counterpart pair.
type Contact struct {
	Sums
	changed bool
}

// Timeline is what is known of one week of a subscriber's timeline.
type Timeline struct {
	Count  int64 // reports of the week
	Stored int64 // the same as the read models have it
	// Whole: every entry of the week is in Present. So for a week that was empty when it was
	// loaded; nobody then has to be asked whether an entry exists.
	Whole   bool
	Present map[EntryID]bool   // known answers to "is it there?"
	Entries map[EntryID]*Entry // known contents, a subset; nil: none
	Changed []EntryID          // entries written since the last Settle, in order
}

// Options say what is kept. They stand in the position of a generation and never change within it.
type Options struct {
	Contacts bool
	Timeline bool // without it neither duplicates nor amendments are recognised
}

// Subscriber is what is kept about one subscriber, as far as it is loaded. Whoever folds an event
// must have loaded what TouchOf names.
type Subscriber struct {
	At   int64 // offset of the last event folded in; -1: none
	Card Card

	Weeks        map[event.Week]*Timeline
	ChangedWeeks []event.Week // with entries written since the last Settle, in order
	// AllContacts: every contact is in Contacts. So for a subscriber that was new when it was loaded.
	AllContacts     bool
	Contacts        map[string]*Contact // nil value: known to be none
	ChangedContacts []string            // written since the last Settle, in order
	NewContacts     []string            // of these, the ones that were none before

	options Options
}

// NewSubscriber is a subscriber of whom nothing is known.
func NewSubscriber(o Options) *Subscriber {
	return &Subscriber{At: -1, Weeks: make(map[event.Week]*Timeline), Contacts: make(map[string]*Contact), options: o}
}

// Week is what is known of a week of the timeline; it is created when missing.
func (s *Subscriber) Week(w event.Week) *Timeline {
	t := s.Weeks[w]
	if t == nil {
		t = &Timeline{Present: make(map[EntryID]bool)}
		s.Weeks[w] = t
	}
	return t
}

// Fold takes in the event at an offset. An event at or below At has been folded before, and changes nothing. The touch is the
// subscriber's from then on.
func (s *Subscriber) Fold(offset int64, t *Touch) {
	if offset <= s.At {
		return
	}
	s.At = offset
	if !s.options.Timeline {
		s.foldUnchecked(t)
		return
	}
	week := s.Week(t.Week)
	switch {
	case !week.Present[t.Entry]:
		s.assert(week, t)
	case t.amendment && t.report.supersedes(week.Entries[t.Entry]):
		s.amend(week, t)
	default:
		s.Card.Duplicates++
	}
}

// assert adds a report that is not there yet, as its original or an amendment of it says.
func (s *Subscriber) assert(week *Timeline, t *Touch) {
	s.count(t)
	if t.amendment {
		s.Card.Amended++
	}
	week.Count++
	s.put(week, t)
}

// amend replaces a report by what an amendment says. Its kind, direction, counterpart and start are the same.
func (s *Subscriber) amend(week *Timeline, t *Touch) {
	old := week.Entries[t.Entry]
	more := t.report.Seconds - old.Seconds
	s.Card.lengthen(t.report.Direction, more)
	if more != 0 && t.Contact != "" && s.options.Contacts {
		s.Contacts[t.Contact].lengthen(t.report.Direction, more)
		s.contactChanged(t.Contact)
	}
	if old.Revision == 0 {
		s.Card.Amended++
	}
	s.put(week, t)
}

// put writes an entry of the timeline, replacing what was there.
func (s *Subscriber) put(week *Timeline, t *Touch) {
	if len(week.Changed) == 0 {
		s.ChangedWeeks = append(s.ChangedWeeks, t.Week)
	}
	old := week.Entries[t.Entry]
	if old == nil || !old.changed {
		week.Changed = append(week.Changed, t.Entry)
	}
	t.report.changed = true
	week.Present[t.Entry] = true
	week.Know(t.Entry, &t.report)
}

// Know keeps what an entry holds.
func (t *Timeline) Know(id EntryID, e *Entry) {
	if t.Entries == nil {
		t.Entries = make(map[EntryID]*Entry)
	}
	t.Entries[id] = e
}

func (s *Subscriber) contactChanged(name string) {
	if c := s.Contacts[name]; !c.changed {
		c.changed = true
		s.ChangedContacts = append(s.ChangedContacts, name)
	}
}

// count adds a report to the sums.
func (s *Subscriber) count(t *Touch) {
	s.Card.add(&t.report)
	if t.Contact == "" {
		s.Card.Withheld++
		return
	}
	if !s.options.Contacts {
		return
	}
	c := s.Contacts[t.Contact]
	if c == nil {
		c = &Contact{}
		s.Contacts[t.Contact] = c
		s.Card.Contacts++
		s.NewContacts = append(s.NewContacts, t.Contact)
	}
	c.add(&t.report)
	s.contactChanged(t.Contact)
}

// foldUnchecked is for logs known to be free of duplicates; an amendment is counted and ignored.
func (s *Subscriber) foldUnchecked(t *Touch) {
	if t.amendment {
		s.Card.Amended++
		return
	}
	s.count(t)
}

// Settle forgets what has changed, once it has been written, and the contents of the entries
// written, which are seldom needed again.
func (s *Subscriber) Settle() {
	for _, name := range s.ChangedContacts {
		s.Contacts[name].changed = false
	}
	for _, w := range s.ChangedWeeks {
		week := s.Weeks[w]
		for _, id := range week.Changed {
			delete(week.Entries, id)
		}
		week.Changed, week.Stored = week.Changed[:0], week.Count
	}
	s.ChangedContacts, s.NewContacts, s.ChangedWeeks = s.ChangedContacts[:0], s.NewContacts[:0], s.ChangedWeeks[:0]
}
