package event

// Session is what connects and disconnects have in common: which session of the device they are about. Sessions of a device are ordered by
// their SessionSeq, whatever the clocks said and in whatever order they come.
type Session struct {
	SessionID  string `avro:"session_id"`
	SessionSeq int64  `avro:"session_seq"` // >= 0, the same for the connect and the disconnect of a session
}

// Link is the other end of a link that a device declares or ends.
type Link struct {
	OtherDeviceID string `avro:"other_device_id"`
	LinkKind      string `avro:"link_kind"`
}

// writeContent appends the content of a link; DeviceLinked and DeviceUnlinked have nothing else.
func (l *Link) writeContent(c *content) {
	c.text("link_kind", l.LinkKind)
	c.common("occurred_at")
	c.text("other_device_id", l.OtherDeviceID)
}
