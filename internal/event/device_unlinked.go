package event

// DeviceUnlinked says that a device ends a link that it had declared.
type DeviceUnlinked struct {
	Common
	Link
}

// Type is the short name of the event.
func (*DeviceUnlinked) Type() string { return "DeviceUnlinked" }

// About is Devices.
func (*DeviceUnlinked) About() SubjectKind { return Devices }

func (e *DeviceUnlinked) writeContent(c *content) { e.Link.writeContent(c) }
