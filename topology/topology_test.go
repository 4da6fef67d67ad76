package topology

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var known = []string{"CallReported", "TextReported", "CallReportAmended", "DeviceConnected", "DeviceRenamed", "DeviceLinked", "DeviceUnlinked", "DeviceDisconnected", "ReportSubmitted", "DeviceEventSubmitted"}

func load(t *testing.T, env string) Topology {
	t.Helper()
	topology, err := Load(env, known)
	if err != nil {
		t.Fatalf("Load(%q): %v", env, err)
	}
	return topology
}

func TestLoad(t *testing.T) {
	const day = 24 * time.Hour
	want := Topic{
		Name: "calls.reports", Kind: Facts, Purpose: "call and text reports of subscribers, each one side's statement, kept for 400 days",
		Key: KeyEventID, PartitionBy: BySubject, Partitions: 12, Replication: 3, MinInsync: 2,
		Policy: []string{Compact, Delete}, Retention: 400 * day, MinCompactionLag: 7 * day, MaxCompactionLag: 14 * day,
		DeleteRetention: 7 * day, Segment: 6 * time.Hour, MaxMessageBytes: 1 << 20, Timestamp: LogAppendTime,
	}
	prod := load(t, "prod")
	if got, _ := prod.Topic("calls.reports"); !reflect.DeepEqual(got, want) {
		t.Errorf("calls.reports =\n%+v, want\n%+v", got, want)
	}
	want.Replication, want.MinInsync = 1, 1
	if got, _ := load(t, "dev").Topic("calls.reports"); !reflect.DeepEqual(got, want) {
		t.Errorf("calls.reports in dev =\n%+v, want\n%+v", got, want)
	}
	if got, ok := prod.FactsOf("CallReportAmended"); !ok || got.Name != "calls.reports" {
		t.Errorf("FactsOf(CallReportAmended) = %q, %v", got.Name, ok)
	}
	devices, _ := prod.Topic("devices.lifecycle")
	if want.Name, want.Purpose, want.Replication, want.MinInsync = devices.Name, devices.Purpose, 3, 2; !reflect.DeepEqual(devices, want) {
		t.Errorf("devices.lifecycle =\n%+v, want\n%+v", devices, want)
	}
	if got, ok := prod.FactsOf("DeviceUnlinked"); !ok || got.Name != "devices.lifecycle" {
		t.Errorf("FactsOf(DeviceUnlinked) = %q, %v", got.Name, ok)
	}
	if got := prod.ReadBy("switchboard-processor"); len(got) != 2 || got[0].Name != "calls.reports" || got[1].Name != "devices.lifecycle" {
		t.Errorf("ReadBy(switchboard-processor) = %v", got)
	}
}

func TestWithPrefix(t *testing.T) {
	plain := load(t, "dev")
	prefixed := plain.WithPrefix("run-7.")
	for _, topic := range prefixed.Topics {
		if !strings.HasPrefix(topic.Name, "run-7.") {
			t.Errorf("topic %q has no prefix", topic.Name)
		}
	}
	if _, ok := prefixed.Group("run-7.switchboard-processor"); !ok {
		t.Error("the group has no prefix")
	}
	if err := prefixed.Validate(known); err != nil {
		t.Errorf("with a prefix: %v", err)
	}
	if !reflect.DeepEqual(plain, load(t, "dev")) {
		t.Error("WithPrefix changed its receiver")
	}
	for _, bad := range []string{"a/b", "{x}", "_x", "ü", strings.Repeat("a", 101)} {
		if CheckPrefix(bad) == nil {
			t.Errorf("CheckPrefix(%q) takes it", bad)
		}
	}
}

// nextIssue is what devices, inboxes and snapshots will look like: the format must hold them.
const nextIssue = `
topics:
  devices.lifecycle: {kind: facts, purpose: p, key: event_id, partition_by: subject, partitions: 12, cleanup_policy: [compact, delete],
    retention: 400d, min_compaction_lag: 7d, max_compaction_lag: 14d, delete_retention: 7d, timestamp: LogAppendTime,
    replication: 3, min_insync: 2, max_message_bytes: 1MiB}
  calls.inbox: {kind: inbox, purpose: p, key: any, partition_by: any, partitions: 6, cleanup_policy: [delete], retention: 14d,
    timestamp: LogAppendTime, replication: 3, min_insync: 2, max_message_bytes: 1MiB}
  snapshots: {kind: snapshots, purpose: p, key: chunk, partition_by: source, partitions: 12, cleanup_policy: [compact],
    timestamp: CreateTime, replication: 3, min_insync: 2, max_message_bytes: 1MiB, settings: {min.cleanable.dirty.ratio: 0.1}}
  dead-letters: {kind: dead-letters, purpose: p, key: position, partition_by: any, partitions: 3, cleanup_policy: [delete, compact], retention: 14d,
    timestamp: LogAppendTime, replication: 3, min_insync: 2, max_message_bytes: 1MiB}
groups:
  processor: {role: processor, purpose: p}
  inbox: {role: ingest, purpose: p}
  snapshotter: {role: snapshotter, purpose: p}
flows:
  devices.lifecycle: {written_by: [ingest, import], read_by: [processor, snapshotter], events: [DeviceConnected]}
  calls.inbox: {written_by: [producer], read_by: [inbox], events: [ReportSubmitted]}
  snapshots: {written_by: [snapshotter], read_by: [], events: []}
  dead-letters: {written_by: [ingest, processor], read_by: [], events: []}
`

