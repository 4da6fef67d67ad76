// Package event holds the facts: what phones reported and what happened to devices, as typed, immutable values, with the
// identity that their content gives them. It is pure: no clock, chance, I/O or goroutine.
//
// A fact is never changed. Whoever learns better appends another fact that says so.
package event

// Subject is the subscriber or device that a fact is about. It decides the partition.
type Subject string

// SubjectKind is a kind of subject. Everything kept about a subject depends on it: each kind has a topic and read models of its own.
type SubjectKind uint8

// The kinds of subjects.
const (
	Subscribers SubjectKind = 1 + iota
	Devices
)

func (k SubjectKind) String() string {
	return symbol([]string{"none", "subscribers", "devices"}, int(k))
}

// Withheld is the counterpart of a report whose other party hid its number. Like a missing
// counterpart it is no contact: it is counted, and otherwise left out of what concerns contacts.
const Withheld = "withheld"

// Event is one fact. The set is closed: see Types.
type Event interface {
	// Type is the short name of the event, also the name of its Avro record.
	Type() string
	// About is the kind of subject that the fact is about: one topic holds facts about one kind.
	About() SubjectKind
	// Envelope gives access to what all facts have in common.
	Envelope() *Common
	// writeContent appends the type's own content, in ascending order of names, merged with the
	// common content by contentOf.
	writeContent(c *content)
}

// Common is what all facts have in common (MODEL.md 1). Its first five fields after ID are content; the rest
// says how the fact came here, and neither folds nor read models ever look at it.
type Common struct {
	ID          ID      `avro:"event_id"`
	Subject     Subject `avro:"subject"`
	OccurredAt  int64   `avro:"occurred_at"`  // Unix milliseconds, as the reporter saw it
	UTCOffsetS  int32   `avro:"utc_offset_s"` // seconds east of UTC at that instant
	ZoneUnknown bool    `avro:"zone_unknown"` // nobody knew the offset; it is 0 then

	RecordedAt    int64  `avro:"recorded_at"` // Unix milliseconds, by intake
	Source        string `avro:"source"`
	Reporter      string `avro:"reporter"`
	NativeID      string `avro:"native_id"`
	Batch         string `avro:"batch"`
	Attempt       int32  `avro:"attempt"`
	Actor         string `avro:"actor"`
	Reason        string `avro:"reason"`
	CorrelationID string `avro:"correlation_id"`
	CausationID   string `avro:"causation_id"`
}

// Envelope gives access to what all facts have in common.
func (c *Common) Envelope() *Common { return c }

// Types lists a zero value of every event, one line each. Schemas, folds and scenarios are
// checked against it by tests/wiring_test.go.
func Types() []Event {
	return []Event{
		&CallReported{},
		&TextReported{},
		&CallReportAmended{},
		&DeviceConnected{},
		&DeviceRenamed{},
		&DeviceLinked{},
		&DeviceUnlinked{},
		&DeviceDisconnected{},
	}
}
