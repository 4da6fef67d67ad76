package pipeline

import (
	"container/list"
	"hash/maphash"
	"sync/atomic"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// CacheBudget is the memory, in bytes, about, that the caches of all lanes of a process have together. While it suffices nobody is
// bounded; when it is used up, caches that hold more than an equal share forget. So a busy lane, or one with a busy subject, uses what idle ones do not need.
type CacheBudget struct {
	bytes        int64
	used, caches atomic.Int64
}

// NewCacheBudget is a budget of so many bytes.
func NewCacheBudget(bytes int) *CacheBudget {
	return &CacheBudget{bytes: int64(bytes)}
}

func (b *CacheBudget) share() int { return int(b.bytes / max(b.caches.Load(), 1)) }

// exceeded tells a cache of a weight whether it must forget something.
func (b *CacheBudget) exceeded(weight int) bool {
	return b.used.Load() > b.bytes && weight > b.share()
}

// cache holds the subjects that a lane knows, bounded by the budget; the least recently used goes
// first. It is valid only for as long as its lane owns the position.
type cache struct {
	budget *CacheBudget
	weight int // bytes, about; a part of the budget
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

func newCache(b *CacheBudget) *cache {
	b.caches.Add(1)
	return &cache{budget: b, byID: make(map[event.Subject]*list.Element), recent: list.New()}
}

// newCompleteCache is the cache of a lane whose read models hold nothing yet.
func newCompleteCache(b *CacheBudget) *cache {
	c := newCache(b)
	c.complete, c.gone, c.seed = true, make(map[uint64]struct{}), maphash.MakeSeed()
	return c
}

// close gives the budget back. The cache is not used any more.
func (c *cache) close() {
	c.weigh(-c.weight)
	c.budget.caches.Add(-1)
}

func (c *cache) weigh(more int) {
	c.weight += more
	c.budget.used.Add(int64(more))
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
// budget is not kept: it would drive out all others.
func (c *cache) put(id event.Subject, s view.Subject) {
	e := c.byID[id]
	if e == nil {
		e = c.recent.PushFront(&cached{id: id, subject: s})
		c.byID[id] = e
	}
	kept := e.Value.(*cached)
	c.weigh(s.Weight() - kept.weight)
	kept.weight = s.Weight()
	if kept.weight > int(c.budget.bytes/8) {
		c.drop(e)
	}
}

// trim drops subjects until the rest is within the budget.
func (c *cache) trim() {
	for e := c.recent.Back(); e != nil && c.budget.exceeded(c.weight); e = c.recent.Back() {
		c.drop(e)
	}
}

func (c *cache) drop(e *list.Element) {
	kept := c.recent.Remove(e).(*cached)
	delete(c.byID, kept.id)
	c.weigh(-kept.weight)
	if c.complete {
		c.remember(kept.id)
	}
}

// remember notes a subject that was dropped, until that takes a quarter of the lane's share.
func (c *cache) remember(id event.Subject) {
	before := len(c.gone)
	c.gone[maphash.String(c.seed, string(id))] = struct{}{}
	c.weigh(goneWeight * (len(c.gone) - before))
	if len(c.gone)*goneWeight > c.budget.share()/4 {
		c.weigh(-len(c.gone) * goneWeight)
		c.complete, c.gone = false, nil
	}
}
