package view

import (
	"errors"
	"strconv"
	"strings"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// Device is a device of one partition: its state, what is stored of it, and what is queued to be folded.
type Device struct {
	id       event.Subject
	set      Set
	state    *fold.Device
	stored   fold.DeviceRecord // as the read models have it
	storedAt int64             // likewise; -1: there is none
	loaded   bool              // the head record has been read

	queue   []queuedEvent
	reads   []func(values []Value) error // how to take what each Read finds, in their order
	weight  int
	folding int64 // offset of the event being folded
}

type queuedEvent struct {
	offset int64
	event  event.Event
}

// NewDevice is a device of which nothing is known yet.
func NewDevice(id event.Subject, set Set) *Device {
	return &Device{id: id, set: set, state: fold.NewDevice(set.Has(Links)), storedAt: -1}
}

// Absent tells that nothing of the device is stored.
func (d *Device) Absent() { d.loaded, d.state.AllEdges = true, true }

// Queue takes an event to be folded.
func (d *Device) Queue(offset int64, e event.Event) {
	d.queue = append(d.queue, queuedEvent{offset, e})
}

// Reads appends what the queued events need and is not known yet.
func (d *Device) Reads(dst []Read) []Read {
	d.reads = d.reads[:0]
	ask := func(key string, fields []string, fill func([]Value) error) {
		dst = append(dst, Read{key, fields})
		d.reads = append(d.reads, fill)
	}
	if !d.loaded {
		ask(DeviceKey(d.id), deviceFieldNames, d.fill)
	}
	d.readLinks(ask)
	return dst
}

// Fill takes what was read.
func (d *Device) Fill(values [][]Value) error {
	for i, fill := range d.reads {
		if err := fill(values[i]); err != nil {
			return err
		}
	}
	d.reads = d.reads[:0]
	return nil
}

// Fold folds the queued events.
func (d *Device) Fold() (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &Panic{Offset: d.folding, Value: value}
		}
	}()
	for _, q := range d.queue {
		d.folding = q.offset
		if other := fold.EdgeOf(q.event); other != "" {
			d.weight += 160 + len(other)
		}
		d.state.Fold(q.offset, q.event)
	}
	d.queue = nil
	return nil
}

// Project appends the mutations that make the read models equal to the device: none when all that was queued had been folded before.
func (d *Device) Project(dst []Mutation) []Mutation {
	if d.state.At == d.storedAt {
		return dst
	}
	dst = d.projectRecord(dst)
	dst = d.projectList(dst)
	if d.set.Has(Links) {
		dst = d.projectLinks(dst)
	}
	return dst
}

// Change is nothing: devices have no totals.
func (d *Device) Change() Totals { return Totals{} }

// Settle tells that everything projected has been written.
func (d *Device) Settle() {
	d.state.Settle()
	d.stored, d.storedAt = d.state.Record, d.state.At
}

// Weight is about the bytes of memory that the device holds: 1,000 for itself and 160 for each event about a link, which leaves at most one behind.
func (d *Device) Weight() int { return 1000 + d.weight }

// DeviceKey is the key of a device's head record.
func DeviceKey(id event.Subject) string { return "device:" + string(id) }

// deviceFields are the fields of a device after AtField. Each value begins with the stamp by which it holds; "" is a field that there is none of.
var deviceFields = []deviceField{
	{"state", formatState, parseState},
	{"session", formatSession, parseSession},
	{"ended", formatEnded, parseEnded},
	{"name", formatName, parseName},
	said("parent", func(d *fold.Description) *fold.Said { return &d.Parent }),
	said("transport", func(d *fold.Description) *fold.Said { return &d.Transport }),
	said("address", func(d *fold.Description) *fold.Said { return &d.Address }),
	said("firmware", func(d *fold.Description) *fold.Said { return &d.Firmware }),
	said("model", func(d *fold.Description) *fold.Said { return &d.Model }),
	said("manufacturer", func(d *fold.Description) *fold.Said { return &d.Manufacturer }),
}

type deviceField struct {
	name  string
	text  func(*fold.DeviceRecord) string
	parse func(*fold.DeviceRecord, string) error
}

var deviceFieldNames = func() []string {
	names := []string{AtField}
	for _, f := range deviceFields {
		names = append(names, f.name)
	}
	return names
}()

// DeviceFields lists the fields of a device, without AtField, in the order of VIEWS.md.
func DeviceFields() []string { return append([]string(nil), deviceFieldNames[1:]...) }

