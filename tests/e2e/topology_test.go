package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"switchboard/tests/backend"
)

// roles runs every role that needs topics to its end: it must refuse to start.
func (s *site) roles(t *testing.T, says ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "reports.ndjson")
	if err := os.WriteFile(file, []byte(marshal(call("+447700900001", "+447700900002", 1))+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("roles", func(t *testing.T) {
		for _, args := range [][]string{{"ingest"}, {"processor"}, {"switchboard", "import", file}} {
			t.Run(args[0], func(t *testing.T) {
				t.Parallel()
				run(t, s.Env, args[0], args[1:]...).wants(t, 1, append(says, "the cluster differs from the topology")...)
			})
		}
	})
}

// TestRolesRefuse: on topics that are not what they should be no role starts, each says what differs, and nobody makes a topic by the way.
//
//fault:k12 partitions, policy, retention, a missing topic: exit code 1 with the difference
func TestRolesRefuse(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		t.Run("no topics", func(t *testing.T) {
			t.Parallel()
			b := b
			b.Prefix = backend.Prefix()
			s := newSite(t, b)
			s.roles(t, "+ create "+s.Reports+": 4 partitions", "+ create "+s.Letters, "switchboard topology apply")
			if found := s.topics(); len(found) > 0 {
				t.Errorf("topics were made: %v", found)
			}
		})
		for name, c := range map[string]struct {
			change func(s *site)
			says   string
		}{
			"more partitions": {func(s *site) {
				if _, err := s.Admin.CreatePartitions(s.Context(), 1, s.Reports); err != nil {
					s.Fatal(err)
				}
				eventually(s, "five partitions", func() string { return map[bool]string{true: "", false: "not yet"}[s.topics()[s.Reports] == 5] })
			}, "! refuse REPORTS: partitions 5 -> 4 would move subjects"},
			"no compaction":   {func(s *site) { s.setting(s.Reports, "cleanup.policy", "delete") }, "! refuse REPORTS: cleanup.policy delete -> compact,delete decides what history is kept"},
			"compaction only": {func(s *site) { s.setting(s.Letters, "cleanup.policy", "compact") }, "! refuse LETTERS: cleanup.policy compact -> compact,delete"},
			"less retention":  {func(s *site) { s.setting(s.Reports, "retention.ms", "86400000") }, "~ alter config REPORTS\n    retention.ms: 86400000 (1d) -> 34560000000 (400d)"},
			"more retention":  {func(s *site) { s.setting(s.Reports, "retention.ms", "-1") }, "! refuse REPORTS: retention.ms"},
			"one topic less": {func(s *site) {
				if _, err := s.Admin.DeleteTopics(s.Context(), s.Letters); err != nil {
					s.Fatal(err)
				}
				eventually(s, "it is gone", func() string { return map[bool]string{true: "", false: "not yet"}[s.topics()[s.Letters] == 0] })
			}, "+ create LETTERS"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := b
				b.Prefix = backend.Prefix()
				s := builtSite(t, b)
				c.change(s)
				before := s.topics()
				says := strings.NewReplacer("REPORTS", s.Reports, "LETTERS", s.Letters).Replace(c.says)
				run(t, s.Env, "switchboard", "topology", "check").wants(t, 1, says)
				s.roles(t, says)
				if after := s.topics(); !maps.Equal(before, after) {
					t.Errorf("topics before %v, after %v", before, after)
				}
			})
		}
	})
}

// TestTopology: plan shows, apply does it once, and what would harm is left alone by both.
//
//fault:k12 apply alters what is safe and refuses the rest
func TestTopology(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := newSite(t, b)
		if _, err := s.Admin.CreateTopic(t.Context(), 1, 1, nil, s.On.Prefix+"of.somebody.else"); err != nil {
			t.Fatal(err)
		}
		s.cli("topology", "plan").wants(t, 0, "+ create "+s.Reports, "to create, 0 to alter, 0 refused")
		s.cli("topology", "plan", "--format", "json").wants(t, 0, `"Op":"create topic"`)
		s.cli("topology", "check").wants(t, 1, "+ create "+s.Reports)
		if found := s.topics(); len(found) != 1 {
			t.Errorf("plan and check made topics: %v", found)
		}
		s.cli("topology", "apply").wants(t, 0, "+ create "+s.Reports, "the cluster is as the topology says")
		made := s.topics()
		if made[s.Reports] != partitions || made[s.Letters] != 2 {
			t.Errorf("made %v", made)
		}
		if again := s.cli("topology", "apply").wants(t, 0); again.out != "the cluster is as the topology says\n" {
			t.Errorf("apply twice: %s", again.out)
		}
		s.cli("topology", "check").wants(t, 0)

		s.Write(s.Record(factOf(subjectIn(1, 1), 1)))
		s.setting(s.Reports, "retention.ms", "86400000")
		s.setting(s.Letters, "cleanup.policy", "delete")
		got := s.cli("topology", "apply").wants(t, 1, "~ alter config "+s.Reports, "retention.ms: 86400000 (1d) -> 34560000000 (400d)", "! refuse "+s.Letters+": cleanup.policy delete -> compact,delete")
		if strings.Contains(got.out, "the cluster is as") {
			t.Errorf("apply is content: %s", got.out)
		}
		if n := len(s.Read(s.Reports)); n != 1 {
			t.Errorf("%d facts of 1 are left", n)
		}
		configs, err := s.Admin.DescribeTopicConfigs(t.Context(), s.Letters)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range configs[0].Configs {
			if c.Key == "cleanup.policy" && c.MaybeValue() != "delete" {
				t.Errorf("apply changed the policy of the dead letters to %s", c.MaybeValue())
			}
		}
		if after := s.topics(); !maps.Equal(after, made) {
			t.Errorf("topics were %v, are %v", made, after)
		}
	})
}

// TestNothingIsMadeUp: a broker that makes topics on first use is never asked to.
//
//fault:k12 a broker that makes topics up is never asked to
func TestNothingIsMadeUp(t *testing.T) {
	t.Parallel()
	b, _ := faulty(t, kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
	s := newSite(t, b)
	s.roles(t, "+ create "+s.Reports)
	s.cli("topology", "plan").wants(t, 0)
	if found := s.topics(); len(found) > 0 {
		t.Errorf("made up: %v", found)
	}
}

// TestPartitionsAddedUnderway: a topic that gets partitions under running roles folds what it has, and refuses the next start.
//
//fault:k13 running roles go on, the next start refuses
func TestPartitionsAddedUnderway(t *testing.T) {
	t.Parallel()
	s := builtSite(t, backend.Embedded(t))
	p := start(t, s.Env, "processor").ready()
	s.Write(s.Record(factOf(subjectIn(1, 1), 1)))
	s.folded()
	if _, err := s.Admin.CreatePartitions(t.Context(), 1, s.Reports); err != nil {
		t.Fatal(err)
	}
	s.Write(s.Record(factOf(subjectIn(1, 1), 2)))
	eventually(t, "it goes on", func() string {
		if s.Next(1) != 2 {
			return fmt.Sprint(s.Next(1))
		}
		return ""
	})
	select {
	case <-p.dead:
		t.Error("it has ended")
	default:
	}
	run(t, s.Env, "processor").wants(t, 1, "partitions 5 -> 4 would move subjects")
}
