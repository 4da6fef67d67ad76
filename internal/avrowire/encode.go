package avrowire

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/linkedin/goavro/v2"

	"switchboard/internal/event"
	"switchboard/schemas"
)

// SchemaIDs are the ids that a schema registry gave to our current schemas, by record.
type SchemaIDs map[string]uint32

// Encoder writes facts and what is submitted in the current version of their schema. It is safe
// for concurrent use.
type Encoder struct {
	targets map[string]target
	scratch sync.Pool // of *natives
}

// target is how one record is written.
type target struct {
	frame []byte
	codec *goavro.Codec // for the body alone: goavro's fingerprint, and with it its frame, is wrong for logical types
	write func(*natives, event.Event)
}

// NewEncoder makes an Encoder. With ids it writes Confluent's frame, without single objects.
// It fails when ids lack a record.
func NewEncoder(ids SchemaIDs) (*Encoder, error) {
	e := &Encoder{targets: make(map[string]target, len(facts)+2)}
	e.scratch.New = func() any { return &natives{fields: make(map[string]any, 48)} }
	for _, r := range records() {
		s, ok := schemas.Current(r.name)
		if !ok {
			return nil, fmt.Errorf("avrowire: no schema of %s", r.name)
		}
		codec, err := goavro.NewCodec(s.Text)
		if err != nil {
			return nil, fmt.Errorf("avrowire: %s: %w", s.Version, err)
		}
		t := target{codec: codec, write: r.write}
		if ids == nil {
			t.frame = binary.LittleEndian.AppendUint64([]byte{singleObject0, singleObject1}, s.Fingerprint)
		} else {
			id, ok := ids[r.name]
			if !ok {
				return nil, fmt.Errorf("avrowire: the schema ids lack %s", r.name)
			}
			t.frame = binary.BigEndian.AppendUint32([]byte{confluent0}, id)
		}
		e.targets[r.name] = t
	}
	return e, nil
}

// Encode appends the value of a fact to dst. It fails for an enum that has no such symbol and for
// an event that is no fact of ours; dst is returned as it was then.
func (e *Encoder) Encode(dst []byte, fact event.Event) ([]byte, error) {
	t, ok := e.targets[fact.Type()]
	if !ok || t.write == nil {
		return dst, fmt.Errorf("encode %s: it has no line in avrowire", fact.Type())
	}
	n := e.scratch.Get().(*natives)
	defer e.put(n)
	t.write(n, fact)
	return t.append(dst, n, fact.Type())
}

// EncodeSubmitted appends the value of a submitted report to dst. An enum left empty is unknown.
func (e *Encoder) EncodeSubmitted(dst []byte, s *event.Submitted) ([]byte, error) {
	n := e.scratch.Get().(*natives)
	defer e.put(n)
	n.submitted(s)
	return e.targets[submitted].append(dst, n, submitted)
}

func (e *Encoder) put(n *natives) {
	n.reset()
	e.scratch.Put(n)
}

func (t target) append(dst []byte, n *natives, name string) ([]byte, error) {
	out, err := t.codec.BinaryFromNative(append(dst, t.frame...), n.fields)
	if err != nil {
		return dst, fmt.Errorf("encode %s: %w", name, err)
	}
	return out, nil
}

// natives is a record in goavro's terms: a map from field to value, an optional value boxed in a
// map from its type to it. A field that is left out takes its default. The maps are kept and used
// again, since making them costs more than the encoding itself.
type natives struct {
	fields map[string]any
	boxes  [boxKinds]boxes
}

type boxKind int

const (
	textBox boxKind = iota
	intBox
	longBox
	timeBox
	forwardingBox
	boxKinds
)

// boxTypes are the names of union branches, as goavro has them.
var boxTypes = [boxKinds]string{"string", "int", "long", "long.timestamp-millis", "switchboard.ForwardingKind"}

type boxes struct {
	list []map[string]any
	used int
}

// optional sets an optional field to a value that is not null.
func (n *natives) optional(name string, kind boxKind, value any) {
	b := &n.boxes[kind]
	if b.used == len(b.list) {
		b.list = append(b.list, make(map[string]any, 1))
	}
	box := b.list[b.used]
	b.used++
	box[boxTypes[kind]] = value
	n.fields[name] = box
}

// reset forgets the values, so that the pool keeps no event alive.
func (n *natives) reset() {
	clear(n.fields)
	for kind := range n.boxes {
		b := &n.boxes[kind]
		for _, box := range b.list[:b.used] {
			box[boxTypes[kind]] = nil
		}
		b.used = 0
	}
}

func (n *natives) text(name, value string) {
	if value != "" {
		n.optional(name, textBox, value)
	}
}

func (n *natives) number(name string, value int32) {
	if value != 0 {
		n.optional(name, intBox, value)
	}
}

