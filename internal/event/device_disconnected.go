package event

// DeviceDisconnected says that a session of a device ended. Common.Reason is free text of whoever sent the event;
// DisconnectReason is why the session ended.
type DeviceDisconnected struct {
	Common
	Session
	InitiatedByClient bool             `avro:"initiated_by_client"`
	DisconnectReason  DisconnectReason `avro:"disconnect_reason"`
}

// Type is the short name of the event.
func (*DeviceDisconnected) Type() string { return "DeviceDisconnected" }

// About is Devices.
func (*DeviceDisconnected) About() SubjectKind { return Devices }

func (e *DeviceDisconnected) writeContent(c *content) {
	c.symbol("disconnect_reason", uint8(e.DisconnectReason), e.DisconnectReason)
	c.flag("initiated_by_client", e.InitiatedByClient)
	c.common("occurred_at")
	c.text("session_id", e.SessionID)
	c.number("session_seq", e.SessionSeq)
}
