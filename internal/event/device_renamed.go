package event

// DeviceRenamed says that a device got another name.
type DeviceRenamed struct {
	Common
	Rename
}

// Rename is a change of name.
type Rename struct {
	OldName   string `avro:"old_name"` // as the one who renamed it saw it
	NewName   string `avro:"new_name"`
	RenamedBy string `avro:"renamed_by"`
}

// Type is the short name of the event.
func (*DeviceRenamed) Type() string { return "DeviceRenamed" }

// About is Devices.
func (*DeviceRenamed) About() SubjectKind { return Devices }

func (e *DeviceRenamed) writeContent(c *content) {
	c.text("new_name", e.NewName)
	c.common("occurred_at")
	c.text("old_name", e.OldName)
	c.text("renamed_by", e.RenamedBy)
}
