package site

import (
	"sync"

	"switchboard/internal/event"
)

// Ledger is what producers have sent, and what of it was acknowledged. An item is written into it before it is sent.
type Ledger struct {
	mu    sync.Mutex
	sent  map[event.ID]bool // true: acknowledged
	acks  int               // acknowledgements, those of duplicates included
	doors map[string]int    // the same by door
}

// NewLedger is empty.
func NewLedger() *Ledger { return &Ledger{sent: map[event.ID]bool{}, doors: map[string]int{}} }

// Sends notes that facts are about to be sent.
func (l *Ledger) Sends(ids ...event.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		if _, known := l.sent[id]; !known {
			l.sent[id] = false
		}
	}
}

// Acknowledged notes that a door has acknowledged them.
func (l *Ledger) Acknowledged(door string, ids ...event.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.sent[id] = true
	}
	l.acks += len(ids)
	l.doors[door] += len(ids)
}

// Acks is how many acknowledgements there were.
func (l *Ledger) Acks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acks
}

// Doors is the same by door.
func (l *Ledger) Doors() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	copied := map[string]int{}
	for door, n := range l.doors {
		copied[door] = n
	}
	return copied
}

// Facts are how many different ones were acknowledged.
func (l *Ledger) Facts() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, acknowledged := range l.sent {
		if acknowledged {
			n++
		}
	}
	return n
}
