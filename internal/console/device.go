package console

import (
	"context"
	"io"

	"switchboard/internal/fold"
	"switchboard/internal/indicator"
	"switchboard/internal/view"
)

// DeviceAnswer is a device at a glance.
type DeviceAnswer struct {
	Meta
	AboutDevice
	DeviceFigures
	Session *DeviceSession `json:"session,omitempty"` // the newest; absent: nothing was said of any
	Said    []Said         `json:"said"`              // what it said about itself when it connected
}

// AboutDevice is what answers about one device have in common.
type AboutDevice struct {
	Device string `json:"device"`
	Found  bool   `json:"found"`            // false: nothing is known about it
	At     int64  `json:"at"`               // offset of the last event folded into the device; -1: none
	AtEnd  *int64 `json:"at_end,omitempty"` // the device changed while it was read: the answer mixes at and at_end
}

// DeviceFigures are the headlines of a device.
type DeviceFigures struct {
	State   string `json:"state"`           // connected, disconnected, unknown
	Since   string `json:"since,omitempty"` // RFC 3339; absent while the state is unknown
	SinceMs int64  `json:"since_ms,omitempty"`
	Name    string `json:"name,omitempty"`
	NamedAt string `json:"named_at,omitempty"`
}

// DeviceSession is a session of a device.
type DeviceSession struct {
	ID     string `json:"id"`
	Seq    int64  `json:"seq"`
	Reason string `json:"disconnect_reason,omitempty"`   // of one that ended
	ByIt   *bool  `json:"initiated_by_client,omitempty"` // likewise
	Event  string `json:"event_id"`                      // the event that says so
}

// Said is a part of what a device says about itself.
type Said struct {
	What  string `json:"what"` // parent, transport, address, firmware, model, manufacturer
	Text  string `json:"text"`
	Seq   int64  `json:"session_seq"` // of the session in which it was said
	Event string `json:"event_id"`
}

// Device answers with what is known of a device. It knows no period: history is answered from the log.
func (c *Console) Device(ctx context.Context, q Query) (*DeviceAnswer, error) {
	if err := c.deviceQuery(&q); err != nil {
		return nil, err
	}
	ports := &c.ports.Devices
	if err := awaitBy(ctx, ports.Wait, &q, ports.Partition(q.Subject)); err != nil {
		return nil, err
	}
	r, err := ports.Device(ctx, q.Subject)
	if err != nil {
		return nil, err
	}
	a := &DeviceAnswer{Meta: c.meta(&q, r.Cut), AboutDevice: deviceOf(&q, &r), DeviceFigures: deviceFigures(&r.Record), Said: saidBy(&r.Record.Description)}
	if s := &r.Record.Session; s.State() != fold.StateUnknown {
		a.Session = &DeviceSession{ID: s.ID, Seq: s.Stamp.Seq, Event: s.Stamp.Fact.String()}
		if s.Stamp.End {
			a.Session.Reason, a.Session.ByIt = s.Reason.String(), &s.ByClient
		}
	}
	return a, nil
}

// deviceQuery checks a query about one device, whose id is given as stored.
func (c *Console) deviceQuery(q *Query) error {
	if q.Subject == "" {
		return &BadQuery{"device", "must not be empty"}
	}
	if q.Period != (indicator.Period{}) {
		return &BadQuery{"period", "of a device only the last word is kept; its history is in the log"}
	}
	return c.check(q)
}

func deviceOf(q *Query, r *view.DeviceReading) AboutDevice {
	a := AboutDevice{Device: string(q.Subject), Found: r.Found, At: r.At}
	if r.AtEnd != r.At {
		a.AtEnd = &r.AtEnd
	}
	return a
}

func deviceFigures(r *fold.DeviceRecord) DeviceFigures {
	f := DeviceFigures{State: r.Session.State().String(), Name: r.Name.Text}
	if r.Session.State() != fold.StateUnknown {
		f.Since, f.SinceMs = stamp(r.Session.AtMs), r.Session.AtMs
	}
	if f.Name != "" {
		f.NamedAt = stamp(r.Name.Stamp.Ms)
	}
	return f
}

func saidBy(d *fold.Description) []Said {
	list := []Said{}
	for _, part := range []struct {
		what string
		said *fold.Said
	}{
		{"manufacturer", &d.Manufacturer}, {"model", &d.Model}, {"firmware", &d.Firmware},
		{"parent", &d.Parent}, {"transport", &d.Transport}, {"address", &d.Address},
	} {
		if !part.said.Stamp.Fact.IsZero() {
			list = append(list, Said{part.what, part.said.Text, part.said.Stamp.Seq, part.said.Stamp.Fact.String()})
		}
	}
	return list
}

// head writes the title of an answer; false: there is nothing more to say.
func (a *AboutDevice) head(p *printer, what, right string) bool {
	if !a.Found {
		p.title(what+" "+a.Device, "")
		p.line("Nothing is known about " + a.Device + ".")
		return false
	}
	p.title(what+" "+a.Device, right)
	if a.AtEnd != nil {
		p.line(p.warn("The device changed while it was read: events " + count(a.At) + " to " + count(*a.AtEnd) + " may be there in part."))
	}
	return true
}

// Text shows the device.
func (a *DeviceAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	if a.head(p, "Device", a.State) {
		a.body(p)
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}

func (a *DeviceAnswer) body(p *printer) {
	rows := [][]string{}
	add := func(what, text, more string) {
		if text != "" {
			rows = append(rows, []string{what, text, p.dim(more)})
		}
	}
	if a.NamedAt != "" {
		add("name", a.Name, "since "+instantOf(a.NamedAt))
	}
	if a.Session != nil {
		add("state", p.bold(a.State), "since "+instant(a.SinceMs))
		add("session", a.Session.ID, "session "+count(a.Session.Seq))
		if a.Session.ByIt != nil {
			by := "not by the device"
			if *a.Session.ByIt {
				by = "by the device"
			}
			add("ended", a.Session.Reason, by)
		}
	}
	for _, s := range a.Said {
		add(s.What, s.Text, "session "+count(s.Seq))
	}
	if len(rows) == 0 {
		p.line("Only links are known of it.")
		return
	}
	p.table(nil, rows)
}
