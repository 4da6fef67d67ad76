package replay

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchboard/internal/pipeline"
	"switchboard/tests/backend"
)

// consumerGroups runs the stock kafka-consumer-groups on the processor's group. It ends with 0 also when it has done nothing, and says so.
func (s *site) consumerGroups(args ...string) string {
	s.Helper()
	cmd := exec.Command("../../deploy/local/kafka-tool", append([]string{"consumer-groups", "--group", s.group}, args...)...)
	cmd.Env = append(os.Environ(), "SWITCHBOARD_KAFKA_BROKERS="+strings.Join(s.On.Brokers, ","))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "Error") {
		s.Fatalf("kafka-consumer-groups %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// described is what --describe says of a partition.
func (s *site) described(p int32) (current, end, lag int64) {
	s.Helper()
	out := s.consumerGroups("--describe")
	for line := range strings.Lines(out) {
		f := strings.Fields(line) // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG ...
		if len(f) < 6 || f[1] != s.Reports || f[2] != strconv.Itoa(int(p)) {
			continue
		}
		for i, to := range []*int64{&current, &end, &lag} {
			var err error
			if *to, err = strconv.ParseInt(f[3+i], 10, 64); err != nil {
				s.Fatalf("--describe says %q", line)
			}
		}
		return current, end, lag
	}
	s.Fatalf("--describe says nothing of partition %d:\n%s", p, out)
	return
}

// TestStockResets: what the stock tool can be asked for, of all partitions or of one: the partitions that were reset are built beside from the newest snapshot at
// or before the offset, or from the start where that is asked for; the others are left alone (rule 8).
//
//fault:p11 to an instant, an offset, by a distance, to the start; all partitions or one: built beside from where it is asked (rule 8)
func TestStockResets(t *testing.T) {
	b := backend.Real(t)
	s := newSite(t, b)
	s.Append(300)
	s.snapshot()
	manifests, cut := s.manifests(), s.Ends()
	instant := time.Now().Truncate(time.Millisecond).Add(time.Millisecond) // append times have milliseconds
	<-time.After(time.Until(instant))
	s.Append(200)
	s.Start()
	s.CaughtUp()
	s.Halt()
	start := [partitions]string{pipeline.SeedStart, pipeline.SeedStart}
	for _, reset := range []struct {
		topic string // as --topic has it
		to    []string
		seeds [partitions]string // of the partitions that are built; empty: left alone
	}{
		{s.Reports, []string{"--to-datetime", instant.UTC().Format("2006-01-02T15:04:05.000")}, manifests},
		{s.Reports + ":0", []string{"--to-offset", fmt.Sprint(cut[0] + 20)}, [partitions]string{0: manifests[0]}},
		{s.Reports + ":1", []string{"--shift-by", "-5"}, [partitions]string{1: manifests[1]}},
		{s.Reports + ":1", []string{"--to-earliest"}, [partitions]string{1: start[1]}},
		{s.Reports, []string{"--to-earliest"}, start},
	} {
		before := s.servingAll()
		s.consumerGroups(append([]string{"--topic", reset.topic, "--reset-offsets", "--execute"}, reset.to...)...)
		s.Start()
		for p, seed := range reset.seeds {
			if seed != "" {
				s.Until("the flip", func() bool { return s.serving(int32(p)) != before[p] })
			}
		}
		s.Append(20)
		s.CaughtUp()
		s.Exact()
		for p, seed := range reset.seeds {
			switch {
			case seed == "" && s.serving(int32(p)) != before[p]:
				t.Errorf("%s %v: partition %d was built, and not asked for", reset.topic, reset.to, p)
			case seed != "" && s.seedOf(int32(p)) != seed:
				t.Errorf("%s %v: partition %d begins at %q, want %q", reset.topic, reset.to, p, s.seedOf(int32(p)), seed)
			}
		}
		s.Halt()
	}
}

// halfway runs a processor until it is in the middle of a build of partition 0, and stops it there. It returns what is built.
func (s *site) halfway() (builder pipeline.Generation) {
	s.Helper()
	batch := s.Config.Processor.Batch
	s.Config.Processor.Batch.CatchupEvents, s.Config.Processor.Batch.LiveEvents = 1, 1 // slow
	s.Start()
	s.Until("the build has begun", func() bool {
		lane := s.Lane(0)
		builder = lane.Building
		return builder != "" && lane.BuildNext > 10
	})
	s.Halt()
	s.Config.Processor.Batch = batch
	return builder
}

// TestResetDuringBuild: the same reset once more goes on with the build; another one gives it up, whether it can be had or not (rules 2 and 8).
//
//fault:p11 reset again while it is built: the same is gone on with, another one begins anew or is refused (rules 2 and 8)
func TestResetDuringBuild(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := folded(t, b, 3000)
		before := s.serving(0)
		toEarliest := func() { s.reset("--to-earliest", map[int32]int64{0: 0, 1: 0}) }
		toEarliest()
		first := s.halfway()
		toEarliest()
		if again := s.halfway(); again != first {
			t.Errorf("the same reset began anew: %s, then %s", first, again)
		}

		s.reset("--to-offset 20", map[int32]int64{0: 20, 1: 20})
		s.Start()
		s.Until("the refusal", func() bool {
			d := s.Lane(0).Decision
			return d.Rule == 8 && d.Action == pipeline.Refuse
		})
		if s.Processor.Ready() == nil {
			t.Error("the processor says that all is well")
		}
		s.Append(100)
		s.CaughtUp()
		s.Exact()
		if s.serving(0) != before || s.stateOf(0, first) != pipeline.Discarded {
			t.Errorf("%s serves, %s is %s; want %s, and it discarded", s.serving(0), first, s.stateOf(0, first), before)
		}
		s.Halt()

		toEarliest()
		s.Start()
		s.Until("the flip", func() bool { return s.serving(0) != before })
		s.CaughtUp()
		s.Exact()
		if s.serving(0) == first {
			t.Error("the build that was given up serves")
		}
		s.Halt()
	})
}
