package topology

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/config/unit"
)

// Kafka's names of the topic settings that have a field in Topic.
const (
	cleanupPolicy   = "cleanup.policy"
	retentionMs     = "retention.ms"
	retentionBytes  = "retention.bytes"
	minLagMs        = "min.compaction.lag.ms"
	maxLagMs        = "max.compaction.lag.ms"
	deleteRetention = "delete.retention.ms"
	segmentMs       = "segment.ms"
	segmentBytes    = "segment.bytes"
	maxMessageBytes = "max.message.bytes"
	timestampType   = "message.timestamp.type"
	minInsync       = "min.insync.replicas"
)

var namedSettings = []string{
	cleanupPolicy, retentionMs, retentionBytes, minLagMs, maxLagMs, deleteRetention, segmentMs, segmentBytes, maxMessageBytes, timestampType, minInsync,
}

// EmbeddedIgnores are the settings that franz-go's in-process broker takes but does not have: give them to
// Plan as unchecked when the broker is embedded.
var EmbeddedIgnores = []string{minLagMs, maxLagMs, timestampType}

// KafkaSettings is everything asked for by Kafka's own names, as CreateTopics and IncrementalAlterConfigs take it.
func (t Topic) KafkaSettings() map[string]string {
	all := t.named()
	maps.Copy(all, t.Settings)
	return all
}

// named is the settings that have a field.
func (t Topic) named() map[string]string {
	all := map[string]string{
		cleanupPolicy: strings.Join(t.Policy, ","),
		timestampType: t.Timestamp,
		minInsync:     strconv.Itoa(int(t.MinInsync)),
	}
	if t.Has(Delete) {
		// History ends by time alone, whatever the broker's default for sizes is.
		all[retentionBytes] = "-1"
	}
	for name, d := range map[string]time.Duration{
		retentionMs: t.Retention, minLagMs: t.MinCompactionLag, maxLagMs: t.MaxCompactionLag, deleteRetention: t.DeleteRetention, segmentMs: t.Segment,
	} {
		if d > 0 {
			all[name] = strconv.FormatInt(d.Milliseconds(), 10)
		}
	}
	for name, b := range map[string]unit.Bytes{segmentBytes: t.SegmentBytes, maxMessageBytes: t.MaxMessageBytes} {
		if b > 0 {
			all[name] = strconv.FormatInt(int64(b), 10)
		}
	}
	return all
}

// sameSetting compares as the broker does: numbers by value, policies as sets.
func sameSetting(name, a, b string) bool {
	if name == cleanupPolicy {
		return slices.Equal(policies(a), policies(b))
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX == nil && errY == nil {
		return x == y
	}
	return a == b
}

func policies(s string) []string {
	list := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	slices.Sort(list)
	return list
}

// lossy says why a change of a setting could lose data or weaken what was acknowledged; empty if it
// cannot.
func lossy(name, from, to string) string {
	old, errOld := strconv.ParseInt(from, 10, 64)
	wanted, errWanted := strconv.ParseInt(to, 10, 64)
	if errOld != nil || errWanted != nil {
		return ""
	}
	less := wanted < old
	switch name {
	case retentionMs, retentionBytes: // -1 is without end
		if wanted >= 0 && (less || old < 0) {
			return "would delete records"
		}
	case deleteRetention:
		if less {
			return "would take tombstones away from a fold that is under way"
		}
	case minInsync:
		if less {
			return "would count records as written that fewer brokers have"
		}
	}
	return ""
}

// people shows a setting as Kafka has it, with a form for people behind it.
func people(name, value string) string {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case value == "":
		return "(none)"
	case err != nil || n <= 0:
		return value
	case strings.HasSuffix(name, ".ms") && n < int64(1<<63-1)/int64(time.Millisecond):
		return fmt.Sprintf("%s (%s)", value, text(time.Duration(n)*time.Millisecond))
	case strings.HasSuffix(name, ".bytes") && unit.Bytes(n)%unit.KiB == 0:
		return fmt.Sprintf("%s (%s)", value, unit.Bytes(n))
	}
	return value
}

func text(d time.Duration) string { return unit.FormatDuration(d) }
