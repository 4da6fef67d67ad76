package pipeline

import (
	"strings"
	"testing"

	"switchboard/internal/event"
)

const planted = "+447700900123" // of nobody: Ofcom's range for drama

// call is a fact that keeps the contract, and the record that carries it.
func call(change func(*event.CallReported)) (event.Event, *Raw) {
	e := &event.CallReported{
		Common:      event.Common{Subject: planted, OccurredAt: 1_709_510_400_000, UTCOffsetS: 3600},
		Report:      event.Report{Counterpart: planted, Direction: event.In, Outcome: event.Answered},
		CallDetails: event.CallDetails{DurationS: 60},
	}
	if change != nil {
		change(e)
	}
	e.ID = event.IDOf(e)
	return e, &Raw{Key: e.ID[:], Value: []byte("value")}
}

func TestContract(t *testing.T) {
	const partitions = 12
	home := event.PartitionOf(planted, partitions)
	long := strings.Repeat("x", 257)
	for _, row := range []struct {
		name, class, reason string
		change              func(*event.CallReported)
		record              func(*event.CallReported, *Raw)
		partition           int32
	}{
		{name: "kept", partition: home},
		{name: "no subject", class: ClassInvalidField, reason: "subject: must not be empty", change: func(e *event.CallReported) { e.Subject = "" }},
		{name: "endless subject", class: ClassInvalidField, reason: "subject: must be at most 256 bytes", change: func(e *event.CallReported) { e.Subject = event.Subject(long) }},
		{name: "subject no UTF-8", class: ClassInvalidField, reason: "subject: must be UTF-8", change: func(e *event.CallReported) { e.Subject = "\xff" }},
		{name: "before the year 1", class: ClassInvalidField, reason: "occurred_at: must lie in the years 1 to 9999", change: func(e *event.CallReported) { e.OccurredAt = -1 << 62 }},
		{name: "after the year 9999", class: ClassInvalidField, reason: "occurred_at: must lie in the years 1 to 9999", change: func(e *event.CallReported) { e.OccurredAt = 1 << 62 }},
		{name: "far future, which no clock judges", partition: home, change: func(e *event.CallReported) { e.OccurredAt = 253_402_300_799_999 }},
		{name: "1970", partition: home, change: func(e *event.CallReported) { e.OccurredAt = 0 }},
		{name: "offset", class: ClassInvalidField, reason: "utc_offset_s: must be within 18 hours", change: func(e *event.CallReported) { e.UTCOffsetS = 18*3600 + 1 }},
		{name: "no direction", class: ClassInvalidField, reason: "direction: must be in or out", change: func(e *event.CallReported) { e.Direction = event.DirectionUnknown }},
		{name: "negative duration", class: ClassInvalidField, reason: "duration_s: must be 0 to 604800", change: func(e *event.CallReported) { e.DurationS = -1 }},
		{name: "duration beyond a week", class: ClassInvalidField, reason: "duration_s: must be 0 to 604800", change: func(e *event.CallReported) { e.DurationS = 604_801 }},
		{name: "negative ring", class: ClassInvalidField, reason: "ring_s: must be >= 0", change: func(e *event.CallReported) { e.RingS = -1 }},
		{name: "negative repeat", class: ClassInvalidField, reason: "repeat: must be >= 0", change: func(e *event.CallReported) { e.Repeat = -1 }},
		{name: "endless counterpart", class: ClassInvalidField, reason: "counterpart: must be at most 256 bytes", change: func(e *event.CallReported) { e.Counterpart = long }},

		{name: "no key", class: ClassBadKey, reason: "key", record: func(_ *event.CallReported, r *Raw) { r.Key = nil }, partition: home},
		{name: "key is the subject", class: ClassBadKey, reason: "key", record: func(_ *event.CallReported, r *Raw) { r.Key = []byte(planted) }, partition: home},
		{name: "key is the id as text", class: ClassBadKey, reason: "key", record: func(e *event.CallReported, r *Raw) { r.Key = []byte(e.ID.String()) }, partition: home},
		{name: "random id", class: ClassBadID, reason: "hash of the content", record: func(e *event.CallReported, r *Raw) { e.ID[3]++; r.Key = e.ID[:] }, partition: home},
		{name: "same id, other content", class: ClassBadID, reason: "hash of the content", record: func(e *event.CallReported, r *Raw) { e.DurationS++ }, partition: home},
		{name: "noise beside the content", record: func(e *event.CallReported, r *Raw) {
			e.RecordedAt, e.Source, e.NativeID, e.CounterpartRegion, e.Attempt, e.Reason = 7, "s", "n", "GB", 3, "why"
		}, partition: home},
		{name: "wrong partition", class: ClassWrongPartition, reason: "belongs into partition", partition: (home + 1) % partitions},
		{name: "the field before the key, the key before the partition", class: ClassInvalidField, reason: "ring_s", partition: (home + 1) % partitions,
			change: func(e *event.CallReported) { e.RingS = -1 }, record: func(_ *event.CallReported, r *Raw) { r.Key = nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			e, raw := call(row.change)
			if row.record != nil {
				row.record(e.(*event.CallReported), raw)
			}
			got := check(raw, e, row.partition, partitions, new([]byte))
			switch {
			case row.class == "" && got != nil:
				t.Fatalf("refused: %v", got)
			case row.class == "":
				return
			case got == nil:
				t.Fatalf("taken, want %s", row.class)
			}
			if got.Class != row.class || !strings.Contains(got.Reason, row.reason) {
				t.Errorf("got %v, want %s: ...%s", got, row.class, row.reason)
			}
			if strings.Contains(got.Error(), planted) || strings.Contains(got.Error(), planted[1:]) {
				t.Errorf("%q holds the number", got)
			}
		})
	}
}
