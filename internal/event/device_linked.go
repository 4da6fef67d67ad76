package event

// DeviceLinked says that a device declares itself linked to another one. The link is directed: the other device has said nothing.
type DeviceLinked struct {
	Common
	Link
}

// Type is the short name of the event.
func (*DeviceLinked) Type() string { return "DeviceLinked" }

// About is Devices.
func (*DeviceLinked) About() SubjectKind { return Devices }

func (e *DeviceLinked) writeContent(c *content) { e.Link.writeContent(c) }
