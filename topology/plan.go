package topology

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ActualTopic is a topic as a cluster has it.
type ActualTopic struct {
	Name        string
	Partitions  int32
	Replication int16 // the smallest of its partitions
	// Settings are the settings in force, defaults included, by Kafka's names, as DescribeConfigs answers.
	Settings map[string]string
}

// Op is what a step does.
type Op string

// The operations. There is none that deletes.
const (
	CreateTopic   Op = "create topic"
	AlterSettings Op = "alter config"
)

// Step is one change to make, as data. Carrying out all steps and planning again gives none.
type Step struct {
	Op    Op
	Topic string

	// Of CreateTopic.
	Partitions  int32
	Replication int16
	Settings    map[string]string

	// Of AlterSettings, sorted by name: set each to To, leave all others (IncrementalAlterConfigs, SET).
	Changes []Change
}

// Change is one setting that differs. From is empty if the broker did not report it.
type Change struct{ Name, From, To string }

// Refusal is a difference that no step may settle, because settling it would move, lose or weaken
// data, or cannot be done by a request.
type Refusal struct {
	Topic   string
	Problem string // such as: partitions 12 -> 6 would move subjects
	Hint    string // what a person can do
}

// Diff is what separates a cluster from a topology, sorted by topic. Its steps can be carried out even
// where something else is refused; roles start only when it is empty.
type Diff struct {
	Steps    []Step
	Refusals []Refusal
	// Unchecked are the settings that were not compared, see EmbeddedIgnores.
	Unchecked []string
}

// Plan compares. Topics of the cluster that the topology does not name are none of its business.
// Settings in unchecked are asked for when a topic is created, but not compared.
func Plan(desired Topology, actual []ActualTopic, unchecked ...string) Diff {
	diff := Diff{Unchecked: slices.Sorted(slices.Values(unchecked))}
	topics := slices.SortedFunc(slices.Values(desired.Topics), func(a, b Topic) int { return cmp.Compare(a.Name, b.Name) })
	for _, want := range topics {
		i := slices.IndexFunc(actual, func(have ActualTopic) bool { return have.Name == want.Name })
		if i < 0 {
			diff.Steps = append(diff.Steps, Step{
				Op: CreateTopic, Topic: want.Name, Partitions: want.Partitions, Replication: want.Replication, Settings: want.KafkaSettings(),
			})
			continue
		}
		diff.compare(want, actual[i])
	}
	return diff
}

// Check is nil if the cluster is as the topology says, else an error with the rendered difference.
func Check(desired Topology, actual []ActualTopic, unchecked ...string) error {
	return Plan(desired, actual, unchecked...).Err()
}

func (d *Diff) compare(want Topic, have ActualTopic) {
	refuse := func(hint, format string, args ...any) {
		d.Refusals = append(d.Refusals, Refusal{Topic: want.Name, Problem: fmt.Sprintf(format, args...), Hint: hint})
	}
	if want.Partitions != have.Partitions {
		refuse(partitionHint(want), "partitions %d -> %d %s", have.Partitions, want.Partitions, partitionHarm(want))
	}
	if have.Replication < want.Replication { // more copies than asked for harm nobody
		refuse("kafka-reassign-partitions adds copies", "replication %d -> %d is not a setting", have.Replication, want.Replication)
	}
	var changes []Change
	settings := want.KafkaSettings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		from, to := have.Settings[name], settings[name]
		if slices.Contains(d.Unchecked, name) || sameSetting(name, from, to) {
			continue
		}
		if name == cleanupPolicy {
			refuse(policyHint, "%s %s -> %s %s", name, people(name, from), to, policyHarm(want))
		} else if harm := lossy(name, from, to); harm != "" {
			refuse("set it by hand with kafka-configs if that is meant, or change the topology (is env the right one?)",
				"%s %s -> %s %s", name, people(name, from), people(name, to), harm)
		} else {
			changes = append(changes, Change{Name: name, From: from, To: to})
		}
	}
	if len(changes) > 0 {
		d.Steps = append(d.Steps, Step{Op: AlterSettings, Topic: want.Name, Changes: changes})
	}
}

func partitionHarm(t Topic) string {
	if t.PartitionBy == BySubject {
		return "would move subjects: read models, snapshots and tokens are per partition"
	}
	return "would change what positions mean"
}

func partitionHint(t Topic) string {
	if t.PartitionBy == BySubject {
		return "keep the count, or copy the facts in order into a topic of another name"
	}
	return "keep the count, or use a topic of another name"
}

const policyHint = "find out who made the topic, and what it has lost already, before changing it by hand"

func policyHarm(t Topic) string {
	if t.Kind == Facts {
		return "decides what history is kept"
	}
	return "decides which records are kept"
}

// Empty says that there is nothing to do and nothing is refused.
func (d Diff) Empty() bool { return len(d.Steps) == 0 && len(d.Refusals) == 0 }

// Err is nil for an empty diff, else *Mismatch.
func (d Diff) Err() error {
	if d.Empty() {
		return nil
	}
	return &Mismatch{Diff: d}
}

// Mismatch says that a cluster is not as the topology says. A role that meets it must not start.
type Mismatch struct{ Diff Diff }

// Error says in its first line what to do, and then Details.
func (m *Mismatch) Error() string {
	todo := "run `switchboard topology apply`"
	if len(m.Diff.Refusals) > 0 {
		todo = "what is refused needs a person"
	}
	return "the cluster differs from the topology; " + todo + ":\n" + m.Details()
}

// Details is the rendered diff. It holds settings alone, so that daemons print it as it is.
func (m *Mismatch) Details() string { return strings.TrimRight(m.Diff.String(), "\n") }
