package avrowire

import "switchboard/internal/event"

// Reading straight into a fact is slow: twmb/avro takes its fast path for ["null", T] only where
// the target is a *T, and reflection everywhere else (2.3 times the time for a call). So facts are
// read through a landing: the fact itself, and in front of it a pointer for each optional field
// that leads to the field in the fact. The shallower field wins its name; a null sets the pointer
// to nil and leaves the field zero, a value is written where the pointer leads.
//
// An optional field that is missing here is read all the same, by reflection. TestLandings fails
// for it, and TestRoundTripAndConformance for a pointer that leads elsewhere.

type optionalCommon struct {
	Reporter      *string `avro:"reporter"`
	NativeID      *string `avro:"native_id"`
	Batch         *string `avro:"batch"`
	Attempt       *int32  `avro:"attempt"`
	Actor         *string `avro:"actor"`
	Reason        *string `avro:"reason"`
	CorrelationID *string `avro:"correlation_id"`
	CausationID   *string `avro:"causation_id"`
}

func (o *optionalCommon) lead(c *event.Common) {
	*o = optionalCommon{
		Reporter: &c.Reporter, NativeID: &c.NativeID, Batch: &c.Batch, Attempt: &c.Attempt,
		Actor: &c.Actor, Reason: &c.Reason, CorrelationID: &c.CorrelationID, CausationID: &c.CausationID,
	}
}

type optionalReport struct {
	Counterpart *string `avro:"counterpart"`
	TAC         *string `avro:"tac"`
	Handset     *string `avro:"handset"`
	SIM         *string `avro:"sim"`
	Cell        *string `avro:"cell"`
	AntennaID   *string `avro:"antenna_id"`
	LatE7       *int32  `avro:"lat_e7"`
	LonE7       *int32  `avro:"lon_e7"`
	Geohash     *string `avro:"geohash"`

	CounterpartRegion *string `avro:"counterpart_region"`
	PrefixBucket      *string `avro:"prefix_bucket"`
	NumberingVersion  *string `avro:"numbering_version"`
}

func (o *optionalReport) lead(r *event.Report) {
	*o = optionalReport{
		Counterpart: &r.Counterpart, TAC: &r.TAC, Handset: &r.Handset, SIM: &r.SIM,
		Cell: &r.Cell, AntennaID: &r.AntennaID, LatE7: &r.LatE7, LonE7: &r.LonE7, Geohash: &r.Geohash,
		CounterpartRegion: &r.CounterpartRegion, PrefixBucket: &r.PrefixBucket, NumberingVersion: &r.NumberingVersion,
	}
}

type optionalCall struct {
	RingS         *int32  `avro:"ring_s"`
	AnsweredAt    *int64  `avro:"answered_at"`
	ForwardedFrom *string `avro:"forwarded_from"`
}

func (o *optionalCall) lead(d *event.CallDetails) {
	*o = optionalCall{RingS: &d.RingS, AnsweredAt: &d.AnsweredAt, ForwardedFrom: &d.ForwardedFrom}
}

// landing is what values of one kind of fact are read into.
type landing interface {
	// reset makes it empty and lays the pointers.
	reset()
	// take copies the fact out.
	take() event.Event
}

type callReported struct {
	event.CallReported
	optionalCommon
	optionalReport
	optionalCall
}

func (l *callReported) reset() {
	l.CallReported = event.CallReported{}
	l.optionalCommon.lead(&l.CallReported.Common)
	l.optionalReport.lead(&l.CallReported.Report)
	l.optionalCall.lead(&l.CallReported.CallDetails)
}

func (l *callReported) take() event.Event { e := l.CallReported; return &e }

type textReported struct {
	event.TextReported
	optionalCommon
	optionalReport
}

func (l *textReported) reset() {
	l.TextReported = event.TextReported{}
	l.optionalCommon.lead(&l.TextReported.Common)
	l.optionalReport.lead(&l.TextReported.Report)
}

func (l *textReported) take() event.Event { e := l.TextReported; return &e }

type callReportAmended struct {
	event.CallReportAmended
	optionalCommon
	optionalReport
	optionalCall
}

func (l *callReportAmended) reset() {
	l.CallReportAmended = event.CallReportAmended{}
	l.optionalCommon.lead(&l.CallReportAmended.Common)
	l.optionalReport.lead(&l.CallReportAmended.Report)
	l.optionalCall.lead(&l.CallReportAmended.CallDetails)
}

func (l *callReportAmended) take() event.Event { e := l.CallReportAmended; return &e }
