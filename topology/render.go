package topology

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// String renders the diff for people: a line for each topic to create (+), to alter (~) or refused (!), with
// details indented below it, and a line that counts them.
func (d Diff) String() string {
	var b strings.Builder
	created, altered := 0, 0
	for _, s := range d.Steps {
		b.WriteString(s.String())
		if s.Op == CreateTopic {
			created++
		} else {
			altered++
		}
	}
	for _, r := range d.Refusals {
		b.WriteString(r.String())
	}
	if len(d.Unchecked) > 0 {
		fmt.Fprintf(&b, "? not checked, the embedded broker lacks them: %s\n", strings.Join(d.Unchecked, ", "))
	}
	if d.Empty() {
		b.WriteString("the cluster is as the topology says\n")
	} else {
		fmt.Fprintf(&b, "%d to create, %d to alter, %d refused\n", created, altered, len(d.Refusals))
	}
	return b.String()
}

// String is the step with its settings, of several lines.
func (s Step) String() string {
	var b strings.Builder
	switch s.Op {
	case CreateTopic:
		fmt.Fprintf(&b, "+ create %s: %d partitions, replication %d\n", s.Topic, s.Partitions, s.Replication)
		for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
			fmt.Fprintf(&b, "    %s = %s\n", name, people(name, s.Settings[name]))
		}
	case AlterSettings:
		fmt.Fprintf(&b, "~ alter config %s\n", s.Topic)
		for _, c := range s.Changes {
			fmt.Fprintf(&b, "    %s: %s -> %s\n", c.Name, people(c.Name, c.From), people(c.Name, c.To))
		}
	}
	return b.String()
}

// String is the refusal and its hint, of two lines.
func (r Refusal) String() string {
	return fmt.Sprintf("! refuse %s: %s\n    %s\n", r.Topic, r.Problem, r.Hint)
}
