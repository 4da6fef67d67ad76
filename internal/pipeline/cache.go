package pipeline

import (
	"container/list"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// cache holds the subjects that a lane knows, bounded by their weight; the least recently used goes
// first. It is valid only for as long as its lane owns the position.
type cache struct {
	limit  int // bytes, about
	weight int
	byID   map[event.Subject]*list.Element
	recent *list.List // of *cached, most recently used in front
}

type cached struct {
	id      event.Subject
	subject view.Subject
	weight  int
}

func newCache(limit int) *cache {
	return &cache{limit: limit, byID: make(map[event.Subject]*list.Element), recent: list.New()}
}

// get is the subject with an id, nil when it is not known.
func (c *cache) get(id event.Subject) view.Subject {
	e := c.byID[id]
	if e == nil {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*cached).subject
}

// put keeps a subject, or notes that it has grown. One that alone weighs more than an eighth of the
// limit is not kept: it would drive out all others.
func (c *cache) put(id event.Subject, s view.Subject) {
	e := c.byID[id]
	if e == nil {
		e = c.recent.PushFront(&cached{id: id, subject: s})
		c.byID[id] = e
	}
	kept := e.Value.(*cached)
	c.weight += s.Weight() - kept.weight
	kept.weight = s.Weight()
	if kept.weight > c.limit/8 {
		c.drop(e)
	}
}

// trim drops subjects until the rest is within the limit.
func (c *cache) trim() {
	for e := c.recent.Back(); e != nil && c.weight > c.limit; e = c.recent.Back() {
		c.drop(e)
	}
}

func (c *cache) drop(e *list.Element) {
	kept := c.recent.Remove(e).(*cached)
	delete(c.byID, kept.id)
	c.weight -= kept.weight
}
