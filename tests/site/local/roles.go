package local

import (
	"context"
	"testing"
	"time"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/pipeline"
)

// Running is a role that runs in this process, or ran.
type Running struct {
	site *Site
	name string
	stop context.CancelFunc
	done chan struct{} // closed when it has ended
	err  error         // how
	told bool          // the test knows
}

// Run runs a role until it is stopped. The test fails when it ends with an error that nobody asks for.
func (s *Site) Run(name string, role func(context.Context) error) *Running {
	ctx, stop := context.WithCancel(context.Background())
	r := &Running{site: s, name: name, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = role(ctx)
	}()
	t := s.TB // that of now: it may be another one later
	t.Cleanup(func() {
		stop()
		if err := r.wait(t); err != nil && !r.told {
			t.Errorf("the %s ended with %v", name, err)
		}
	})
	return r
}

func (r *Running) wait(t testing.TB) error {
	t.Helper()
	select {
	case <-r.done:
		return r.err
	case <-time.After(Patience):
		t.Fatalf("the %s goes on", r.name)
		return nil
	}
}

// Ended waits until it has ended, and says how.
func (r *Running) Ended() error {
	r.site.Helper()
	r.told = true
	return r.wait(r.site)
}

// Stop ends it as SIGTERM does. It must end well.
func (r *Running) Stop() {
	r.site.Helper()
	r.stop()
	if err := r.Ended(); err != nil {
		r.site.Fatalf("the %s ended with %v", r.name, err)
	}
}

// Start starts the processor.
func (s *Site) Start() {
	s.Processor = &app.Processor{Config: s.Config, Logger: s.Logger, Version: "test", RedisDial: s.RedisDial}
	s.running = s.Run("processor", s.Processor.Run)
}

// Halt stops the processor.
func (s *Site) Halt() {
	s.Helper()
	s.running.Stop()
}

// Ended waits until the processor has ended, and says how.
func (s *Site) Ended() error {
	s.Helper()
	return s.running.Ended()
}

// Lane is what the processor says of a partition.
func (s *Site) Lane(n int32) pipeline.Snapshot { return s.Processor.Lanes()[s.Partition(n)] }

// Ingest is a running one.
type Ingest struct {
	*app.Ingest
	*Running
	URL string // where it takes reports
}

// Ingest starts one, which reaches Kafka through dial unless that is nil.
func (s *Site) Ingest(dial app.Dialer) *Ingest {
	s.Helper()
	at := make(chan string, 1)
	in := &app.Ingest{Config: s.Config, Logger: s.Logger, KafkaDial: dial, Listening: func(addr string) { at <- addr }}
	r := s.Run("ingest", in.Run)
	select {
	case addr := <-at:
		return &Ingest{in, r, "http://" + addr + "/v1/reports"}
	case <-r.done:
		s.Fatalf("the ingest ended with %v", r.Ended())
	case <-time.After(Patience):
		s.Fatal("the ingest does not listen")
	}
	return nil
}

// Snapshotter is a running one.
type Snapshotter struct {
	*app.Snapshotter
	*Running
}

// Snapshotter starts one.
func (s *Site) Snapshotter(c *config.Config) *Snapshotter {
	r := &app.Snapshotter{Config: c, Logger: s.Logger}
	return &Snapshotter{r, s.Run("snapshotter", r.Run)}
}
