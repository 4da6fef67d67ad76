package fold

import "switchboard/internal/event"

// Sums are the figures that a card and a contact have in common. Texts have no seconds.
type Sums struct {
	CallsIn, CallsOut     int64
	TextsIn, TextsOut     int64
	SecondsIn, SecondsOut int64
	FirstMs, LastMs       int64 // start of the first and the last report, Unix milliseconds
}

// Reports is how many reports were summed.
func (s *Sums) Reports() int64 { return s.CallsIn + s.CallsOut + s.TextsIn + s.TextsOut }

// add counts one report.
func (s *Sums) add(e *Entry) {
	if s.Reports() == 0 {
		s.FirstMs, s.LastMs = e.StartMs, e.StartMs
	}
	s.FirstMs, s.LastMs = min(s.FirstMs, e.StartMs), max(s.LastMs, e.StartMs)
	switch {
	case e.Kind == event.Call && e.Direction == event.In:
		s.CallsIn++
	case e.Kind == event.Call:
		s.CallsOut++
	case e.Direction == event.In:
		s.TextsIn++
	default:
		s.TextsOut++
	}
	s.lengthen(e.Direction, e.Seconds)
}

// lengthen adds to the seconds of one direction; an amendment adds a difference, which may be negative.
func (s *Sums) lengthen(d event.Direction, seconds int64) {
	if d == event.In {
		s.SecondsIn += seconds
	} else {
		s.SecondsOut += seconds
	}
}
