package event

// DeviceConnected says that a device opened a session, and what it said about itself.
type DeviceConnected struct {
	Common
	Session
	Description
}

// Description is what a device says about itself when it connects. A text that is empty was not said.
type Description struct {
	ViaDeviceID  string `avro:"via_device_id"` // the device through which it is connected
	Transport    string `avro:"transport"`
	AddressHash  string `avro:"address_hash"`
	Firmware     string `avro:"firmware"`
	Model        string `avro:"model"`
	Manufacturer string `avro:"manufacturer"`
}

// Type is the short name of the event.
func (*DeviceConnected) Type() string { return "DeviceConnected" }

// About is Devices.
func (*DeviceConnected) About() SubjectKind { return Devices }

func (e *DeviceConnected) writeContent(c *content) {
	c.text("address_hash", e.AddressHash)
	c.text("firmware", e.Firmware)
	c.text("manufacturer", e.Manufacturer)
	c.text("model", e.Model)
	c.common("occurred_at")
	c.text("session_id", e.SessionID)
	c.number("session_seq", e.SessionSeq)
	c.common("subject")
	c.text("transport", e.Transport)
	c.common("utc_offset_s")
	c.text("via_device_id", e.ViaDeviceID)
}
