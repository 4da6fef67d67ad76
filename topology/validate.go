package topology

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"switchboard/config/unit"
)

// Validate checks every rule; the error is Errors. Load and Parse have done it already: this is for a
// Topology that was changed or made by hand.
func (t Topology) Validate(knownEvents []string) error { return t.validate(knownEvents, nil).err() }

// judge collects what is wrong, with the place of each value.
type judge struct {
	places places
	errs   Errors
}

func (j *judge) fail(section, name, key, format string, args ...any) {
	place := j.places[[3]string{section, name, key}]
	if place == "" {
		place = j.places[[3]string{section, name, ""}]
	}
	j.errs.add(place, section, name, key, fmt.Sprintf(format, args...))
}

func (t Topology) validate(knownEvents []string, found places) Errors {
	j := &judge{places: found}
	for _, topic := range t.Topics {
		j.topic(topic)
		j.kind(topic)
	}
	j.letters(t)
	j.sources(t)
	for _, group := range t.Groups {
		j.group(t, group)
	}
	for _, flow := range t.Flows {
		j.flow(t, flow, knownEvents)
	}
	for _, topic := range t.Topics {
		if !slices.ContainsFunc(t.Flows, func(f Flow) bool { return f.Topic == topic.Name }) {
			j.fail("topic", topic.Name, "", "no flow says who writes and reads it")
		}
	}
	return j.errs
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,148}$`)

const wantName = "not a name: at most 149 of A-Z a-z 0-9 . _ -, beginning with a letter or digit"

// topic holds what is true of every topic.
func (j *judge) topic(t Topic) {
	fail := func(key, format string, args ...any) { j.fail("topic", t.Name, key, format, args...) }
	oneOf := func(key, value string, known ...string) {
		if !slices.Contains(known, value) {
			fail(key, "%q: want one of %s", value, strings.Join(known, ", "))
		}
	}
	if !namePattern.MatchString(t.Name) {
		fail("", wantName)
	}
	if t.Purpose == "" {
		fail("purpose", "missing: say what it is for")
	}
	oneOf("kind", string(t.Kind), string(Facts), string(Inbox), string(Snapshots), string(DeadLetters))
	oneOf("key", t.Key, KeyEventID, KeyPosition, KeyChunk, KeyAny)
	oneOf("partition_by", t.PartitionBy, BySubject, BySource, ByAny)
	oneOf("timestamp", t.Timestamp, LogAppendTime, CreateTime)
	if t.Partitions < 1 {
		fail("partitions", "must be at least 1")
	}
	if t.Replication < 1 {
		fail("replication", "must be at least 1")
	}
	if t.MinInsync < 1 || t.MinInsync > t.Replication {
		fail("min_insync", "%d must lie between 1 and the replication, %d, or nothing can be written", t.MinInsync, t.Replication)
	}
	if t.MaxMessageBytes < 1 {
		fail("max_message_bytes", "missing")
	}
	if t.SegmentBytes > 0 && t.SegmentBytes < unit.MiB {
		fail("segment_bytes", "%s is below 1MiB, which brokers of Kafka 4 refuse", t.SegmentBytes)
	}
	j.cleanup(t)
	for key := range t.Settings {
		if _, ours := t.named()[key]; ours || slices.Contains(namedSettings, key) {
			fail("settings", "%s has a key of its own here", key)
		}
	}
}

// cleanup holds what the cleanup policy asks for and excludes.
func (j *judge) cleanup(t Topic) {
	fail := func(key, format string, args ...any) { j.fail("topic", t.Name, key, format, args...) }
	if len(t.Policy) == 0 {
		fail("cleanup_policy", "missing: [compact], [delete] or [compact, delete]")
		return
	}
	for _, p := range t.Policy {
		if p != Compact && p != Delete {
			fail("cleanup_policy", "%q: want compact, delete or both", p)
		}
	}
	if t.Has(Delete) != (t.Retention > 0) {
		fail("retention", "belongs to the policy delete: give both or neither")
	}
	for key, d := range map[string]time.Duration{"min_compaction_lag": t.MinCompactionLag, "max_compaction_lag": t.MaxCompactionLag, "delete_retention": t.DeleteRetention} {
		if d > 0 && !t.Has(Compact) {
			fail(key, "belongs to the policy compact")
		}
	}
	if t.MaxCompactionLag > 0 && t.MinCompactionLag > t.MaxCompactionLag {
		fail("min_compaction_lag", "%s is more than max_compaction_lag, %s", text(t.MinCompactionLag), text(t.MaxCompactionLag))
	}
	if t.Retention > 0 && t.MaxCompactionLag >= t.Retention {
		fail("max_compaction_lag", "%s is not below retention, %s: nothing would ever be compacted", text(t.MaxCompactionLag), text(t.Retention))
	}
}

// kind holds what the kind of a topic asks for.
func (j *judge) kind(t Topic) {
	want := func(ok bool, key, why string) {
		if !ok {
			j.fail("topic", t.Name, key, "a topic of kind %s %s", t.Kind, why)
		}
	}
	both := t.Has(Compact) && t.Has(Delete)
	switch t.Kind {
	case Facts:
		want(t.Key == KeyEventID, "key", "is keyed by event_id: keyed by anything else, compaction destroys history")
		want(t.PartitionBy == BySubject, "partition_by", "is partitioned by subject: its order is per subject")
		want(both, "cleanup_policy", "has [compact, delete]: copies are folded together, and history ends")
		want(t.Timestamp == LogAppendTime, "timestamp", "has LogAppendTime: with CreateTime an old report is deleted on arrival")
		want(t.MinCompactionLag > 0, "min_compaction_lag", "needs it: a reader behind compaction misses records")
		want(t.MaxCompactionLag > 0, "max_compaction_lag", "needs it: it bounds how long an erasure takes")
		want(t.DeleteRetention > 0, "delete_retention", "needs it: a slower fold from the start brings erased facts back")
	case Inbox:
		want(t.Key == KeyAny && t.PartitionBy == ByAny, "key", "takes any key and any partitioner: key and partition_by are any")
		want(t.Has(Delete) && !t.Has(Compact), "cleanup_policy", "has [delete]: a compacted topic refuses records without a key")
		want(t.Timestamp == LogAppendTime, "timestamp", "has LogAppendTime: producers' clocks must not delete records")
	case Snapshots:
		want(t.Key == KeyChunk, "key", "is keyed by chunk")
		want(t.PartitionBy == BySource, "partition_by", "is partitioned by source: a snapshot stands in the partition of the number that was folded")
		want(t.Has(Compact) && !t.Has(Delete), "cleanup_policy", "has [compact]: the newest copy of a chunk is kept until it is tombstoned")
	case DeadLetters:
		want(t.Key == KeyPosition, "key", "is keyed by position: a refold must not write a letter twice")
		want(both, "cleanup_policy", "has [compact, delete]")
		want(t.Timestamp == LogAppendTime, "timestamp", "has LogAppendTime")
	}
}

// letters holds that there is one topic of dead letters, and that what it points at outlives it.
func (j *judge) letters(t Topology) {
	all := t.OfKind(DeadLetters)
	if len(all) != 1 {
		j.fail("topic", "", "kind", "want exactly one topic of kind dead-letters, found %d", len(all))
		return
	}
	for _, topic := range t.Topics {
		if (topic.Kind == Inbox || topic.Kind == Facts) && topic.Retention < all[0].Retention {
			j.fail("topic", topic.Name, "retention", "%s is shorter than %s of %s: letters would point at nothing", text(topic.Retention), text(all[0].Retention), all[0].Name)
		}
	}
}

// sources holds that topics partitioned by source have a partition for each that is folded.
func (j *judge) sources(t Topology) {
	for _, topic := range t.OfKind(Snapshots) {
		for _, facts := range t.OfKind(Facts) {
			if topic.Partitions < facts.Partitions {
				j.fail("topic", topic.Name, "partitions", "%d are less than the %d of %s, whose snapshots it holds", topic.Partitions, facts.Partitions, facts.Name)
			}
		}
	}
}

func (j *judge) group(t Topology, g Group) {
	if !namePattern.MatchString(g.Name) {
		j.fail("group", g.Name, "", wantName)
	}
	if !slices.Contains(Roles, g.Role) {
		j.fail("group", g.Name, "role", "%q: want one of %s", g.Role, strings.Join(Roles, ", "))
	}
	if g.Purpose == "" {
		j.fail("group", g.Name, "purpose", "missing: say what it is for")
	}
	if !slices.ContainsFunc(t.Flows, func(f Flow) bool { return slices.Contains(f.ReadBy, g.Name) }) {
		j.fail("group", g.Name, "", "no flow has it in read_by")
	}
}

func (j *judge) flow(t Topology, f Flow, knownEvents []string) {
	fail := func(key, format string, args ...any) { j.fail("flow", f.Topic, key, format, args...) }
	topic, ok := t.Topic(f.Topic)
	if !ok {
		fail("", "no such topic")
	}
	if len(f.WrittenBy) == 0 {
		fail("written_by", "missing: a topic that nobody writes")
	}
	for _, role := range f.WrittenBy {
		if !slices.Contains(Roles, role) {
			fail("written_by", "%q: want some of %s", role, strings.Join(Roles, ", "))
		}
	}
	for _, group := range f.ReadBy {
		if _, ok := t.Group(group); !ok {
			fail("read_by", "no group %q", group)
		}
	}
	if topic.Kind == Facts && len(f.Events) == 0 {
		fail("events", "missing: say which events it carries")
	}
	for _, event := range f.Events {
		if !slices.Contains(knownEvents, event) {
			fail("events", "unknown event %q", event)
		}
		if other, ok := t.FactsOf(event); ok && topic.Kind == Facts && other.Name != topic.Name {
			fail("events", "%s is in %s too: a fact type lives in one topic", event, other.Name)
		}
	}
}
