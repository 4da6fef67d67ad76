package pipeline

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// heavy is a subject of which only the weight matters; all else would panic.
type heavy struct {
	view.Subject
	weight int
}

func (h *heavy) Weight() int { return h.weight }

func TestCacheForgetsTheLeastRecentlyUsed(t *testing.T) {
	c := newCache(NewCacheBudget(800))
	for i := range 10 {
		c.put(event.Subject(fmt.Sprint(i)), &heavy{weight: 100})
	}
	if c.get("0") == nil {
		t.Fatal("what is over the limit stays until trim: a batch may need it")
	}
	c.trim()
	for id, known := range map[event.Subject]bool{"0": true, "1": false, "2": false, "3": true, "9": true} {
		if got := c.get(id) != nil; got != known {
			t.Errorf("%s known: %t, want %t", id, got, known)
		}
	}
	if c.weight != 800 || len(c.byID) != 8 || c.recent.Len() != 8 {
		t.Errorf("weight %d, %d subjects, %d in the list", c.weight, len(c.byID), c.recent.Len())
	}
}

func TestCacheKeepsNoGiant(t *testing.T) {
	c := newCache(NewCacheBudget(800))
	small, giant := &heavy{weight: 10}, &heavy{weight: 101}
	c.put("small", small)
	c.put("giant", giant)
	if c.get("giant") != nil || c.get("small") == nil || c.weight != 10 {
		t.Errorf("giant kept: %t, small kept: %t, weight %d", c.get("giant") != nil, c.get("small") != nil, c.weight)
	}
	small.weight = 100 // grown within what one may weigh
	c.put("small", small)
	if c.get("small") == nil || c.weight != 100 {
		t.Errorf("weight %d after growing", c.weight)
	}
	small.weight = 500
	c.put("small", small)
	if c.get("small") != nil || c.weight != 0 || c.recent.Len() != 0 {
		t.Errorf("it outgrew the cache and is kept: weight %d", c.weight)
	}
	newCache(NewCacheBudget(0)).put("any", small)
}

// The sum of weights is that of what is kept, whatever happened.
func TestCacheWeight(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := newCache(NewCacheBudget(10_000))
	known := map[event.Subject]*heavy{}
	for range 20_000 {
		id := event.Subject(fmt.Sprint(r.IntN(300)))
		if known[id] == nil {
			known[id] = &heavy{}
		}
		switch got := c.get(id); {
		case got == nil:
			known[id] = &heavy{weight: 1 + r.IntN(40)}
		case got.(*heavy) != known[id]:
			t.Fatalf("%s is not the one that was put last", id)
		}
		known[id].weight += r.IntN(30)
		c.put(id, known[id])
		if r.IntN(50) == 0 {
			c.trim()
			if c.weight > c.budget.share() {
				t.Fatalf("weight %d after trim", c.weight)
			}
		}
	}
	sum := 0
	for id := range c.byID {
		sum += c.get(id).Weight()
	}
	if sum != c.weight || len(c.byID) != c.recent.Len() || len(c.byID) == 0 {
		t.Errorf("weight %d, really %d, of %d and %d", c.weight, sum, len(c.byID), c.recent.Len())
	}
}

// A complete cache knows of every subject that it dropped that it may be stored, until there are too many of them.
func TestCompleteCache(t *testing.T) {
	c := newCompleteCache(NewCacheBudget(10_000))
	for i := range 50 {
		id := event.Subject(fmt.Sprint(i))
		if !c.absent(id) {
			t.Fatalf("%s was never put, and may be stored", id)
		}
		c.put(id, &heavy{weight: 400})
	}
	c.trim()
	if c.weight > c.budget.share() {
		t.Errorf("weight %d after trim", c.weight)
	}
	dropped := 0
	for i := range 50 {
		if id := event.Subject(fmt.Sprint(i)); c.get(id) == nil {
			dropped++
			if c.absent(id) {
				t.Errorf("%s was dropped, and counts as stored nowhere", id)
			}
		}
	}
	if dropped == 0 || c.weight != 400*(50-dropped)+goneWeight*dropped {
		t.Errorf("%d dropped, weight %d", dropped, c.weight)
	}
	for i := range 200 {
		c.put(event.Subject(fmt.Sprint("giant", i)), &heavy{weight: 2000})
	}
	if c.complete || c.absent("never put") || c.weight > c.budget.share() {
		t.Errorf("complete %t with %d dropped, weight %d", c.complete, len(c.gone), c.weight)
	}
	if newCache(NewCacheBudget(100)).absent("any") {
		t.Error("a cache that is not complete knows nothing")
	}
}

// What idle lanes do not need is there for a busy one; when nothing is left, only what holds more than its share gives way, and what was
// closed is free again.
func TestCachesShareABudget(t *testing.T) {
	b := NewCacheBudget(1000)
	busy, idle := newCache(b), newCache(b)
	idle.put("idle", &heavy{weight: 100})
	for i := range 8 {
		busy.put(event.Subject(fmt.Sprint(i)), &heavy{weight: 100})
	}
	if busy.trim(); busy.weight != 800 {
		t.Errorf("the busy one holds %d while there is room", busy.weight)
	}
	for i := range 4 {
		idle.put(event.Subject(fmt.Sprint("more", i)), &heavy{weight: 100})
	}
	if idle.trim(); idle.weight != 500 {
		t.Errorf("one that holds its share, 500, had to give way: %d", idle.weight)
	}
	if busy.trim(); busy.weight != 500 || b.used.Load() != 1000 {
		t.Errorf("the busy one holds %d, all %d, want 500 and 1000", busy.weight, b.used.Load())
	}
	idle.close()
	if b.used.Load() != 500 || b.share() != 1000 {
		t.Errorf("%d are used and a share is %d, want 500 and 1000", b.used.Load(), b.share())
	}
}
