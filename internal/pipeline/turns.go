package pipeline

import (
	"context"
	"sync"
)

// Turns bound the events of large batches that the lanes of a process fold at one time: the subjects of a batch are what takes memory. A lane
// whose batch brings it to the head of the log comes first, so that being nearly there is soon over; then the one that is furthest
// behind, which alone would need longest.
type Turns struct {
	mu      sync.Mutex
	free    int
	waiting []*turn
}

type turn struct {
	events int
	lag    int64 // behind the batch; 0: none
	given  chan struct{}
}

// NewTurns allow so many events at one time; at least one batch.
func NewTurns(events int) *Turns { return &Turns{free: events} }

// Try takes a turn if nobody waits for one, and there is room.
func (t *Turns) Try(events int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) > 0 || events > t.free {
		return false
	}
	t.free -= events
	return true
}

// Take waits until so many events may be folded, by a lane that is then still lag events behind. false: ctx is done.
func (t *Turns) Take(ctx context.Context, events int, lag int64) bool {
	own := &turn{events: events, lag: lag, given: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, own)
	t.give()
	t.mu.Unlock()
	select {
	case <-own.given:
		return true
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, w := range t.waiting {
		if w == own {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			t.give() // it may have been in the way
			return false
		}
	}
	t.free += events // given meanwhile
	t.give()
	return false
}

// Return ends a turn.
func (t *Turns) Return(events int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free += events
	t.give()
}

// Waiting is how many lanes wait for their turn.
func (t *Turns) Waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting)
}

// give gives turns while there is room for the one whose turn it is; nobody overtakes it, so that a large batch is not starved by small ones.
func (t *Turns) give() {
	for len(t.waiting) > 0 {
		first := 0
		for i, w := range t.waiting {
			if w.before(t.waiting[first]) {
				first = i
			}
		}
		w := t.waiting[first]
		if w.events > t.free {
			return
		}
		t.free -= w.events
		t.waiting = append(t.waiting[:first], t.waiting[first+1:]...)
		close(w.given)
	}
}

func (a *turn) before(b *turn) bool {
	if (a.lag == 0) != (b.lag == 0) {
		return a.lag == 0
	}
	return a.lag > b.lag
}
