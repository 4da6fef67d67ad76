// Package faults injects what can go wrong with the servers around an installation, and holds the read models against the fold of the log
// afterwards. Which rows of faults.txt that covers is said above each test; FAULTS.md lists all.
package faults

import (
	"strings"
	"testing"

	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

func TestMain(m *testing.M) { backend.Main(m) }

const (
	partitions = 2
	patience   = local.Patience
)

// site is an installation whose processor folds reports only.
type site struct{ *local.Site }

func newSite(t *testing.T, b backend.Backend, o local.Options) *site {
	t.Helper()
	o.Env = append(o.Env, "SWITCHBOARD_PROCESSOR_VIEWS="+strings.Join(view.Names(), ","))
	return &site{local.New(t, b, o)}
}

// folded is a site with facts that its processor, which goes on, has folded.
func folded(t *testing.T, b backend.Backend, o local.Options) *site {
	t.Helper()
	s := newSite(t, b, o)
	s.Append(300)
	s.Start()
	s.CaughtUp()
	return s
}

// noLetters checks that nothing was buried.
func (s *site) noLetters() {
	s.Helper()
	if ends := s.EndsOf(s.Letters); ends[0] != 0 {
		s.Errorf("%d dead letters", ends[0])
	}
}
