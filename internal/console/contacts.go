package console

import (
	"context"
	"fmt"
	"io"

	"switchboard/internal/fold"
	"switchboard/internal/indicator"
)

// ContactsAnswer is the contacts of a subscriber.
type ContactsAnswer struct {
	Meta
	About
	By       string    `json:"by"`
	Total    int       `json:"total"` // contacts; the list may be shorter
	Contacts []Contact `json:"contacts"`
	Read     *int      `json:"reports_read,omitempty"` // of a period
}

// Contact is one contact with its figures.
type Contact struct {
	Contact string `json:"contact"`
	Figures
}

// Contacts answers with a subscriber's contacts, by reports (or calls, texts, seconds, last, name), the first Limit of
// them. Of a period the figures are computed from its reports.
func (c *Console) Contacts(ctx context.Context, q Query) (*ContactsAnswer, error) {
	if err := c.subject(&q); err != nil {
		return nil, err
	}
	if err := q.choose(orders...); err != nil {
		return nil, err
	}
	if err := c.await(ctx, &q, c.ports.Partition(q.Subject)); err != nil {
		return nil, err
	}
	a := &ContactsAnswer{By: q.By}
	list := best{by: q.By, limit: q.Limit}
	if q.Period != (indicator.Period{}) {
		if err := c.contactsOfPeriod(ctx, &q, a, &list); err != nil {
			return nil, err
		}
	} else {
		reading, err := c.ports.Contacts(ctx, q.Subject, func(name string, contact *fold.Contact) error {
			list.add(named{name, figuresOf(&contact.Sums)})
			return nil
		}, func() { list = best{by: q.By, limit: q.Limit} })
		if err != nil {
			return nil, err
		}
		a.Meta, a.About = c.meta(&q, reading.Cut), subscriberOf(&q, &reading)
	}
	first := list.first()
	a.Total, a.Contacts = list.total, make([]Contact, len(first))
	for i, n := range first {
		a.Contacts[i] = Contact{n.name, n.Figures}
	}
	return a, nil
}

func (c *Console) contactsOfPeriod(ctx context.Context, q *Query, a *ContactsAnswer, list *best) error {
	figures := map[string]*Figures{}
	a.Read = new(int)
	reading, err := c.walk(ctx, q, func(_ fold.EntryID, e *fold.Entry) error {
		*a.Read++
		if !isContact(e.Counterpart) {
			return nil
		}
		f := figures[e.Counterpart]
		if f == nil {
			f = &Figures{}
			figures[e.Counterpart] = f
		}
		f.add(e)
		return nil
	}, func() { *a.Read = 0; clear(figures) })
	if err != nil {
		return err
	}
	for name, f := range figures {
		list.add(named{name, *f})
	}
	a.Meta, a.About = c.meta(q, reading.Cut), subscriberOf(q, &reading)
	return nil
}

// Text shows the contacts as a table.
func (a *ContactsAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	right := counted(a.Total, "contact")
	if len(a.Contacts) < a.Total {
		right = fmt.Sprintf("first %d of %s, by %s", len(a.Contacts), count(int64(a.Total)), a.By)
	}
	if a.head(p, "Contacts", right) && len(a.Contacts) > 0 {
		list := make([]named, len(a.Contacts))
		for i, c := range a.Contacts {
			list[i] = named{c.Contact, c.Figures}
		}
		p.figures("contact", a.By, list)
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}