// SetDeviceField sets a part of a device from the text of its field; ok is false for a field that no device has.
func SetDeviceField(r *fold.DeviceRecord, name, text string) (ok bool, err error) {
	for _, f := range deviceFields {
		if f.name == name {
			return true, f.parse(r, text)
		}
	}
	return false, nil
}

// fill takes what was read of deviceFieldNames. A device without AtField does not exist.
func (d *Device) fill(values []Value) error {
	d.loaded = true
	if !values[0].OK {
		d.Absent()
		return nil
	}
	at, err := strconv.ParseInt(values[0].Text, 10, 64)
	if err != nil {
		return errDevice
	}
	for i, v := range values[1:] {
		if v.OK {
			if err := deviceFields[i].parse(&d.state.Record, v.Text); err != nil {
				return err
			}
		}
	}
	d.state.At = at
	d.stored, d.storedAt = d.state.Record, at
	return nil
}

// projectRecord writes what differs from what is stored.
func (d *Device) projectRecord(dst []Mutation) []Mutation {
	set := []string{AtField, strconv.FormatInt(d.state.At, 10)}
	var drop []string
	if d.state.Record != d.stored {
		for _, f := range deviceFields {
			now, before := f.text(&d.state.Record), f.text(&d.stored)
			switch {
			case now == before:
			case now == "":
				drop = append(drop, f.name)
			default:
				set = append(set, f.name, now)
			}
		}
	}
	dst = append(dst, Mutation{SetFields, DeviceKey(d.id), set})
	if drop != nil {
		dst = append(dst, Mutation{DropFields, DeviceKey(d.id), drop})
	}
	return dst
}

var errDevice = errors.New("device: a field holds what no device has")

// The state is "connected" and when it began, or "disconnected" and when, in Unix milliseconds.
func formatState(r *fold.DeviceRecord) string {
	if r.Session.State() == fold.StateUnknown {
		return ""
	}
	return formatSessionStamp(&r.Session.Stamp) + " " + r.Session.State().String() + " " + strconv.FormatInt(r.Session.AtMs, 10)
}

func parseState(r *fold.DeviceRecord, s string) error {
	stamp, text, err := parseSessionStamp(s)
	word, ms, _ := strings.Cut(text, " ")
	at, err2 := strconv.ParseInt(ms, 10, 64)
	r.Session.Stamp, r.Session.AtMs = stamp, at
	if err != nil || err2 != nil || word != r.Session.State().String() {
		return errDevice
	}
	return nil
}

func formatSession(r *fold.DeviceRecord) string {
	if r.Session.State() == fold.StateUnknown {
		return ""
	}
	return formatSessionStamp(&r.Session.Stamp) + " " + r.Session.ID
}

func parseSession(r *fold.DeviceRecord, s string) error {
	stamp, text, err := parseSessionStamp(s)
	if err != nil || stamp != r.Session.Stamp { // the state has been read before
		return errDevice
	}
	r.Session.ID = text
	return nil
}

// How a session ended: the reason, and "client" if the device ended it, else "-". A session that goes on has not ended.
func formatEnded(r *fold.DeviceRecord) string {
	if r.Session.State() != fold.StateDisconnected {
		return ""
	}
	by := " -"
	if r.Session.ByClient {
		by = " client"
	}
	return formatSessionStamp(&r.Session.Stamp) + " " + r.Session.Reason.String() + by
}

func parseEnded(r *fold.DeviceRecord, s string) error {
	stamp, text, err := parseSessionStamp(s)
	word, by, _ := strings.Cut(text, " ")
	reason, ok := event.ParseDisconnectReason(word)
	if err != nil || !ok || stamp != r.Session.Stamp || by != "client" && by != "-" {
		return errDevice
	}
	r.Session.Reason, r.Session.ByClient = reason, by == "client"
	return nil
}

func formatName(r *fold.DeviceRecord) string {
	if r.Name.Stamp.Fact.IsZero() {
		return ""
	}
	return formatTimeStamp(&r.Name.Stamp) + " " + r.Name.Text
}

func parseName(r *fold.DeviceRecord, s string) (err error) {
	r.Name.Stamp, r.Name.Text, err = parseTimeStamp(s)
	return err
}

// said is the field of a part of the description.
func said(name string, of func(*fold.Description) *fold.Said) deviceField {
	return deviceField{
		name,
		func(r *fold.DeviceRecord) string {
			if s := of(&r.Description); !s.Stamp.Fact.IsZero() {
				return formatSessionStamp(&s.Stamp) + " " + s.Text
			}
			return ""
		},
		func(r *fold.DeviceRecord, text string) (err error) {
			s := of(&r.Description)
			s.Stamp, s.Text, err = parseSessionStamp(text)
			return err
		},
	}
}