func TestHoldsTheNextTopics(t *testing.T) {
	topology, err := Parse(known, File{"next.yaml", []byte(nextIssue)})
	if err != nil {
		t.Fatal(err)
	}
	snapshots, _ := topology.Topic("snapshots")
	if got := snapshots.KafkaSettings(); got["min.cleanable.dirty.ratio"] != "0.1" || got["retention.ms"] != "" {
		t.Errorf("settings of snapshots = %v", got)
	}
}

// TestErrors puts one overlay each over topology.yaml, or replaces text in nextIssue, and expects these lines.
func TestErrors(t *testing.T) {
	data, err := files.ReadFile(base)
	if err != nil {
		t.Fatal(err)
	}
	overlays := map[string]string{
		"topics:\n  call.reports: {partitions: 6}":                     "o.yaml:2: call.reports: an overlay changes what is there and cannot add to it: no such name below it",
		"topics:\n  calls.reports: {partition: 6}":                     "o.yaml:2: topic calls.reports: partition: unknown key; known are cleanup_policy, delete_retention",
		"topics:\n  calls.reports: {partitions: many}":                 `o.yaml:2: topic calls.reports: partitions: "many" is not a whole number of at least 1`,
		"topics:\n  calls.reports: {partitions: 0}":                    `o.yaml:2: topic calls.reports: partitions: "0" is not a whole number of at least 1`,
		"topics:\n  calls.reports: {partitions: 3, partitions: 4}":     "o.yaml:2: partitions: given twice",
		"topics:\n  calls.reports:\n    timestamp: CreateTime":         "o.yaml:3: topic calls.reports: timestamp: a topic of kind facts has LogAppendTime: with CreateTime an old report is deleted on arrival",
		"topics:\n  calls.reports: {key: any}":                         "o.yaml:2: topic calls.reports: key: a topic of kind facts is keyed by event_id: keyed by anything else, compaction destroys history",
		"topics:\n  calls.reports: {cleanup_policy: [delete]}":         "o.yaml:2: topic calls.reports: cleanup_policy: a topic of kind facts has [compact, delete]",
		"topics:\n  calls.reports: {cleanup_policy: compact}":          "o.yaml:2: topic calls.reports: cleanup_policy: want a list, such as [a, b]",
		"topics:\n  calls.reports: {retention: 3d}":                    "o.yaml:2: topic calls.reports: retention: 3d is shorter than 14d of dead-letters: letters would point at nothing",
		"topics:\n  calls.reports: {retention: 400}":                   `o.yaml:2: topic calls.reports: retention: "400" is not a duration`,
		"topics:\n  calls.reports: {min_compaction_lag: 15d}":          "o.yaml:2: topic calls.reports: min_compaction_lag: 15d is more than max_compaction_lag, 14d",
		"topics:\n  calls.reports: {max_compaction_lag: 500d}":         "o.yaml:2: topic calls.reports: max_compaction_lag: 500d is not below retention, 400d",
		"topics:\n  calls.reports: {kind: }":                           "o.yaml:2: topic calls.reports: kind: want one value",
		"topics:\n  calls.reports: {segment_bytes: 1KiB}":              "o.yaml:2: topic calls.reports: segment_bytes: 1KiB is below 1MiB",
		"topics:\n  calls.reports: {settings: {retention.ms: 5}}":      "o.yaml:2: topic calls.reports: settings: retention.ms has a key of its own here",
		"topics:\n  calls.reports: 7":                                  "o.yaml:2: topic calls.reports: want a mapping",
		"defaults:\n  replication: 1":                                  "topology.yaml:18: topic calls.reports: min_insync: 2 must lie between 1 and the replication, 1, or nothing can be written",
		"defaults: {partitions: 3}":                                    "o.yaml:1: partitions: an overlay changes what is there and cannot add to it: no such name below it",
		"groups:\n  switchboard-processor: {role: cook}":               `o.yaml:2: group switchboard-processor: role: "cook": want one of ingest`,
		"flows:\n  calls.reports: {events: [CallReported, CallEnded]}": `o.yaml:2: flow calls.reports: events: unknown event "CallEnded"`,
		"flows:\n  calls.reports: {events: []}":                        "o.yaml:2: flow calls.reports: events: missing: say which events it carries",
		"flows:\n  calls.reports: {written_by: [me]}":                  `o.yaml:2: flow calls.reports: written_by: "me": want some of ingest`,
		"flows:\n  calls.reports: {read_by: [x]}":                      `o.yaml:2: flow calls.reports: read_by: no group "x"`,
		"flows:\n  calls.reports: {read_by: [switchboard-processor]}\n  devices.lifecycle: {read_by: [switchboard-processor]}": "topology.yaml:130: group switchboard-snapshotter: no flow has it in read_by",
		"queues: {}": "o.yaml:1: queues: an overlay changes what is there and cannot add to it: no such name below it",
		"topics: [":  "o.yaml: line 1: did not find expected node content",
		"topics:\n  calls.reports: &x {partitions: 12}\nflows: *x":      "o.yaml:3: anchors and aliases are not used here: write the value",
		"topics:\n  dead-letters: {kind: facts}":                        "topic: kind: want exactly one topic of kind dead-letters, found 0",
		"topics:\n  calls.reports: {purpose: ''}":                       "o.yaml:2: topic calls.reports: purpose: missing: say what it is for",
		"topics:\n  calls.reports: {retention: 500us}":                  `o.yaml:2: topic calls.reports: retention: "500us" is not a whole number of milliseconds above 0`,
		"topics:\n  calls.reports: {cleanup_policy: [compact, shrink]}": `o.yaml:2: topic calls.reports: cleanup_policy: "shrink": want compact, delete or both`,
	}
	for overlay, want := range overlays {
		_, err := Parse(known, File{base, data}, File{"o.yaml", []byte(overlay)})
		expectLine(t, overlay, err, want)
	}
	replaced := map[[2]string]string{
		{"key: any, partition_by: any", "key: event_id, partition_by: subject"}:                  "next.yaml:6: topic calls.inbox: key: a topic of kind inbox takes any key and any partitioner",
		{"cleanup_policy: [delete], retention: 14d", "cleanup_policy: [delete], retention: 13d"}: "next.yaml:6: topic calls.inbox: retention: 13d is shorter than 14d of dead-letters: letters would point at nothing",
		{"cleanup_policy: [compact],", "cleanup_policy: [compact, delete], retention: 1d,"}:      "next.yaml:8: topic snapshots: cleanup_policy: a topic of kind snapshots has [compact]",
		{"cleanup_policy: [compact],", "cleanup_policy: [compact], retention: 1d,"}:              "next.yaml:8: topic snapshots: retention: belongs to the policy delete: give both or neither",
		{"  snapshots: {written_by: [snapshotter], read_by: [], events: []}", ""}:                "next.yaml:8: topic snapshots: no flow says who writes and reads it",
		{"  snapshots: {written_by", "  snapshot: {written_by"}:                                  "next.yaml:19: flow snapshot: no such topic",
		{"events: [ReportSubmitted]", "events: [ReportSubmited]"}:                                `next.yaml:18: flow calls.inbox: events: unknown event "ReportSubmited"`,
	}
	for swap, want := range replaced {
		_, err := Parse(known, File{"next.yaml", []byte(strings.Replace(nextIssue, swap[0], swap[1], 1))})
		expectLine(t, swap[1], err, want)
	}
}