func (n *natives) time(name string, ms int64) {
	if ms != 0 {
		n.optional(name, timeBox, ms)
	}
}

func (n *natives) common(c *event.Common) {
	n.fields["event_id"] = c.ID[:]
	n.fields["subject"] = string(c.Subject)
	n.fields["occurred_at"] = c.OccurredAt
	n.fields["utc_offset_s"] = c.UTCOffsetS
	n.fields["zone_unknown"] = c.ZoneUnknown
	n.fields["recorded_at"] = c.RecordedAt
	n.fields["source"] = c.Source
	n.text("reporter", c.Reporter)
	n.text("native_id", c.NativeID)
	n.text("batch", c.Batch)
	n.number("attempt", c.Attempt)
	n.text("actor", c.Actor)
	n.text("reason", c.Reason)
	n.text("correlation_id", c.CorrelationID)
	n.text("causation_id", c.CausationID)
}

func (n *natives) report(r *event.Report) {
	n.text("counterpart", r.Counterpart)
	n.fields["direction"] = r.Direction.String()
	n.fields["outcome"] = r.Outcome.String()
	n.text("tac", r.TAC)
	n.text("handset", r.Handset)
	n.text("sim", r.SIM)
	n.text("cell", r.Cell)
	n.text("antenna_id", r.AntennaID)
	n.number("lat_e7", r.LatE7)
	n.number("lon_e7", r.LonE7)
	n.text("geohash", r.Geohash)
	n.fields["repeat"] = r.Repeat
	n.text("counterpart_region", r.CounterpartRegion)
	n.fields["counterpart_type"] = r.CounterpartType.String()
	n.text("prefix_bucket", r.PrefixBucket)
	n.text("numbering_version", r.NumberingVersion)
}

func (n *natives) call(d *event.CallDetails) {
	n.fields["duration_s"] = d.DurationS
	n.number("ring_s", d.RingS)
	n.time("answered_at", d.AnsweredAt)
	n.text("forwarded_from", d.ForwardedFrom)
	if d.ForwardingKind != event.ForwardingUnknown {
		n.optional("forwarding_kind", forwardingBox, d.ForwardingKind.String())
	}
}

func writeCallReported(n *natives, fact event.Event) {
	e := fact.(*event.CallReported)
	n.common(&e.Common)
	n.report(&e.Report)
	n.call(&e.CallDetails)
}

func writeTextReported(n *natives, fact event.Event) {
	e := fact.(*event.TextReported)
	n.common(&e.Common)
	n.report(&e.Report)
}

func writeCallReportAmended(n *natives, fact event.Event) {
	e := fact.(*event.CallReportAmended)
	n.common(&e.Common)
	n.report(&e.Report)
	n.call(&e.CallDetails)
	n.fields["kind"] = e.Kind.String()
	n.fields["amends"] = e.Amends[:]
	n.fields["revision"] = e.Revision
}

func (n *natives) symbol(name, value string) {
	if value == "" {
		value = "unknown"
	}
	n.fields[name] = value
}

func (n *natives) submitted(s *event.Submitted) {
	n.symbol("kind", s.Kind)
	n.fields["subscriber"] = s.Subscriber
	n.symbol("direction", s.Direction)
	n.fields["started_at"] = s.StartedAt
	n.text("region", s.Region)
	n.text("counterpart", s.Counterpart)
	n.fields["withheld"] = s.Withheld
	n.symbol("outcome", s.Outcome)
	n.fields["duration_s"] = s.DurationS
	n.number("ring_s", s.RingS)
	if s.UTCOffsetS != nil {
		n.optional("utc_offset_s", intBox, *s.UTCOffsetS)
	}
	n.text("zone", s.Zone)
	n.time("answered_at", s.AnsweredAt)
	n.text("forwarded_from", s.ForwardedFrom)
	if s.ForwardingKind != "" {
		n.optional("forwarding_kind", forwardingBox, s.ForwardingKind)
	}
	n.text("tac", s.TAC)
	n.text("handset", s.Handset)
	n.text("sim", s.SIM)
	n.text("cell", s.Cell)
	n.text("antenna_id", s.AntennaID)
	n.number("lat_e7", s.LatE7)
	n.number("lon_e7", s.LonE7)
	n.text("geohash", s.Geohash)
	n.fields["repeat"] = s.Repeat
	n.text("amends", s.Amends)
	n.number("revision", s.Revision)
	n.text("source", s.Source)
	n.text("reporter", s.Reporter)
	n.text("native_id", s.NativeID)
	n.text("batch", s.Batch)
	n.number("attempt", s.Attempt)
	n.text("actor", s.Actor)
	n.text("reason", s.Reason)
	n.text("correlation_id", s.CorrelationID)
	n.text("causation_id", s.CausationID)
}
