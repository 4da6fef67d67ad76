package intake

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"switchboard/internal/event"
)

// MaxAhead is how far the start of a report may lie in the future of our clock.
const MaxAhead = 5 * time.Minute

// Options configure an Intake.
type Options struct {
	// DefaultRegion reads national numbers where neither the report nor its subscriber's number
	// tells a region: ISO 3166-1 alpha-2, "" for none, which leaves such numbers as they are.
	DefaultRegion string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// RememberNumbers bounds the numbers whose reading is remembered; 0 is 65,536 (about 12 MB), and 16 times as many that come in E.164 (about 25 MB).
	RememberNumbers int
}

// Intake makes facts of reports. It may be used by many goroutines.
type Intake struct {
	region  string
	now     func() time.Time
	numbers *numbers
	zones   zones
}

// New makes an Intake; the error is about DefaultRegion.
func New(o Options) (*Intake, error) {
	o.DefaultRegion = strings.ToUpper(o.DefaultRegion)
	if o.DefaultRegion != "" && !knownRegion(o.DefaultRegion) {
		return nil, fmt.Errorf("intake: default region %q is not an ISO 3166-1 alpha-2 code with a numbering plan", o.DefaultRegion)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RememberNumbers == 0 {
		o.RememberNumbers = 65_536
	}
	return &Intake{region: o.DefaultRegion, now: o.Now, numbers: newNumbers(o.RememberNumbers)}, nil
}

// AcceptJSON reads one JSON object and accepts it. The error is an Errors.
func (in *Intake) AcceptJSON(data []byte) (event.Event, error) {
	s, err := DecodeJSON(data)
	if err != nil {
		return nil, err
	}
	return in.Accept(s)
}

// Accept makes the fact that a report states: a CallReported, a TextReported or, if it amends
// another one, a CallReportAmended, normalised, with its id. What is wrong with it is an Errors.
func (in *Intake) Accept(s event.Submitted) (event.Event, error) {
	var bad Errors
	now := in.now()
	text := s.Kind == event.Text.String()
	c := in.common(&s, now, &bad)
	r, d := in.report(&s, &bad)
	checkCall(&s, text, now, &bad)
	amends := amendment(&s, &bad)
	if len(bad) > 0 {
		return nil, bad
	}
	var e event.Event
	switch {
	case !amends.IsZero():
		kind, _ := event.ParseKind(s.Kind)
		e = &event.CallReportAmended{Common: c, Report: r, CallDetails: d, Kind: kind, Amends: amends, Revision: s.Revision}
	case text:
		e = &event.TextReported{Common: c, Report: r}
	default:
		e = &event.CallReported{Common: c, Report: r, CallDetails: d}
	}
	return finish(e)
}

// finish gives a fact its id, if it is one that everybody may rely on.
func finish(e event.Event) (event.Event, error) {
	if err := event.Validate(e); err != nil {
		var field *event.FieldError
		if errors.As(err, &field) {
			return nil, Errors{field}
		}
		return nil, problem("", err.Error())
	}
	e.Envelope().ID = event.IDOf(e)
	return e, nil
}

// common reads what all facts share, and resolves s.Region.
func (in *Intake) common(s *event.Submitted, now time.Time, bad *Errors) event.Common {
	kind, known := event.ParseKind(s.Kind)
	bad.check("kind", s.Kind != "", "is required")
	bad.check("kind", s.Kind == "" || known && kind != event.KindUnknown, "must be call or text")
	bad.check("subscriber", strings.TrimSpace(s.Subscriber) != "", "is required")
	bad.text("subscriber", s.Subscriber)
	checkTime("started_at", s.StartedAt, now, bad)
	s.Region = strings.ToUpper(s.Region)
	if s.Region != "" && !knownRegion(s.Region) {
		bad.add("region", "must be an ISO 3166-1 alpha-2 code with a numbering plan")
		s.Region = ""
	}
	subject := in.numbers.parse(s.Subscriber, first(s.Region, in.region))
	bad.check("subscriber", subject.ID != event.Withheld, "must not be the reserved word withheld")
	if s.Region == "" && subject.Region != "001" {
		s.Region = in.numbers.dialRegion(subject)
	}
	s.Region = first(s.Region, in.region)
	offset, unknown := in.offset(s.StartedAt, "started_at", s.UTCOffsetS, s.Zone, bad)
	c := event.Common{
		Subject: event.Subject(subject.ID), OccurredAt: s.StartedAt, UTCOffsetS: offset, ZoneUnknown: unknown,
		RecordedAt: now.UnixMilli(), Source: s.Source, Reporter: s.Reporter, NativeID: s.NativeID,
		Batch: s.Batch, Attempt: s.Attempt, Actor: s.Actor, Reason: s.Reason,
		CorrelationID: s.CorrelationID, CausationID: s.CausationID,
	}
	checkMeta(&c, bad)
	return c
}

// report reads what calls and texts share, and the call's details; s.Region is the resolved one.
func (in *Intake) report(s *event.Submitted, bad *Errors) (event.Report, event.CallDetails) {
	direction, known := event.ParseDirection(s.Direction)
	bad.check("direction", s.Direction != "", "is required")
	bad.check("direction", s.Direction == "" || known && direction != event.DirectionUnknown, "must be in or out")
	outcome, known := event.ParseOutcome(first(s.Outcome, event.OutcomeUnknown.String()))
	bad.check("outcome", known, oneOutcome)
	forwarding, known := event.ParseForwardingKind(first(s.ForwardingKind, event.ForwardingUnknown.String()))
	bad.check("forwarding_kind", known, "must be unconditional, conditional_busy, conditional_not_reachable or conditional_no_answer")
	checkPlace(s, bad)

	r := event.Report{
		Direction: direction, Outcome: outcome,
		TAC: s.TAC, Handset: s.Handset, SIM: s.SIM, Cell: s.Cell, AntennaID: s.AntennaID,
		LatE7: s.LatE7, LonE7: s.LonE7, Geohash: s.Geohash, Repeat: s.Repeat,
	}
	bad.text("counterpart", s.Counterpart)
	switch other := in.numbers.parse(s.Counterpart, s.Region); {
	case s.Withheld || other.ID == event.Withheld:
		bad.check("counterpart", other.ID == "" || other.ID == event.Withheld, "must not be given when withheld is true")
		r.Counterpart = event.Withheld
	default:
		r.Counterpart, r.CounterpartRegion, r.CounterpartType, r.PrefixBucket = other.ID, other.Region, other.Type, other.Prefix
		if other.IsNumber() {
			r.NumberingVersion = NumberingVersion
		}
	}
	bad.text("forwarded_from", s.ForwardedFrom)
	return r, event.CallDetails{
		DurationS: s.DurationS, RingS: s.RingS, AnsweredAt: s.AnsweredAt,
		ForwardedFrom: in.numbers.parse(s.ForwardedFrom, s.Region).ID, ForwardingKind: forwarding,
	}
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
