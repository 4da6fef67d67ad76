package intake

import "switchboard/internal/event"

const (
	// maxRun bounds the different facts of one run of equal times that are remembered.
	maxRun = 1 << 17
	// window is how many facts back a duplicate is recognised.
	window = 1 << 16
)

// sightings remembers facts of a file in bounded memory: those of the current run of equal times,
// with how often each was there, and the ids of the last 65,536. Duplicates farther apart are not
// counted here; the fold recognises them like any other.
type sightings struct {
	at   int64
	run  map[event.ID]int32
	last map[event.ID]struct{}
	ring []event.ID
	next int
}

// inRun tells how often the fact stood in the run of equal times before; tracked is false when the
// run is too long to say.
func (s *sightings) inRun(at int64, id event.ID) (times int32, tracked bool) {
	if s.run == nil || at != s.at {
		s.at = at
		if len(s.run) > 1024 || s.run == nil {
			s.run = make(map[event.ID]int32) // clear would go over all its buckets, row after row
		} else {
			clear(s.run)
		}
	}
	n, known := s.run[id]
	if !known && len(s.run) >= maxRun {
		return 0, false
	}
	s.run[id] = n + 1
	return n, true
}

// before tells whether the fact is among the last ones, and remembers it.
func (s *sightings) before(id event.ID) bool {
	if s.last == nil {
		s.last, s.ring = make(map[event.ID]struct{}), make([]event.ID, window)
	}
	if _, known := s.last[id]; known {
		return true
	}
	delete(s.last, s.ring[s.next]) // the zero id is nobody's
	s.last[id] = struct{}{}
	s.ring[s.next] = id
	s.next = (s.next + 1) % window
	return false
}