func expectLine(t *testing.T, input string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s\ngives no error, want %s", input, want)
		return
	}
	if !slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(line string) bool { return strings.HasPrefix(line, want) }) {
		t.Errorf("%s\ngives\n%v\nwant a line\n%s", input, err, want)
	}
	var one *Error
	if !errors.As(err, &one) {
		t.Errorf("%s\ngives %T, want *Error inside", input, err)
	}
}

func TestOverlayFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("topics: {calls.reports: {partitions: 3}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	topology, err := Load("dev", known, file)
	if err != nil {
		t.Fatal(err)
	}
	if topic, _ := topology.Topic("calls.reports"); topic.Partitions != 3 || topic.Replication != 1 {
		t.Errorf("partitions, replication = %d, %d, want 3, 1", topic.Partitions, topic.Replication)
	}
	if _, err := Load("dev", known, file+".missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing overlay gives %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(nextIssue, "topics: {snapshots: {partitions: 1}}")
	f.Add("topics: 1", "a: &a [*a]")
	f.Fuzz(func(_ *testing.T, one, two string) {
		topology, err := Parse(known, File{"one.yaml", []byte(one)}, File{"two.yaml", []byte(two)})
		if err == nil {
			_ = Plan(topology, nil).String()
		}
	})
}
