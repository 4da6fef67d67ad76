// Package avrowire turns events into bytes and bytes into events. It is the only home of the Avro
// libraries beside the check of package schemas: goavro writes bodies, twmb/avro reads them.
//
// A value is a frame and an Avro body. Ours is the single-object frame: C3 01, then the fingerprint
// of the writer's schema, 8 bytes little-endian. The frame of Confluent's registry is read too, and
// written on request: 00, then the schema's id, 4 bytes big-endian.
//
// Whether the content of a fact makes sense is not judged here: see event.Validate and event.IDOf.
package avrowire

import (
	"switchboard/internal/event"
)

// record is one kind of record that can be written and read.
type record struct {
	name  string // short name, also the name in package schemas
	land  func() landing
	write func(*natives, event.Event)
}

// facts is every fact, one line each.
var facts = []record{
	{"CallReported", func() landing { return new(callReported) }, writeCallReported},
	{"TextReported", func() landing { return new(textReported) }, writeTextReported},
	{"CallReportAmended", func() landing { return new(callReportAmended) }, writeCallReportAmended},
	{"DeviceConnected", func() landing { return new(deviceConnected) }, writeDeviceConnected},
	{"DeviceRenamed", func() landing { return new(deviceRenamed) }, writeDeviceRenamed},
	{"DeviceLinked", func() landing { return new(deviceLinked) }, writeDeviceLinked},
	{"DeviceUnlinked", func() landing { return new(deviceUnlinked) }, writeDeviceUnlinked},
	{"DeviceDisconnected", func() landing { return new(deviceDisconnected) }, writeDeviceDisconnected},
}

// The records that are no facts yet.
const (
	submitted       = "ReportSubmitted"
	deviceSubmitted = "DeviceEventSubmitted"
)

// records is every record that can be written and read.
func records() []record {
	return append(facts[:len(facts):len(facts)], record{name: submitted}, record{name: deviceSubmitted})
}

const (
	singleObject0, singleObject1 = 0xC3, 0x01
	singleObjectFrame            = 2 + 8
	confluent0                   = 0x00
	confluentFrame               = 1 + 4
)

// Class says what is wrong with a value, as it is counted and stored in dead letters.
type Class string

// The classes of values that can never be decoded, however often one tries.
const (
	BadFrame      Class = "bad_frame"       // no frame that we know
	BadAvro       Class = "bad_avro"        // the body does not fit the schema that the frame names
	UnknownSchema Class = "unknown_schema"  // the frame names a schema that is not known, or does not fit here
	Unexpected    Class = "unexpected_type" // a record of ours that does not belong here: no fact, or not the incoming record that is wanted
)

// Error is the verdict on a value. It is deterministic: the same bytes get it again. Reason holds
// nothing of the value's content, so that it can be logged and stored.
type Error struct {
	Class  Class
	Reason string
}

func (e *Error) Error() string { return string(e.Class) + ": " + e.Reason }
