package pipeline

import (
	"container/list"
	"hash/maphash"

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

	// complete: the read models were empty when the tenure began, so that a subject that is neither here nor in gone is
	// stored nowhere, and nobody has to be asked. Folding a log into an empty Redis reads nothing then, but subjects that were dropped.
	complete bool
	gone     map[uint64]struct{} // hashes of subjects that were dropped; one too many costs a read
	seed     maphash.Seed
}

// goneWeight is about the bytes of one entry of gone.
const goneWeight = 20

type cached struct {
	id      event.Subject
	subject view.Subject
	weight  int
}

func newCache(limit int) *cache {
	return &cache{limit: limit, byID: make(map[event.Subject]*list.Element), recent: list.New()}
}

// newCompleteCache is the cache of a lane whose read models hold nothing yet.
func newCompleteCache(limit int) *cache {
	c := newCache(limit)
	c.complete, c.gone, c.seed = true, make(map[uint64]struct{}), maphash.MakeSeed()
	return c
}

// absent tells that nothing of a subject which get does not know is stored. false: it may be.
func (c *cache) absent(id event.Subject) bool {
	if !c.complete {
		return false
	}
	_, dropped := c.gone[maphash.String(c.seed, string(id))]
	return !dropped
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
	if c.complete {
		c.remember(kept.id)
	}
}

// remember notes a subject that was dropped, until that takes a quarter of the limit.
func (c *cache) remember(id event.Subject) {
	before := len(c.gone)
	c.gone[maphash.String(c.seed, string(id))] = struct{}{}
	c.weight += goneWeight * (len(c.gone) - before)
	if len(c.gone)*goneWeight > c.limit/4 {
		c.weight -= len(c.gone) * goneWeight
		c.complete, c.gone = false, nil
	}
}
