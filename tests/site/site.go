// Package site is an installation of the built programs for tests that look at many of them together: the servers that the test hands
// it, topics of its own, roles as processes with nothing but environment variables, producers that remember what was acknowledged,
// and the comparison of log and read models at the end.
package site

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/tests/backend"
)

// patience is for what must happen, on two cores that others are using too.
const patience = 2 * time.Minute

// Options say what an installation is made of.
type Options struct {
	Brokers  []string // how roles and producers reach Kafka
	Direct   []string // how the test itself does; Brokers when empty
	Redis    []string
	Cluster  bool     // Redis is a cluster
	Replicas int      // of every topic
	Logs     string   // folder of what the processes say; thrown away with the test when empty, else named where it fails
	Env      []string // of every program
}

// Site is an installation. Its methods may be called from several goroutines, as far as testing.TB allows.
type Site struct {
	testing.TB
	Options
	Prefix string
	Topics Topics
	Kafka  *kgo.Client
	Admin  *kadm.Client

	env     []string
	kept    bool // the logs outlive the test
	mu      sync.Mutex
	started map[string]int // processes, by role
}

// Topics are the names of the topics, with the prefix, and the partitions of the facts.
type Topics struct {
	Reports, Devices, ReportInbox, DeviceInbox string
	Partitions                                 map[string]int32
}

const (
	reportPartitions = 6
	devicePartitions = 3
	inboxPartitions  = 4
)

// New makes the topics.
func New(t testing.TB, o Options) *Site {
	t.Helper()
	if o.Direct == nil {
		o.Direct = o.Brokers
	}
	kept := o.Logs != ""
	if !kept {
		o.Logs = t.TempDir()
	}
	s := &Site{TB: t, Options: o, Prefix: backend.Prefix(), started: map[string]int{}, kept: kept}
	s.Topics = Topics{
		Reports: s.Prefix + "calls.reports", Devices: s.Prefix + "devices.lifecycle",
		ReportInbox: s.Prefix + "calls.inbox", DeviceInbox: s.Prefix + "devices.inbox",
	}
	s.Topics.Partitions = map[string]int32{s.Topics.Reports: reportPartitions, s.Topics.Devices: devicePartitions}
	overlay := filepath.Join(t.TempDir(), "topology.yaml")
	text := fmt.Sprintf(`defaults: {replication: %d, min_insync: %d}
topics:
  calls.reports: {partitions: %d}
  devices.lifecycle: {partitions: %d}
  calls.inbox: {partitions: %d}
  devices.inbox: {partitions: 2}
  dead-letters: {partitions: 1}
  snapshots: {partitions: %d}
`, o.Replicas, max(1, o.Replicas-1), reportPartitions, devicePartitions, inboxPartitions, reportPartitions)
	if err := os.WriteFile(overlay, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	kind := "server"
	if o.Cluster {
		kind = "cluster"
	}
	s.env = append([]string{
		"SWITCHBOARD_ENV=dev", "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(o.Brokers, ","), "SWITCHBOARD_KAFKA_TOPIC_PREFIX=" + s.Prefix,
		"SWITCHBOARD_REDIS_KIND=" + kind, "SWITCHBOARD_REDIS_ADDRS=" + strings.Join(o.Redis, ","), "SWITCHBOARD_TOPOLOGY_OVERLAYS=" + overlay,
		"SWITCHBOARD_INGEST_LISTEN=127.0.0.1:0", "SWITCHBOARD_OBSERVABILITY_LISTEN=127.0.0.1:0",
	}, o.Env...)
	var err error
	s.Kafka, err = kgo.NewClient(kgo.SeedBrokers(o.Direct...), kgo.MetadataMinAge(250*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kafka.Close)
	s.Admin = kadm.NewClient(s.Kafka)
	s.CLI("topology", "apply")
	return s
}

// environ is the environment of a program: ours without what is Switchboard's, then the site's and some more.
func (s *Site) environ(more ...string) []string {
	var out []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SWITCHBOARD_") {
			out = append(out, v)
		}
	}
	return append(append(out, s.env...), more...)
}

// Environ is what every program of the site is told, and some more.
func (s *Site) Environ(more ...string) []string { return append(slices.Clone(s.env), more...) }

// CLI runs the command line to its end, which must be good, and gives what it printed.
func (s *Site) CLI(args ...string) string {
	s.Helper()
	out, err := s.Try(s.Context(), args...)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// Try is CLI that may fail.
func (s *Site) Try(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, Program(s.TB, "switchboard"), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = &out, &errs, s.environ(), s.Logs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("switchboard %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// Eventually asks until the answer is "", which is what is awaited; else the answer says what is there instead.
func Eventually(t testing.TB, limit time.Duration, what string, ask func() string) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		got := ask()
		if got == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %s", what, limit, got)
		}
	}
}
