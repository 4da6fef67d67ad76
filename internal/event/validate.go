package event

import (
	"fmt"
	"unicode/utf8"
)

// FieldError names the field of a fact that breaks the contract. Its text holds no value, so that
// it can be logged and stored in a dead letter.
type FieldError struct {
	Field   string
	Problem string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

const (
	maxNameBytes = 256
	// The years 1 to 9999, which is what an ISO week can be written for.
	minMs, maxMs  = -62_135_596_800_000, 253_402_300_799_999
	maxUTCOffsetS = 18 * 3600
)

// Made once: Validate runs for every record.
var (
	tooLong     = fmt.Sprintf("must be at most %d bytes", maxNameBytes)
	badDuration = fmt.Sprintf("must be 0 to %d", MaxDurationS)
)

// Validate checks what every reader relies on, whoever wrote the fact. It never judges time by a
// clock: a rebuild next year must come to the same verdict.
func Validate(e Event) error {
	c := e.Envelope()
	v := validator{}
	v.check("subject", c.Subject != "", "must not be empty")
	v.text("subject", string(c.Subject))
	v.check("occurred_at", c.OccurredAt >= minMs && c.OccurredAt <= maxMs, "must lie in the years 1 to 9999")
	v.check("utc_offset_s", c.UTCOffsetS >= -maxUTCOffsetS && c.UTCOffsetS <= maxUTCOffsetS, "must be within 18 hours")
	switch e := e.(type) {
	case *CallReported:
		v.report(&e.Report)
		v.call(&e.CallDetails)
	case *TextReported:
		v.report(&e.Report)
	case *CallReportAmended:
		v.report(&e.Report)
		v.call(&e.CallDetails)
		v.check("kind", e.Kind == Call || e.Kind == Text, "must be call or text")
		v.check("amends", !e.Amends.IsZero(), "must name the original report")
		v.check("revision", e.Revision >= 1, "must be >= 1")
		v.check("duration_s", e.Kind != Text || e.DurationS == 0, "must be 0 for a text")
	case *DeviceConnected:
		v.session(&e.Session)
		v.texts(named{"via_device_id", e.ViaDeviceID}, named{"transport", e.Transport}, named{"address_hash", e.AddressHash},
			named{"firmware", e.Firmware}, named{"model", e.Model}, named{"manufacturer", e.Manufacturer})
	case *DeviceDisconnected:
		v.session(&e.Session)
	case *DeviceRenamed:
		v.check("new_name", e.NewName != "", "must not be empty")
		v.texts(named{"old_name", e.OldName}, named{"new_name", e.NewName}, named{"renamed_by", e.RenamedBy})
	case *DeviceLinked:
		v.link(&e.Link)
	case *DeviceUnlinked:
		v.link(&e.Link)
	default:
		return fmt.Errorf("event: no rules for %T: add them to Validate", e)
	}
	if v.err != nil {
		return v.err
	}
	return nil
}

// validator keeps the first problem.
type validator struct{ err *FieldError }

func (v *validator) check(field string, ok bool, problem string) {
	if !ok && v.err == nil {
		v.err = &FieldError{Field: field, Problem: problem}
	}
}

func (v *validator) text(field, s string) {
	v.check(field, len(s) <= maxNameBytes, tooLong)
	v.check(field, utf8.ValidString(s), "must be UTF-8")
}

func (v *validator) report(r *Report) {
	v.check("direction", r.Direction == In || r.Direction == Out, "must be in or out")
	for _, f := range [...]struct{ name, value string }{
		{"counterpart", r.Counterpart}, {"antenna_id", r.AntennaID}, {"cell", r.Cell}, {"tac", r.TAC}, {"handset", r.Handset}, {"sim", r.SIM}, {"geohash", r.Geohash},
	} {
		v.text(f.name, f.value)
	}
	v.check("repeat", r.Repeat >= 0, "must be >= 0")
}

func (v *validator) call(d *CallDetails) {
	v.check("duration_s", d.DurationS >= 0 && d.DurationS <= MaxDurationS, badDuration)
	v.check("ring_s", d.RingS >= 0, "must be >= 0")
	v.text("forwarded_from", d.ForwardedFrom)
}

func (v *validator) session(s *Session) {
	v.check("session_id", s.SessionID != "", "must not be empty")
	v.text("session_id", s.SessionID)
	v.check("session_seq", s.SessionSeq >= 0, "must be >= 0")
}

func (v *validator) link(l *Link) {
	v.check("other_device_id", l.OtherDeviceID != "", "must not be empty")
	v.texts(named{"other_device_id", l.OtherDeviceID}, named{"link_kind", l.LinkKind})
}

type named struct{ name, value string }

func (v *validator) texts(list ...named) {
	for _, f := range list {
		v.text(f.name, f.value)
	}
}
