package intake

import (
	"strings"
	"time"

	"switchboard/internal/event"
)

// deviceShape is the names of event.DeviceSubmitted, one line each; a test holds them equal.
var deviceShape = newShape(
	func(s *event.DeviceSubmitted) (**int32, string) { return &s.UTCOffsetS, s.Zone },
	[]field[event.DeviceSubmitted]{
		{"kind", text(func(s *event.DeviceSubmitted) *string { return &s.Kind })},
		{"device", text(func(s *event.DeviceSubmitted) *string { return &s.Device })},
		{"occurred_at", when(func(s *event.DeviceSubmitted) *int64 { return &s.OccurredAt })},
		{"utc_offset_s", number(func(s *event.DeviceSubmitted) *int32 { s.UTCOffsetS = new(int32); return s.UTCOffsetS })},
		{"zone", text(func(s *event.DeviceSubmitted) *string { return &s.Zone })},
		{"session_id", text(func(s *event.DeviceSubmitted) *string { return &s.SessionID })},
		{"session_seq", sessionSeq},
		{"via_device_id", text(func(s *event.DeviceSubmitted) *string { return &s.ViaDeviceID })},
		{"transport", text(func(s *event.DeviceSubmitted) *string { return &s.Transport })},
		{"address_hash", text(func(s *event.DeviceSubmitted) *string { return &s.AddressHash })},
		{"firmware", text(func(s *event.DeviceSubmitted) *string { return &s.Firmware })},
		{"model", text(func(s *event.DeviceSubmitted) *string { return &s.Model })},
		{"manufacturer", text(func(s *event.DeviceSubmitted) *string { return &s.Manufacturer })},
		{"initiated_by_client", flag(func(s *event.DeviceSubmitted) *bool { return &s.InitiatedByClient })},
		{"disconnect_reason", text(func(s *event.DeviceSubmitted) *string { return &s.DisconnectReason })},
		{"old_name", text(func(s *event.DeviceSubmitted) *string { return &s.OldName })},
		{"new_name", text(func(s *event.DeviceSubmitted) *string { return &s.NewName })},
		{"renamed_by", text(func(s *event.DeviceSubmitted) *string { return &s.RenamedBy })},
		{"other_device_id", text(func(s *event.DeviceSubmitted) *string { return &s.OtherDeviceID })},
		{"link_kind", text(func(s *event.DeviceSubmitted) *string { return &s.LinkKind })},
		{"source", text(func(s *event.DeviceSubmitted) *string { return &s.Source })},
		{"reporter", text(func(s *event.DeviceSubmitted) *string { return &s.Reporter })},
		{"native_id", text(func(s *event.DeviceSubmitted) *string { return &s.NativeID })},
		{"batch", text(func(s *event.DeviceSubmitted) *string { return &s.Batch })},
		{"attempt", number(func(s *event.DeviceSubmitted) *int32 { return &s.Attempt })},
		{"actor", text(func(s *event.DeviceSubmitted) *string { return &s.Actor })},
		{"reason", text(func(s *event.DeviceSubmitted) *string { return &s.Reason })},
		{"correlation_id", text(func(s *event.DeviceSubmitted) *string { return &s.CorrelationID })},
		{"causation_id", text(func(s *event.DeviceSubmitted) *string { return &s.CausationID })},
	},
)

func sessionSeq(s *event.DeviceSubmitted, value []byte, _ **int32) string {
	n, problem := whole(value, 64)
	if problem == "" {
		s.SessionSeq = &n
	}
	return problem
}

// DecodeDeviceJSON reads one device event, as DecodeJSON reads a report. occurred_at is Unix milliseconds or RFC 3339.
func DecodeDeviceJSON(data []byte) (event.DeviceSubmitted, error) {
	return decodeJSON(&deviceShape, data)
}

// AcceptDeviceJSON reads one JSON object and accepts it. The error is an Errors.
func (in *Intake) AcceptDeviceJSON(data []byte) (event.Event, error) {
	s, err := DecodeDeviceJSON(data)
	if err != nil {
		return nil, err
	}
	return in.AcceptDevice(s)
}

// AcceptDevice makes the fact that a device event states, with its id. What is wrong with it is an Errors: a field of another kind of event
// is, too. Ids of devices stay as they are given.
func (in *Intake) AcceptDevice(s event.DeviceSubmitted) (event.Event, error) {
	var bad Errors
	kind, known := event.ParseDeviceEventKind(s.Kind)
	bad.check("kind", s.Kind != "", "is required")
	bad.check("kind", s.Kind == "" || known && kind != event.DeviceEventUnknown, "must be connected, renamed, linked, unlinked or disconnected")
	c := in.deviceCommon(&s, in.now(), &bad)
	bad.checkKind(&s, kind)
	e := bad.deviceEvent(&s, kind, &c)
	if len(bad) > 0 {
		return nil, bad
	}
	return finish(e)
}

// deviceCommon reads what all facts share.
func (in *Intake) deviceCommon(s *event.DeviceSubmitted, now time.Time, bad *Errors) event.Common {
	bad.deviceID("device", s.Device, true)
	checkTime("occurred_at", s.OccurredAt, now, bad)
	offset, unknown := in.offset(s.OccurredAt, "occurred_at", s.UTCOffsetS, s.Zone, bad)
	c := event.Common{
		Subject: event.Subject(s.Device), OccurredAt: s.OccurredAt, UTCOffsetS: offset, ZoneUnknown: unknown,
		RecordedAt: now.UnixMilli(), Source: s.Source, Reporter: s.Reporter, NativeID: s.NativeID,
		Batch: s.Batch, Attempt: s.Attempt, Actor: s.Actor, Reason: s.Reason,
		CorrelationID: s.CorrelationID, CausationID: s.CausationID,
	}
	checkMeta(&c, bad)
	return c
}

