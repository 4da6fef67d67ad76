package event

// CallReported is one reporter's statement about one finished call of its own subscriber.
type CallReported struct {
	Common
	Report
	CallDetails
}

// Type is the short name of the event.
func (*CallReported) Type() string { return "CallReported" }

// About is Subscribers.
func (*CallReported) About() SubjectKind { return Subscribers }

func (e *CallReported) writeContent(c *content) { writeReport(c, &e.Report, &e.CallDetails, nil) }
