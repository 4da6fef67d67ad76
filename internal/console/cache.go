package console

import (
	"container/list"
	"sync"

	"switchboard/internal/event"
)

// cacheKey names a computed answer. A subscriber at @ in a generation never changes, so that nothing ever expires.
type cacheKey struct {
	partition  event.Partition
	generation string
	subject    event.Subject
	at         int64
	period     string
	what       string
}

// cache keeps the answers used last. Values are never changed.
type cache struct {
	mu    sync.Mutex
	size  int
	order *list.List // of *cached, most recent first
	byKey map[cacheKey]*list.Element
}

type cached struct {
	key   cacheKey
	value any
}

func newCache(size int) *cache {
	return &cache{size: size, order: list.New(), byKey: make(map[cacheKey]*list.Element)}
}

func (c *cache) get(k cacheKey) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[k]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).value, true
}

func (c *cache) put(k cacheKey, value any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[k]; ok {
		e.Value.(*cached).value = value
		c.order.MoveToFront(e)
		return
	}
	c.byKey[k] = c.order.PushFront(&cached{k, value})
	if c.order.Len() > c.size {
		last := c.order.Back()
		delete(c.byKey, last.Value.(*cached).key)
		c.order.Remove(last)
	}
}
