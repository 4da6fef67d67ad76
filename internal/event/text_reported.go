package event

// TextReported is one reporter's statement about one text message of its own subscriber.
type TextReported struct {
	Common
	Report
}

// Type is the short name of the event.
func (*TextReported) Type() string { return "TextReported" }

// About is Subscribers.
func (*TextReported) About() SubjectKind { return Subscribers }

func (e *TextReported) writeContent(c *content) { writeReport(c, &e.Report, nil, nil) }
