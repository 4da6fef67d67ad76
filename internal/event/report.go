package event

// Report is what calls and texts have in common. The last four fields are derived by intake from
// the counterpart and are not content.
type Report struct {
	Counterpart string    `avro:"counterpart"` // E.164 where it is a number, else opaque; "" unknown; Withheld
	Direction   Direction `avro:"direction"`
	Outcome     Outcome   `avro:"outcome"`
	TAC         string    `avro:"tac"`     // first 8 digits of the IMEI
	Handset     string    `avro:"handset"` // identity of the handset
	SIM         string    `avro:"sim"`
	Cell        string    `avro:"cell"` // mcc-mnc-lac-ci
	AntennaID   string    `avro:"antenna_id"`
	LatE7       int32     `avro:"lat_e7"` // 1e-7 degrees
	LonE7       int32     `avro:"lon_e7"`
	Geohash     string    `avro:"geohash"`
	Repeat      int32     `avro:"repeat"` // ordinal among identical reports that really are several

	CounterpartRegion string     `avro:"counterpart_region"` // ISO 3166-1 alpha-2, or 001
	CounterpartType   NumberType `avro:"counterpart_type"`
	PrefixBucket      string     `avro:"prefix_bucket"` // country code and three digits
	NumberingVersion  string     `avro:"numbering_version"`
}

// CallDetails is what only a call has.
type CallDetails struct {
	DurationS      int32          `avro:"duration_s"` // 0 when not answered
	RingS          int32          `avro:"ring_s"`
	AnsweredAt     int64          `avro:"answered_at"` // Unix milliseconds
	ForwardedFrom  string         `avro:"forwarded_from"`
	ForwardingKind ForwardingKind `avro:"forwarding_kind"`
}

// MaxDurationS is the longest call that is believed: a week.
const MaxDurationS = 604_800

// IsContact tells whether the report names another party: bandicoot ignores reports that do not.
func (r *Report) IsContact() bool { return r.Counterpart != "" && r.Counterpart != Withheld }

// Antenna is where the report was made: the antenna, or else the cell, or "" when unknown.
func (r *Report) Antenna() string {
	if r.AntennaID != "" {
		return r.AntennaID
	}
	return r.Cell
}

// writeReport appends the content fields of a report and, for a call, of its details; details is nil for a text,
// amendment nil for an original.
func writeReport(c *content, r *Report, d *CallDetails, a *CallReportAmended) {
	if a != nil && !a.Amends.IsZero() {
		c.text("amends", a.Amends.String())
	}
	if d != nil {
		c.number("answered_at", d.AnsweredAt)
	}
	c.text("antenna_id", r.AntennaID)
	c.text("cell", r.Cell)
	c.text("counterpart", r.Counterpart)
	c.symbol("direction", uint8(r.Direction), r.Direction)
	if d != nil {
		c.number("duration_s", int64(d.DurationS))
		c.text("forwarded_from", d.ForwardedFrom)
		c.symbol("forwarding_kind", uint8(d.ForwardingKind), d.ForwardingKind)
	}
	c.text("geohash", r.Geohash)
	c.text("handset", r.Handset)
	if a != nil {
		c.symbol("kind", uint8(a.Kind), a.Kind)
	}
	c.number("lat_e7", int64(r.LatE7))
	c.number("lon_e7", int64(r.LonE7))
	c.common("occurred_at")
	c.symbol("outcome", uint8(r.Outcome), r.Outcome)
	c.number("repeat", int64(r.Repeat))
	if a != nil {
		c.number("revision", int64(a.Revision))
	}
	if d != nil {
		c.number("ring_s", int64(d.RingS))
	}
	c.text("sim", r.SIM)
	c.common("subject")
	c.text("tac", r.TAC)
}