// deviceID checks the id of a device. White space around it is a mistake that would make another device of it.
func (e *Errors) deviceID(field, id string, required bool) {
	e.check(field, !required || id != "", "is required")
	e.check(field, strings.TrimSpace(id) == id, "must not begin or end with white space")
	e.text(field, id)
}

// deviceEvent reads what each kind of event has of its own; nil for an unknown kind.
func (e *Errors) deviceEvent(s *event.DeviceSubmitted, kind event.DeviceEventKind, c *event.Common) event.Event {
	switch kind {
	case event.Connected:
		e.deviceID("via_device_id", s.ViaDeviceID, false)
		e.check("via_device_id", s.ViaDeviceID == "" || s.ViaDeviceID != s.Device, "must not be the device itself")
		for _, f := range []struct{ name, value string }{
			{"transport", s.Transport}, {"address_hash", s.AddressHash}, {"firmware", s.Firmware}, {"model", s.Model}, {"manufacturer", s.Manufacturer},
		} {
			e.text(f.name, f.value)
		}
		return &event.DeviceConnected{Common: *c, Session: e.session(s), Description: event.Description{
			ViaDeviceID: s.ViaDeviceID, Transport: s.Transport, AddressHash: s.AddressHash, Firmware: s.Firmware, Model: s.Model, Manufacturer: s.Manufacturer,
		}}
	case event.Disconnected:
		reason, ok := event.ParseDisconnectReason(first(s.DisconnectReason, event.DisconnectUnknown.String()))
		e.check("disconnect_reason", ok, oneReason)
		return &event.DeviceDisconnected{Common: *c, Session: e.session(s), InitiatedByClient: s.InitiatedByClient, DisconnectReason: reason}
	case event.Renamed:
		e.check("new_name", strings.TrimSpace(s.NewName) != "", "is required")
		e.text("new_name", s.NewName)
		e.text("old_name", s.OldName)
		e.text("renamed_by", s.RenamedBy)
		return &event.DeviceRenamed{Common: *c, Rename: event.Rename{OldName: s.OldName, NewName: s.NewName, RenamedBy: s.RenamedBy}}
	case event.Linked:
		return &event.DeviceLinked{Common: *c, Link: e.link(s)}
	case event.Unlinked:
		return &event.DeviceUnlinked{Common: *c, Link: e.link(s)}
	}
	return nil
}

var oneReason = "must be one of " + strings.Join(event.DisconnectReasons(), ", ")

func (e *Errors) session(s *event.DeviceSubmitted) event.Session {
	e.check("session_id", s.SessionID != "", "is required")
	e.text("session_id", s.SessionID)
	e.check("session_seq", s.SessionSeq != nil, "is required")
	if s.SessionSeq == nil {
		return event.Session{}
	}
	e.check("session_seq", *s.SessionSeq >= 0, "must be >= 0")
	return event.Session{SessionID: s.SessionID, SessionSeq: *s.SessionSeq}
}

func (e *Errors) link(s *event.DeviceSubmitted) event.Link {
	e.deviceID("other_device_id", s.OtherDeviceID, true)
	e.check("other_device_id", s.OtherDeviceID == "" || s.OtherDeviceID != s.Device, "must not be the device itself")
	e.text("link_kind", s.LinkKind)
	return event.Link{OtherDeviceID: s.OtherDeviceID, LinkKind: s.LinkKind}
}

// checkKind refuses fields of other kinds of events: whoever gives one means another kind.
func (e *Errors) checkKind(s *event.DeviceSubmitted, kind event.DeviceEventKind) {
	if kind == event.DeviceEventUnknown {
		return
	}
	const session, connected, disconnected, renamed, link = 1<<event.Connected | 1<<event.Disconnected, 1 << event.Connected, 1 << event.Disconnected,
		1 << event.Renamed, 1<<event.Linked | 1<<event.Unlinked
	for _, f := range []struct {
		name  string
		of    int
		given bool
	}{
		{"session_id", session, s.SessionID != ""}, {"session_seq", session, s.SessionSeq != nil},
		{"via_device_id", connected, s.ViaDeviceID != ""}, {"transport", connected, s.Transport != ""}, {"address_hash", connected, s.AddressHash != ""},
		{"firmware", connected, s.Firmware != ""}, {"model", connected, s.Model != ""}, {"manufacturer", connected, s.Manufacturer != ""},
		{"initiated_by_client", disconnected, s.InitiatedByClient},
		{"disconnect_reason", disconnected, s.DisconnectReason != "" && s.DisconnectReason != event.DisconnectUnknown.String()},
		{"old_name", renamed, s.OldName != ""}, {"new_name", renamed, s.NewName != ""}, {"renamed_by", renamed, s.RenamedBy != ""},
		{"other_device_id", link, s.OtherDeviceID != ""}, {"link_kind", link, s.LinkKind != ""},
	} {
		e.check(f.name, !f.given || f.of&(1<<kind) != 0, "must not be given for "+kind.String())
	}
}

// deviceRows: one device event a line.
type deviceRows struct{ r *Reader }

// next gives the fact of the next line.
func (d *deviceRows) next() ([]event.Event, int, error) {
	line, number, err := d.r.lines.next()
	if err != nil {
		return nil, number, err
	}
	s, err := DecodeDeviceJSON(line)
	if err != nil {
		return nil, number, badRow(err.Error())
	}
	s.Source = d.r.from
	e, err := d.r.in.AcceptDevice(s)
	if err != nil {
		return nil, number, badRow(err.Error())
	}
	return []event.Event{e}, number, nil
}
