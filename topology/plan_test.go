package topology

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// asCreated is what a broker has after all topics were created as planned, with settings nobody asked for.
func asCreated(t Topology) []ActualTopic {
	var actual []ActualTopic
	for _, s := range Plan(t, nil).Steps {
		settings := maps.Clone(s.Settings)
		settings["compression.type"] = "producer"
		actual = append(actual, ActualTopic{Name: s.Topic, Partitions: s.Partitions, Replication: s.Replication, Settings: settings})
	}
	return append(actual, ActualTopic{Name: "somebody.elses", Partitions: 1, Replication: 1})
}

func reportsOf(actual []ActualTopic) *ActualTopic {
	return &actual[slices.IndexFunc(actual, func(a ActualTopic) bool { return a.Name == "calls.reports" })]
}

// apply carries out what can be carried out.
func apply(actual []ActualTopic, d Diff) {
	for _, s := range d.Steps {
		for i := range actual {
			for _, c := range s.Changes {
				if actual[i].Name == s.Topic {
					actual[i].Settings[c.Name] = c.To
				}
			}
		}
	}
}

func TestPlan(t *testing.T) {
	tests := map[string]struct {
		change    func(have *ActualTopic) // calls.reports
		unchecked []string
		missing   bool
	}{
		"create": {missing: true},
		"as_it_should_be": {change: func(have *ActualTopic) {
			have.Settings["cleanup.policy"] = "delete,compact"
			have.Replication = 5
		}},
		"alter": {change: func(have *ActualTopic) {
			have.Settings["retention.ms"] = "604800000"
			have.Settings["message.timestamp.type"] = "CreateTime"
			delete(have.Settings, "max.compaction.lag.ms")
		}},
		"embedded": {unchecked: EmbeddedIgnores, change: func(have *ActualTopic) {
			delete(have.Settings, "max.compaction.lag.ms")
			delete(have.Settings, "min.compaction.lag.ms")
			have.Settings["message.timestamp.type"] = "CreateTime"
		}},
		"refuse": {change: func(have *ActualTopic) {
			have.Partitions, have.Replication = 6, 1
			have.Settings["cleanup.policy"] = "compact"
			have.Settings["retention.ms"] = "-1"
			have.Settings["delete.retention.ms"] = "1209600000"
			have.Settings["min.insync.replicas"] = "3"
			have.Settings["segment.ms"] = "1000"
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			desired := load(t, "prod")
			actual := asCreated(desired)
			if test.missing {
				actual = nil
			} else {
				test.change(reportsOf(actual))
			}
			diff := Plan(desired, actual, test.unchecked...)
			golden(t, name, diff.String())
			if test.missing {
				actual = asCreated(desired)
			} else {
				apply(actual, diff)
			}
			again := Plan(desired, actual, test.unchecked...)
			if len(again.Steps) != 0 {
				t.Errorf("planned again after all steps:\n%s", again)
			}
			if len(diff.Refusals) == 0 && Check(desired, actual, test.unchecked...) != nil {
				t.Errorf("Check = %v after all steps", again.Err())
			}
		})
	}
}

func TestMismatchNamesWhatToDo(t *testing.T) {
	desired := load(t, "dev")
	err := Check(desired, nil)
	var mismatch *Mismatch
	if !errors.As(err, &mismatch) || len(mismatch.Diff.Steps) != len(desired.Topics) || !strings.HasPrefix(err.Error(), "the cluster differs from the topology; run `switchboard topology apply`:\n+ create calls.inbox") {
		t.Errorf("Check = %v", err)
	}
	actual := asCreated(desired)
	reportsOf(actual).Partitions = 24
	if err := Check(desired, actual); err == nil || !strings.Contains(err.Error(), "! refuse calls.reports: partitions 24 -> 12 would move subjects") {
		t.Errorf("Check = %v", err)
	}
}

// golden compares with testdata/name.golden; GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if os.Getenv("GOLDEN") == "1" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s\nwant\n%s", file, got, want)
	}
}
