package replay

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"switchboard/internal/app"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

func TestMain(m *testing.M) { backend.Main(m) }

const partitions = 2

// site is an installation and the group of its processor.
type site struct {
	*local.Site
	group string
}

func newSite(t *testing.T, b backend.Backend) *site {
	t.Helper()
	return &site{local.New(t, b, local.Options{}), b.Prefix + "switchboard-processor"}
}

func (s *site) serving(n int32) pipeline.Generation { return s.Serving(n).Generation }

// reset resets the group of a stopped processor as an operator does: by the stock tool on a real broker, by the same request without metadata
// on the embedded one.
func (s *site) reset(to string, offsets map[int32]int64) {
	s.Helper()
	if s.On.Name != "embedded" {
		s.consumerGroups(append([]string{"--topic", s.Reports, "--reset-offsets", "--execute"}, strings.Fields(to)...)...)
		return
	}
	var o kadm.Offsets
	for p, at := range offsets {
		o.AddOffset(s.Reports, p, at, -1)
	}
	if err := s.Admin.CommitAllOffsets(s.Context(), s.group, o); err != nil {
		s.Fatal(err)
	}
}

// recreate makes the topics again after one was deleted; the brokers need a moment to forget the old one.
func (s *site) recreate() {
	s.Helper()
	s.Until("the topic is there again", func() bool { return s.ApplyTopology() == nil })
	s.Connect()
}

// adopt and rollback are what `switchboard replay adopt` and `rollback` do.
func (s *site) adopt() {
	s.Helper()
	if err := app.AdoptTopic(s.Context(), s.Config, s.Logger, s.Reports); err != nil {
		s.Fatal(err)
	}
}

func (s *site) rollback(p int32) {
	s.Helper()
	if _, err := app.Rollback(s.Context(), s.Config, []event.Partition{s.Partition(p)}); err != nil {
		s.Fatal(err)
	}
}

// ready waits until the processor says that all is well.
func (s *site) ready() {
	s.Helper()
	s.Until("the processor is ready", func() bool { return s.Processor.Ready() == nil })
}

// stateOf is what the list of generations says of one.
func (s *site) stateOf(p int32, g pipeline.Generation) pipeline.GenerationState {
	s.Helper()
	models, err := redisview.New(redisview.Options{Addrs: s.On.Redis})
	if err != nil {
		s.Fatal(err)
	}
	defer models.Close()
	lines, err := models.List(s.Context(), s.Partition(p))
	if err != nil {
		s.Fatal(err)
	}
	for _, line := range lines {
		if line.Generation == g {
			return line.State
		}
	}
	return ""
}

// replay is what `switchboard replay run` does.
func (s *site) replay(incomplete bool, only ...event.Partition) {
	s.Helper()
	if _, err := app.RunReplay(s.Context(), s.Config, only, incomplete); err != nil {
		s.Fatal(err)
	}
}
