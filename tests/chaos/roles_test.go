package chaos

import (
	"regexp"
	"sync"
	"syscall"
	"time"

	"switchboard/internal/event"
	"switchboard/tests/site"
)

// slot is the place of a process that a supervisor keeps alive.
type slot struct {
	r    *run
	role string
	env  []string

	mu     sync.Mutex
	now    *site.Process
	ready  chan struct{} // closed: it may start
	wanted bool          // its end was
	over   bool
}

func newSlot(r *run, role string, env ...string) *slot {
	s := &slot{r: r, role: role, env: env, ready: make(chan struct{})}
	close(s.ready)
	s.now = r.Start(role, env...)
	r.background.Go(s.supervise)
	return s
}

// supervise starts it again whenever it has ended, as systemd does.
func (s *slot) supervise() {
	for {
		p := s.process()
		<-p.Dead()
		s.mu.Lock()
		over, wanted, ready := s.over, s.wanted, s.ready
		s.wanted = false
		s.mu.Unlock()
		if over || s.r.Failed() {
			return
		}
		if !wanted {
			s.r.count("a role ended by itself: " + s.role)
		}
		<-ready
		time.Sleep(300 * time.Millisecond)
		s.mu.Lock()
		if s.over {
			s.mu.Unlock()
			return
		}
		s.now = s.r.Start(s.role, s.env...)
		s.mu.Unlock()
	}
}

func (s *slot) process() *site.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// down ends it by a signal; it stays away until up.
func (s *slot) down(sig syscall.Signal) {
	s.mu.Lock()
	p := s.now
	s.ready, s.wanted = make(chan struct{}), true
	s.mu.Unlock()
	p.Signal(sig)
}

func (s *slot) up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ready)
}

// kill is kill -9; it is started again at once.
func (s *slot) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = true
	s.now.Signal(syscall.SIGKILL)
}

// end is SIGTERM, after which nobody starts it again.
func (s *slot) end() {
	s.mu.Lock()
	s.over = true
	p := s.now
	s.mu.Unlock()
	p.Stop()
}

var folding = regexp.MustCompile(`(?m)^switchboard_processor_lane_state\{.*state="(?:live|catching up)",topic_partition="([^"]+)"\} 1$`)

// partitionsOf are those that a processor folds, none while it does not answer.
func (r *run) partitionsOf(p *site.Process) (list []event.Partition) {
	_, text, _ := p.Get("/metrics")
	for _, m := range folding.FindAllStringSubmatch(text, -1) {
		id, err := event.ParsePartition(m[1])
		r.must(err)
		list = append(list, id)
	}
	return list
}
