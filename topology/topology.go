// Package topology says which topics, consumer groups and flows exist, checks that they fit
// together, and compares them with what a cluster has. It talks to no broker: whoever does turns the
// cluster into []ActualTopic and carries out the steps of a Diff.
//
// Owns: topology.yaml, its overlays and rules, the comparison. Does not own: Kafka requests, ACLs.
package topology

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"switchboard/config/unit"
)

// Topology is every topic, group and flow, each list in ascending order of names.
type Topology struct {
	Topics []Topic
	Groups []Group
	Flows  []Flow
}

// Kind is what a topic is for. It decides which rules hold.
type Kind string

// The kinds of topics.
const (
	Facts       Kind = "facts"        // the truth: events, folded into read models
	Inbox       Kind = "inbox"        // what foreign producers send, before intake has looked at it
	Snapshots   Kind = "snapshots"    // checkpoints of folded state
	DeadLetters Kind = "dead-letters" // pointers to records that nobody could use
)

// Values of Topic.Key, Topic.PartitionBy, Topic.Timestamp and Topic.Policy.
const (
	KeyEventID  = "event_id" // 16 bytes
	KeyPosition = "position" // topic/partition/offset of what a dead letter points at
	KeyChunk    = "chunk"    // topic/partition/digest, topic/partition/manifest/offset
	KeyAny      = "any"      // the producer's choice, also none

	BySubject = "subject" // murmur2 of the subject, modulo partitions
	BySource  = "source"  // the number of the partition that was folded
	ByAny     = "any"

	LogAppendTime = "LogAppendTime" // the broker's clock on arrival
	CreateTime    = "CreateTime"    // the producer's clock

	Compact = "compact"
	Delete  = "delete"
)

// Topic is one topic as it should be. A zero duration or size means that nothing is asked for.
type Topic struct {
	Name        string
	Kind        Kind
	Purpose     string // for people
	Key         string // what its records are keyed by
	PartitionBy string // what decides a record's partition

	Partitions  int32
	Replication int16
	MinInsync   int16

	Policy           []string // cleanup policy, sorted
	Retention        time.Duration
	MinCompactionLag time.Duration
	MaxCompactionLag time.Duration
	DeleteRetention  time.Duration
	Segment          time.Duration
	SegmentBytes     unit.Bytes
	MaxMessageBytes  unit.Bytes
	Timestamp        string

	// Settings are further topic settings by Kafka's own names, such as min.cleanable.dirty.ratio.
	Settings map[string]string
}

// Has says whether the cleanup policy contains Compact or Delete.
func (t Topic) Has(policy string) bool { return slices.Contains(t.Policy, policy) }

// Group is one consumer group and the role whose processes are its members.
type Group struct {
	Name    string
	Role    string
	Purpose string
}

// Flow says who writes a topic, which groups read it, and which event types it carries.
type Flow struct {
	Topic     string
	WrittenBy []string // roles
	ReadBy    []string // groups
	Events    []string // record types; none for pointers and snapshots
}

// Roles are the programs and people that flows and groups may name. A producer is anybody outside.
var Roles = []string{"ingest", "import", "processor", "snapshotter", "console", "operator", "producer"}

// Topic is the topic of that name, and whether there is one.
func (t Topology) Topic(name string) (Topic, bool) {
	i := slices.IndexFunc(t.Topics, func(x Topic) bool { return x.Name == name })
	if i < 0 {
		return Topic{}, false
	}
	return t.Topics[i], true
}

// OfKind is every topic of a kind, in ascending order of names.
func (t Topology) OfKind(kind Kind) []Topic {
	var found []Topic
	for _, topic := range t.Topics {
		if topic.Kind == kind {
			found = append(found, topic)
		}
	}
	return found
}

// FactsOf is the one facts topic that carries an event type, and whether there is one.
func (t Topology) FactsOf(event string) (Topic, bool) {
	for _, f := range t.Flows {
		if topic, ok := t.Topic(f.Topic); ok && topic.Kind == Facts && slices.Contains(f.Events, event) {
			return topic, true
		}
	}
	return Topic{}, false
}

// Group is the group of that name, and whether there is one.
func (t Topology) Group(name string) (Group, bool) {
	i := slices.IndexFunc(t.Groups, func(x Group) bool { return x.Name == name })
	if i < 0 {
		return Group{}, false
	}
	return t.Groups[i], true
}

// ReadBy is every topic that a group reads, in ascending order of names.
func (t Topology) ReadBy(group string) []Topic {
	var found []Topic
	for _, f := range t.Flows {
		if topic, ok := t.Topic(f.Topic); ok && slices.Contains(f.ReadBy, group) {
			found = append(found, topic)
		}
	}
	return found
}

// WithPrefix is the same topology with p in front of the name of every topic and group, so that tests and
// several installations can share a broker. The receiver is left as it is.
func (t Topology) WithPrefix(p string) Topology {
	prefixed := Topology{Topics: slices.Clone(t.Topics), Groups: slices.Clone(t.Groups), Flows: slices.Clone(t.Flows)}
	for i := range prefixed.Topics {
		prefixed.Topics[i].Name = p + prefixed.Topics[i].Name
	}
	for i := range prefixed.Groups {
		prefixed.Groups[i].Name = p + prefixed.Groups[i].Name
	}
	for i := range prefixed.Flows {
		f := &prefixed.Flows[i]
		f.Topic = p + f.Topic
		f.ReadBy = slices.Clone(f.ReadBy)
		for j := range f.ReadBy {
			f.ReadBy[j] = p + f.ReadBy[j]
		}
	}
	return prefixed
}

var prefixPattern = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$`)

// CheckPrefix says why p cannot stand in front of names.
func CheckPrefix(p string) error {
	if !prefixPattern.MatchString(p) {
		return fmt.Errorf("%q cannot begin the name of a topic: at most 100 of A-Z a-z 0-9 . _ -, beginning with a letter or digit", p)
	}
	return nil
}
