package console

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"switchboard/internal/fold"
	"switchboard/internal/indicator"
	"switchboard/internal/view"
)

// DevicesAnswer is a part of the list of devices, by id.
type DevicesAnswer struct {
	Meta
	State   string         `json:"state,omitempty"`  // as asked for
	Prefix  string         `json:"prefix,omitempty"` // likewise
	Devices []ListedDevice `json:"devices"`
	Next    string         `json:"next,omitempty"` // cursor of the next part; absent: this was the last
}

// ListedDevice is a device of the list.
type ListedDevice struct {
	Device string `json:"device"`
	DeviceFigures
	Model  string `json:"model,omitempty"`
	Parent string `json:"parent,omitempty"`
}

const (
	defaultDevices = 100
	mostDevices    = 10_000
)

// DeviceStates lists what Query.State may be.
func DeviceStates() []string {
	var names []string
	for _, s := range view.DeviceStates() {
		names = append(names, s.String())
	}
	return names
}

// Devices answers with the first Limit devices by id, of a state, with ids that begin with a prefix, behind a cursor. Several answers are no
// consistent cut: a device that comes or changes its state meanwhile may be missed or met twice; one that stays as it is is met once.
func (c *Console) Devices(ctx context.Context, q Query) (*DevicesAnswer, error) {
	if err := c.check(&q); err != nil {
		return nil, err
	}
	if q.Period != (indicator.Period{}) {
		return nil, &BadQuery{"period", "of a device only the last word is kept; its history is in the log"}
	}
	states := view.DeviceStates()
	if q.State != "" {
		states = nil
		for _, s := range view.DeviceStates() {
			if s.String() == q.State {
				states = []fold.DeviceState{s}
			}
		}
		if states == nil {
			return nil, &BadQuery{"state", fmt.Sprintf("%q is not one of %v", q.State, DeviceStates())}
		}
	}
	after, err := readCursor(q.Cursor)
	if err != nil {
		return nil, err
	}
	if q.Limit == 0 {
		q.Limit = defaultDevices
	}
	if q.Limit > mostDevices {
		return nil, &BadQuery{"limit", fmt.Sprintf("must be <= %d; go on with the cursor", mostDevices)}
	}
	ports := &c.ports.Devices
	if err := awaitBy(ctx, ports.Wait, &q); err != nil {
		return nil, err
	}
	list, cuts, err := ports.List(ctx, states, q.Prefix, after, q.Limit+1) // one more tells whether there is more
	if err != nil {
		return nil, err
	}
	a := &DevicesAnswer{Meta: c.meta(&q, cuts...), State: q.State, Prefix: q.Prefix, Devices: []ListedDevice{}}
	if len(list) > q.Limit {
		list = list[:q.Limit]
		a.Next = base64.RawURLEncoding.EncodeToString([]byte(list[q.Limit-1].Device))
	}
	for i := range list {
		r := &list[i].Record
		a.Devices = append(a.Devices, ListedDevice{string(list[i].Device), deviceFigures(r), r.Description.Model.Text, r.Description.Parent.Text})
	}
	return a, nil
}

// readCursor reads the id of the last device of the answer before.
func readCursor(s string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || !utf8.Valid(b) {
		return "", &BadQuery{"cursor", "is none: copy next whole from the answer before"}
	}
	return string(b), nil
}

// Text shows the list as a table.
func (a *DevicesAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	title := "Devices"
	if a.State != "" {
		title += " that are " + a.State
	}
	if a.Prefix != "" {
		title += " whose id begins with " + a.Prefix
	}
	p.title(title, counted(len(a.Devices), "device"))
	if len(a.Devices) == 0 {
		p.line("None.")
	} else {
		rows := make([][]string, len(a.Devices))
		for i, d := range a.Devices {
			since := ""
			if d.Since != "" {
				since = instant(d.SinceMs)
			}
			rows[i] = []string{d.Device, d.Name, d.State, since, d.Model, d.Parent}
		}
		p.table([]string{"device", "name", "state", "since", "model", "parent"}, rows)
	}
	if a.Next != "" {
		p.line(p.dim("more: --cursor " + a.Next))
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}

// instantOf is an instant of JSON for people.
func instantOf(stamp string) string { return strings.Replace(stamp, "T", " ", 1) }
