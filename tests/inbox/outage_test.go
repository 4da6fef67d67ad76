package inbox

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/daemon"
	"switchboard/tests/backend"
)

// TestLogDoesNotTake: while the log of facts, or that of the dead letters, takes nothing, the inbox waits and says so, condemns nothing and
// passes over nothing; then all is there.
//
//fault:e11 the inbox waits, condemns nothing, passes over nothing
func TestLogDoesNotTake(t *testing.T) {
	for _, broken := range []string{"calls.reports", "dead-letters"} {
		t.Run(broken, func(t *testing.T) {
			b, broker := backend.Faulty(t)
			s := newSite(t, b)
			fault := broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.Prefix + broken, Err: kerr.PolicyViolation, Count: -1})
			list := reports("outage", 30)
			var values [][]byte
			for _, r := range list {
				values = append(values, s.bytes(r), []byte("bad"))
			}
			s.send(values...)
			in := s.Ingest(nil)
			s.Until("it says what it waits for", func() bool { return errors.Is(in.InboxReady(), kerr.PolicyViolation) })
			if err := in.InboxReady(); !errors.Is(err, daemon.ErrDegraded) {
				t.Errorf("an inbox that waits takes the HTTP door out of service: %v", err)
			}
			if got := s.group(); got > 0 {
				t.Errorf("the group stands at %d while nothing is taken", got)
			}
			if letters := s.letters(); len(letters) > 0 {
				t.Errorf("dead letters for an outage: %v", letters)
			}
			in.Stop() // it can be stopped while it waits
			in = s.Ingest(nil)
			fault.Remove()
			s.Start()
			s.taken()
			s.exact(s.facts(list...))
			if got := len(s.letters()); got != len(list) {
				t.Errorf("%d dead letters, want %d", got, len(list))
			}
			in.Stop()
			s.Halt()
		})
	}
}
