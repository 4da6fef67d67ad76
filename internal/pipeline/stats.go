package pipeline

import (
	"sync"
	"sync/atomic"
	"time"
)

// State is what a lane is doing.
type State int32

// The states.
const (
	Claiming State = iota
	CatchingUp
	Live
	StoppedState
)

func (s State) String() string { return [...]string{"claiming", "catching up", "live", "stopped"}[s] }

// Stats is what can be seen of a lane from outside. Its methods may be called from any goroutine.
type Stats struct {
	events, batches, mutations, leaseChecks, rollbacks, generations, flips, deadLetters, tombstones atomic.Int64
	commits, claims                                                                                 [6]atomic.Int64 // by outcome
	commitNanos                                                                                     atomic.Int64
	state                                                                                           atomic.Int32
	burying                                                                                         atomic.Int64 // since when, Unix nanoseconds; 0: not

	mu        sync.Mutex
	next      int64
	end       int64
	rebuildTo int64
	reported  int64
	stopped   *Stopped
	decision  Decision
	building  Generation
	buildNext int64
}

// NewStats is the statistics of a lane that has done nothing yet.
func NewStats() *Stats { return &Stats{next: -1, reported: -1} }

// Snapshot is the statistics at one moment.
type Snapshot struct {
	State                               State
	Next, End, RebuildTo                int64 // Next is -1 before the first claim
	Events, Batches, Mutations          int64
	LeaseChecks, Rollbacks, Generations int64
	DeadLetters, Tombstones             int64
	Commits, Claims                     map[string]int64 // by outcome
	CommitTime                          time.Duration    // sum
	Stopped                             *Stopped         // why, when the lane has stopped
	Flips                               int64
	Decision                            Decision   // the last one
	Building                            Generation // "" when none is built
	BuildNext                           int64
	DeadLettersLate                     bool // the lane waits for its dead letters to be acknowledged, and has for a while
}

// Snapshot reads the statistics.
func (s *Stats) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Snapshot{
		State: State(s.state.Load()), Next: s.next, End: s.end, RebuildTo: s.rebuildTo, Stopped: s.stopped,
		Flips: s.flips.Load(), Decision: s.decision, Building: s.building, BuildNext: s.buildNext,
		Events: s.events.Load(), Batches: s.batches.Load(), Mutations: s.mutations.Load(), LeaseChecks: s.leaseChecks.Load(),
		Rollbacks: s.rollbacks.Load(), Generations: s.generations.Load(), DeadLetters: s.deadLetters.Load(), Tombstones: s.tombstones.Load(),
		DeadLettersLate: late(s.burying.Load()), CommitTime: time.Duration(s.commitNanos.Load()), Commits: map[string]int64{}, Claims: map[string]int64{},
	}
	for o := range s.commits {
		out.Commits[Outcome(o).String()] = s.commits[o].Load()
		out.Claims[Outcome(o).String()] = s.claims[o].Load()
	}
	return out
}

func late(since int64) bool { return since != 0 && time.Since(time.Unix(0, since)) > buryingIsLate }

func (s *Stats) setState(state State) { s.state.Store(int32(state)) }

// claiming is the state before a claim; a lane that is stopped only looks.
func (s *Stats) claiming() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped == nil {
		s.setState(Claiming)
	}
}

func (s *Stats) claimed(o Outcome) { s.claims[o].Add(1) }

func (s *Stats) committed(o Outcome, took time.Duration, mutations int) {
	s.commits[o].Add(1)
	s.commitNanos.Add(int64(took))
	s.mutations.Add(int64(mutations))
}

func (s *Stats) buried(letters []DeadLetter) { s.deadLetters.Add(int64(len(letters))) }

func (s *Stats) applied(events int, p *Progress, rebuildTo int64, builder bool) {
	s.events.Add(int64(events))
	s.batches.Add(1)
	if builder {
		return
	}
	s.tombstones.Store(p.Tombstones)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next, s.end, s.rebuildTo = p.Next, p.HighWatermark, rebuildTo
}

func (s *Stats) report(next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reported = next
}

// decided notes a decision; what was built before it is built no more.
func (s *Stats) decided(d *Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decision, s.building = *d, ""
}

// reached notes how far a lane is.
func (s *Stats) reached(g Generation, next int64, builder bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped != nil {
		s.stopped = nil
		s.setState(Claiming)
	}
	if builder {
		s.building, s.buildNext = g, next
	} else {
		s.next = next
	}
}

// lastReport is -1 before the first report.
func (s *Stats) lastReport() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reported
}

// stop tells whether it is news.
func (s *Stats) stop(why *Stopped) bool {
	s.setState(StoppedState)
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.stopped == nil || *s.stopped != *why
	s.stopped = why
	return news
}
