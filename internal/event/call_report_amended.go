package event

// CallReportAmended says how a report should have been: the whole report again, of a call or a
// text. Kind, direction, counterpart and start cannot be amended; with another one of these it is
// another report. Of several amendments the one with the highest (revision, event id) holds, in
// whatever order they come, and an amendment whose original is not there yet asserts it.
type CallReportAmended struct {
	Common
	Report
	CallDetails
	Kind     Kind  `avro:"kind"`
	Amends   ID    `avro:"amends"`   // the event id of the original report
	Revision int32 `avro:"revision"` // >= 1
}

// Type is the short name of the event.
func (*CallReportAmended) Type() string { return "CallReportAmended" }

// About is Subscribers.
func (*CallReportAmended) About() SubjectKind { return Subscribers }

func (e *CallReportAmended) writeContent(c *content) { writeReport(c, &e.Report, &e.CallDetails, e) }
