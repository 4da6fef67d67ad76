package event

// Submitted is a report as it comes in, by whichever door: the record ReportSubmitted of
// schemas/report_submitted.v1.avsc, and the same names in JSON. It is what somebody said, nothing
// is checked yet, and it has neither event_id nor recorded_at: intake makes a fact of it.
//
// The zero value of a field means that it was not said. Enums are the symbols as they were
// written, so that intake can name the one it refuses; Avro delivers only symbols it knows, else
// "unknown". In JSON started_at and answered_at may also be RFC 3339; whoever reads JSON sees to it.
type Submitted struct {
	Kind       string `avro:"kind" json:"kind"`             // call, text; required
	Subscriber string `avro:"subscriber" json:"subscriber"` // whose phone reports; required
	Direction  string `avro:"direction" json:"direction"`   // in, out, as the subscriber saw it; required
	StartedAt  int64  `avro:"started_at" json:"started_at"` // Unix milliseconds; required

	Region      string `avro:"region" json:"region,omitempty"` // ISO 3166-1 alpha-2, how national numbers are read
	Counterpart string `avro:"counterpart" json:"counterpart,omitempty"`
	Withheld    bool   `avro:"withheld" json:"withheld,omitempty"` // the other party hid its number
	Outcome     string `avro:"outcome" json:"outcome,omitempty"`
	DurationS   int32  `avro:"duration_s" json:"duration_s,omitempty"`
	RingS       int32  `avro:"ring_s" json:"ring_s,omitempty"`
	UTCOffsetS  *int32 `avro:"utc_offset_s" json:"utc_offset_s,omitempty"` // nil: not said; 0 is UTC
	Zone        string `avro:"zone" json:"zone,omitempty"`                 // IANA name, instead of utc_offset_s

	AnsweredAt     int64  `avro:"answered_at" json:"answered_at,omitempty"` // Unix milliseconds
	ForwardedFrom  string `avro:"forwarded_from" json:"forwarded_from,omitempty"`
	ForwardingKind string `avro:"forwarding_kind" json:"forwarding_kind,omitempty"`
	TAC            string `avro:"tac" json:"tac,omitempty"`
	Handset        string `avro:"handset" json:"handset,omitempty"`
	SIM            string `avro:"sim" json:"sim,omitempty"`
	Cell           string `avro:"cell" json:"cell,omitempty"`
	AntennaID      string `avro:"antenna_id" json:"antenna_id,omitempty"`
	LatE7          int32  `avro:"lat_e7" json:"lat_e7,omitempty"`
	LonE7          int32  `avro:"lon_e7" json:"lon_e7,omitempty"`
	Geohash        string `avro:"geohash" json:"geohash,omitempty"`
	Repeat         int32  `avro:"repeat" json:"repeat,omitempty"`

	Amends   string `avro:"amends" json:"amends,omitempty"` // event id of the original, 36 characters; makes it an amendment
	Revision int32  `avro:"revision" json:"revision,omitempty"`

	Source        string `avro:"source" json:"source,omitempty"`
	Reporter      string `avro:"reporter" json:"reporter,omitempty"`
	NativeID      string `avro:"native_id" json:"native_id,omitempty"`
	Batch         string `avro:"batch" json:"batch,omitempty"`
	Attempt       int32  `avro:"attempt" json:"attempt,omitempty"`
	Actor         string `avro:"actor" json:"actor,omitempty"`
	Reason        string `avro:"reason" json:"reason,omitempty"`
	CorrelationID string `avro:"correlation_id" json:"correlation_id,omitempty"`
	CausationID   string `avro:"causation_id" json:"causation_id,omitempty"`
}
