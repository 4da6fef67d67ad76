package snapshot

import (
	"maps"
	"sync"
	"time"
)

// Stats is what can be seen of a lane from outside. Its methods may be called from any goroutine.
type Stats struct {
	mu sync.Mutex
	s  Seen
}

// Seen is the statistics at one moment.
type Seen struct {
	Known            bool  // a snapshot to begin with has been looked for
	Position         int64 // offset that is taken in next
	Snapshot         int64 // position of the newest snapshot of this lane; -1: none yet
	CreatedMs        int64 // when it was made
	Fields           int64 // of it
	Packed           int64 // bytes in the topic of it
	TailEvents       int64
	TailBytes        int64
	Skipped          int64
	Margin           Margin
	Near             bool
	Made             map[string]int64 // by trigger
	Failures         int64
	BuildTime        time.Duration
	ChunksWritten    int64
	ChunksKept       int64
	WrittenBytes     int64
	PeakBucketBytes  int64
	Refused          map[Reason]int64
	RemovedManifests int64
	RemovedChunks    int64
}

// NewStats is the statistics of a lane that has done nothing yet.
func NewStats() *Stats {
	return &Stats{s: Seen{Snapshot: -1, Made: make(map[string]int64), Refused: make(map[Reason]int64)}}
}

// See reads the statistics.
func (s *Stats) See() Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.s
	out.Made, out.Refused = maps.Clone(out.Made), maps.Clone(out.Refused)
	return out
}

func (s *Stats) change(f func(*Seen)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.s)
}

func (s *Stats) based(m *Manifest) {
	s.change(func(v *Seen) {
		v.Known = true
		if v.Snapshot, v.CreatedMs, v.Fields, v.Packed = -1, 0, m.Fields(), m.Packed(); m.Offset >= 0 {
			v.Snapshot, v.CreatedMs = m.Next, m.CreatedMs
		}
	})
}

func (s *Stats) tail(h *holding) {
	s.change(func(v *Seen) {
		v.Position, v.TailEvents, v.TailBytes, v.Skipped = h.progress.Next, int64(h.tail.Events), h.tail.Bytes(), h.progress.Skipped
	})
}

func (s *Stats) made(trigger string, took time.Duration, w *Written) {
	s.change(func(v *Seen) {
		v.Made[trigger]++
		v.BuildTime += took
		v.ChunksWritten += int64(w.Chunks)
		v.ChunksKept += int64(w.Kept)
		v.WrittenBytes += w.Bytes
		v.PeakBucketBytes = max(v.PeakBucketBytes, w.Peak)
	})
}

func (s *Stats) failed() { s.change(func(v *Seen) { v.Failures++ }) }

func (s *Stats) refusals(list []Refusal) {
	s.change(func(v *Seen) {
		for _, r := range list {
			v.Refused[r.Reason]++
		}
	})
}

func (s *Stats) cleaned(c *Cleaned) {
	s.change(func(v *Seen) {
		v.RemovedManifests += int64(c.Retired)
		v.RemovedChunks += int64(c.Chunks)
	})
}

// watch notes the margin, and tells whether it has just become near.
func (s *Stats) watch(m Margin, near bool) (news bool) {
	s.change(func(v *Seen) {
		news = near && !v.Near
		v.Margin, v.Near = m, near
	})
	return news
}
