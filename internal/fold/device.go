package fold

import (
	"bytes"
	"cmp"

	"switchboard/internal/event"
)

// Of everything that is said about a device the last word holds, by a stamp that is made of content. There are two kinds of stamps, as two types:
// what they stamp is never compared with each other.

// SessionStamp orders what connects and disconnects say: by session, in it the connect before the disconnect, then by event id. The zero
// stamp is before every other.
type SessionStamp struct {
	Seq  int64
	End  bool // a disconnect
	Fact event.ID
}

// After tells whether s holds against o.
func (s *SessionStamp) After(o *SessionStamp) bool {
	if s.Fact.IsZero() || o.Fact.IsZero() {
		return o.Fact.IsZero() && !s.Fact.IsZero()
	}
	if c := cmp.Compare(s.Seq, o.Seq); c != 0 {
		return c > 0
	}
	if s.End != o.End {
		return s.End
	}
	return bytes.Compare(s.Fact[:], o.Fact[:]) > 0
}

// TimeStamp orders names and links: by the time at which they were given, then by event id. The zero stamp is before every other.
type TimeStamp struct {
	Ms   int64 // Unix milliseconds
	Fact event.ID
}

// After tells whether t holds against o.
func (t *TimeStamp) After(o *TimeStamp) bool {
	if t.Fact.IsZero() || o.Fact.IsZero() {
		return o.Fact.IsZero() && !t.Fact.IsZero()
	}
	if c := cmp.Compare(t.Ms, o.Ms); c != 0 {
		return c > 0
	}
	return bytes.Compare(t.Fact[:], o.Fact[:]) > 0
}

// DeviceState is what a device is doing, as far as its sessions tell.
type DeviceState uint8

// The states.
const (
	StateUnknown DeviceState = iota // nothing was said of any session
	StateConnected
	StateDisconnected
)

func (s DeviceState) String() string { return [...]string{"unknown", "connected", "disconnected"}[s] }

// Session is the newest session of a device.
type Session struct {
	Stamp    SessionStamp
	ID       string
	AtMs     int64 // when it began or, of one that is over, ended; Unix milliseconds
	ByClient bool  // it ended, by the device itself
	Reason   event.DisconnectReason
}

// State is what the session says of its device.
func (s *Session) State() DeviceState {
	switch {
	case s.Stamp.Fact.IsZero():
		return StateUnknown
	case s.Stamp.End:
		return StateDisconnected
	}
	return StateConnected
}

// Name is the name of a device.
type Name struct {
	Stamp TimeStamp
	Text  string
}

// Said is what a device said about itself when it connected. A connect that does not say something leaves what an earlier one said.
type Said struct {
	Stamp SessionStamp // never End
	Text  string
}

// Description is everything that devices say about themselves, in a fixed order.
type Description struct {
	Parent, Transport, Address, Firmware, Model, Manufacturer Said
}

// each pairs the parts of a description with what an event says of them.
func (d *Description) each(e *event.Description) [6]struct {
	to   *Said
	text string
} {
	return [6]struct {
		to   *Said
		text string
	}{
		{&d.Parent, e.ViaDeviceID}, {&d.Transport, e.Transport}, {&d.Address, e.AddressHash},
		{&d.Firmware, e.Firmware}, {&d.Model, e.Model}, {&d.Manufacturer, e.Manufacturer},
	}
}

// Edge is a link that a device declared, or ended.
type Edge struct {
	Stamp  TimeStamp
	Linked bool
	Kind   string // as the event that holds says
	// Was: the read models have it as a link, so that the other device's side of it exists.
	Was     bool
	changed bool
}

// DeviceRecord is the head record of a device.
type DeviceRecord struct {
	Session     Session
	Name        Name
	Description Description
}

// Device is what is kept about one device, as far as it is loaded. Whoever folds an event must have loaded the head record and the edge that
// EdgeOf names.
type Device struct {
	At     int64 // offset of the last event folded in; -1: none
	Record DeviceRecord

	// AllEdges: every edge is in Edges. So for a device that was new when it was loaded.
	AllEdges bool
	Edges    map[string]*Edge // nil value: known to be none
	Changed  []string         // edges written since the last Settle, in order

	links bool // edges are kept
}

// NewDevice is a device of which nothing is known.
func NewDevice(links bool) *Device {
	return &Device{At: -1, Edges: make(map[string]*Edge), links: links}
}

// EdgeOf names the edge that an event touches, by its other device; "" for an event that touches none.
func EdgeOf(e event.Event) string {
	switch e := e.(type) {
	case *event.DeviceLinked:
		return e.OtherDeviceID
	case *event.DeviceUnlinked:
		return e.OtherDeviceID
	}
	return ""
}

// Fold takes in the event at an offset; false: it is not about a device. An event at or below At has been folded before, and
// changes nothing.
func (d *Device) Fold(offset int64, e event.Event) bool {
	if e.About() != event.Devices {
		return false
	}
	if offset <= d.At {
		return true
	}
	d.At = offset
	switch e := e.(type) {
	case *event.DeviceConnected:
		d.connect(e)
	case *event.DeviceDisconnected:
		d.session(Session{
			Stamp: SessionStamp{Seq: e.SessionSeq, End: true, Fact: e.ID}, ID: e.SessionID, AtMs: e.OccurredAt,
			ByClient: e.InitiatedByClient, Reason: e.DisconnectReason,
		})
	case *event.DeviceRenamed:
		stamp := TimeStamp{e.OccurredAt, e.ID}
		if stamp.After(&d.Record.Name.Stamp) {
			d.Record.Name = Name{stamp, e.NewName}
		}
	case *event.DeviceLinked:
		d.link(&e.Common, &e.Link, true)
	case *event.DeviceUnlinked:
		d.link(&e.Common, &e.Link, false)
	default:
		return false
	}
	return true
}

func (d *Device) connect(e *event.DeviceConnected) {
	stamp := SessionStamp{Seq: e.SessionSeq, Fact: e.ID}
	d.session(Session{Stamp: stamp, ID: e.SessionID, AtMs: e.OccurredAt})
	for _, part := range d.Record.Description.each(&e.Description) {
		if part.text != "" && stamp.After(&part.to.Stamp) {
			*part.to = Said{stamp, part.text}
		}
	}
}

func (d *Device) session(s Session) {
	if s.Stamp.After(&d.Record.Session.Stamp) {
		d.Record.Session = s
	}
}

func (d *Device) link(c *event.Common, l *event.Link, linked bool) {
	if !d.links {
		return
	}
	stamp := TimeStamp{c.OccurredAt, c.ID}
	edge := d.Edges[l.OtherDeviceID]
	if edge == nil {
		edge = &Edge{}
		d.Edges[l.OtherDeviceID] = edge
	}
	if !stamp.After(&edge.Stamp) {
		return
	}
	edge.Stamp, edge.Linked, edge.Kind = stamp, linked, l.LinkKind
	if !edge.changed {
		edge.changed = true
		d.Changed = append(d.Changed, l.OtherDeviceID)
	}
}

// Settle forgets what has changed, once it has been written.
func (d *Device) Settle() {
	for _, other := range d.Changed {
		edge := d.Edges[other]
		edge.Was, edge.changed = edge.Linked, false
	}
	d.Changed = d.Changed[:0]
}
