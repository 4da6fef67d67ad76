package avrowire

import "switchboard/internal/event"

// The facts about devices, each with its landing and how it is written; and what comes in about them.

type optionalConnect struct {
	ViaDeviceID  *string `avro:"via_device_id"`
	Transport    *string `avro:"transport"`
	AddressHash  *string `avro:"address_hash"`
	Firmware     *string `avro:"firmware"`
	Model        *string `avro:"model"`
	Manufacturer *string `avro:"manufacturer"`
}

type deviceConnected struct {
	event.DeviceConnected
	optionalCommon
	optionalConnect
}

func (l *deviceConnected) reset() {
	l.DeviceConnected = event.DeviceConnected{}
	e := &l.DeviceConnected.Description
	l.optionalCommon.lead(&l.DeviceConnected.Common)
	l.optionalConnect = optionalConnect{
		ViaDeviceID: &e.ViaDeviceID, Transport: &e.Transport, AddressHash: &e.AddressHash,
		Firmware: &e.Firmware, Model: &e.Model, Manufacturer: &e.Manufacturer,
	}
}

func (l *deviceConnected) take() event.Event { e := l.DeviceConnected; return &e }

func writeDeviceConnected(n *natives, fact event.Event) {
	e := fact.(*event.DeviceConnected)
	n.common(&e.Common)
	n.session(&e.Session)
	n.text("via_device_id", e.ViaDeviceID)
	n.text("transport", e.Transport)
	n.text("address_hash", e.AddressHash)
	n.text("firmware", e.Firmware)
	n.text("model", e.Model)
	n.text("manufacturer", e.Manufacturer)
}

type deviceDisconnected struct {
	event.DeviceDisconnected
	optionalCommon
}

func (l *deviceDisconnected) reset() {
	l.DeviceDisconnected = event.DeviceDisconnected{}
	l.optionalCommon.lead(&l.DeviceDisconnected.Common)
}

func (l *deviceDisconnected) take() event.Event { e := l.DeviceDisconnected; return &e }

func writeDeviceDisconnected(n *natives, fact event.Event) {
	e := fact.(*event.DeviceDisconnected)
	n.common(&e.Common)
	n.session(&e.Session)
	n.fields["initiated_by_client"] = e.InitiatedByClient
	n.fields["disconnect_reason"] = e.DisconnectReason.String()
}

type optionalRename struct {
	OldName   *string `avro:"old_name"`
	RenamedBy *string `avro:"renamed_by"`
}

type deviceRenamed struct {
	event.DeviceRenamed
	optionalCommon
	optionalRename
}

func (l *deviceRenamed) reset() {
	l.DeviceRenamed = event.DeviceRenamed{}
	l.optionalCommon.lead(&l.DeviceRenamed.Common)
	l.optionalRename = optionalRename{OldName: &l.DeviceRenamed.OldName, RenamedBy: &l.DeviceRenamed.RenamedBy}
}

func (l *deviceRenamed) take() event.Event { e := l.DeviceRenamed; return &e }

func writeDeviceRenamed(n *natives, fact event.Event) {
	e := fact.(*event.DeviceRenamed)
	n.common(&e.Common)
	n.text("old_name", e.OldName)
	n.fields["new_name"] = e.NewName
	n.text("renamed_by", e.RenamedBy)
}

type optionalLink struct {
	LinkKind *string `avro:"link_kind"`
}

type deviceLinked struct {
	event.DeviceLinked
	optionalCommon
	optionalLink
}

func (l *deviceLinked) reset() {
	l.DeviceLinked = event.DeviceLinked{}
	l.optionalCommon.lead(&l.DeviceLinked.Common)
	l.optionalLink = optionalLink{&l.DeviceLinked.LinkKind}
}

func (l *deviceLinked) take() event.Event { e := l.DeviceLinked; return &e }

func writeDeviceLinked(n *natives, fact event.Event) {
	e := fact.(*event.DeviceLinked)
	n.common(&e.Common)
	n.link(&e.Link)
}

type deviceUnlinked struct {
	event.DeviceUnlinked
	optionalCommon
	optionalLink
}

func (l *deviceUnlinked) reset() {
	l.DeviceUnlinked = event.DeviceUnlinked{}
	l.optionalCommon.lead(&l.DeviceUnlinked.Common)
	l.optionalLink = optionalLink{&l.DeviceUnlinked.LinkKind}
}

func (l *deviceUnlinked) take() event.Event { e := l.DeviceUnlinked; return &e }

func writeDeviceUnlinked(n *natives, fact event.Event) {
	e := fact.(*event.DeviceUnlinked)
	n.common(&e.Common)
	n.link(&e.Link)
}

func (n *natives) session(s *event.Session) {
	n.fields["session_id"] = s.SessionID
	n.fields["session_seq"] = s.SessionSeq
}

func (n *natives) link(l *event.Link) {
	n.fields["other_device_id"] = l.OtherDeviceID
	n.text("link_kind", l.LinkKind)
}

// EncodeDeviceSubmitted appends the value of a submitted device event to dst. An enum left empty is unknown.
func (e *Encoder) EncodeDeviceSubmitted(dst []byte, s *event.DeviceSubmitted) ([]byte, error) {
	n := e.scratch.Get().(*natives)
	defer e.put(n)
	n.deviceSubmitted(s)
	return e.targets[deviceSubmitted].append(dst, n, deviceSubmitted)
}

// DecodeDeviceSubmitted reads the value of a submitted device event; its errors are those of Decode.
func (d *Decoder) DecodeDeviceSubmitted(value []byte) (*event.DeviceSubmitted, error) {
	s := new(event.DeviceSubmitted)
	if err := d.incoming(value, deviceSubmitted, "device event", s); err != nil {
		return nil, err
	}
	return s, nil
}

func (n *natives) deviceSubmitted(s *event.DeviceSubmitted) {
	n.symbol("kind", s.Kind)
	n.fields["device"] = s.Device
	n.fields["occurred_at"] = s.OccurredAt
	if s.UTCOffsetS != nil {
		n.optional("utc_offset_s", intBox, *s.UTCOffsetS)
	}
	n.text("zone", s.Zone)
	n.text("session_id", s.SessionID)
	if s.SessionSeq != nil {
		n.optional("session_seq", longBox, *s.SessionSeq)
	}
	n.text("via_device_id", s.ViaDeviceID)
	n.text("transport", s.Transport)
	n.text("address_hash", s.AddressHash)
	n.text("firmware", s.Firmware)
	n.text("model", s.Model)
	n.text("manufacturer", s.Manufacturer)
	n.fields["initiated_by_client"] = s.InitiatedByClient
	n.symbol("disconnect_reason", s.DisconnectReason)
	n.text("old_name", s.OldName)
	n.text("new_name", s.NewName)
	n.text("renamed_by", s.RenamedBy)
	n.text("other_device_id", s.OtherDeviceID)
	n.text("link_kind", s.LinkKind)
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
