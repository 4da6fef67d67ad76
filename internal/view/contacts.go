package view

import (
	"errors"
	"strconv"
	"strings"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// ContactsKey is the key of a subscriber's contacts, a hash of contact to figures.
func ContactsKey(id event.Subject) string { return "contacts:" + string(id) }

// FormatContact is a contact as stored: calls_in calls_out texts_in texts_out seconds_in seconds_out
// first_ms last_ms, separated by spaces. Up to 64 bytes stay in Redis' compact encoding.
func FormatContact(c *fold.Contact) string {
	var buf [96]byte
	b := buf[:0]
	for _, n := range [...]int64{c.CallsIn, c.CallsOut, c.TextsIn, c.TextsOut, c.SecondsIn, c.SecondsOut, c.FirstMs} {
		b = append(strconv.AppendInt(b, n, 10), ' ')
	}
	return string(strconv.AppendInt(b, c.LastMs, 10))
}

var errContact = errors.New("contacts: a value is not eight numbers")

// ParseContact reads what FormatContact wrote.
func ParseContact(s string) (*fold.Contact, error) {
	c := &fold.Contact{}
	to := [...]*int64{&c.CallsIn, &c.CallsOut, &c.TextsIn, &c.TextsOut, &c.SecondsIn, &c.SecondsOut, &c.FirstMs, &c.LastMs}
	for i, p := range to {
		text, rest, more := strings.Cut(s, " ")
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || more != (i < len(to)-1) {
			return nil, errContact
		}
		*p, s = n, rest
	}
	return c, nil
}

func (s *Subscriber) projectContacts(dst []Mutation) []Mutation {
	if len(s.state.ChangedContacts) == 0 {
		return dst
	}
	args := make([]string, 0, 2*len(s.state.ChangedContacts))
	for _, name := range s.state.ChangedContacts {
		args = append(args, name, FormatContact(s.state.Contacts[name]))
	}
	return append(dst, Mutation{SetFields, ContactsKey(s.id), args})
}
