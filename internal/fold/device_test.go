package fold_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// life is random events of one device: few sessions, instants and names, so that stamps clash and events are equal.
func life(r *rand.Rand, n int) []event.Event {
	pick := func(what string, of int) string {
		if k := r.IntN(of + 1); k > 0 {
			return fmt.Sprint(what, k)
		}
		return ""
	}
	var list []event.Event
	for range n {
		c := event.Common{Subject: "d", OccurredAt: 1_700_000_000_000 + r.Int64N(4)*1000, UTCOffsetS: int32(r.IntN(2)) * 3600}
		seq := r.Int64N(4)
		s := event.Session{SessionID: fmt.Sprint("s", seq, r.IntN(2)), SessionSeq: seq}
		l := event.Link{OtherDeviceID: fmt.Sprint("o", r.IntN(3)), LinkKind: pick("k", 2)}
		var e event.Event
		switch r.IntN(5) {
		case 0:
			e = &event.DeviceConnected{Common: c, Session: s, Description: event.Description{
				ViaDeviceID: pick("gw", 2), Transport: pick("t", 1), AddressHash: pick("a", 3), Firmware: pick("f", 3), Model: pick("m", 2), Manufacturer: pick("x", 1),
			}}
		case 1:
			e = &event.DeviceDisconnected{Common: c, Session: s, InitiatedByClient: r.IntN(2) == 0, DisconnectReason: event.DisconnectReason(r.IntN(13))}
		case 2:
			e = &event.DeviceRenamed{Common: c, Rename: event.Rename{OldName: pick("n", 2), NewName: fmt.Sprint("n", r.IntN(4)), RenamedBy: pick("b", 1)}}
		case 3:
			e = &event.DeviceLinked{Common: c, Link: l}
		default:
			e = &event.DeviceUnlinked{Common: c, Link: l}
		}
		e.Envelope().ID = event.IDOf(e)
		list = append(list, e)
	}
	return list
}

// deviceModel is what the words of MODEL.md say, in the plainest way: all that was said, sorted by its stamp as text, and the last of it. A word is
// "what value".
func deviceModel(list []event.Event) map[string]string {
	type saying struct{ stamp, text string }
	all := map[string][]saying{}
	for _, e := range list {
		say := func(what, stamp, text string) {
			all[what] = append(all[what], saying{stamp + " " + e.Envelope().ID.String(), text})
		}
		at := fmt.Sprintf("%020d", e.Envelope().OccurredAt)
		switch e := e.(type) {
		case *event.DeviceConnected:
			seq := fmt.Sprintf("%020d 0", e.SessionSeq)
			say("session", seq, fmt.Sprint("connected ", e.SessionID, " ", e.OccurredAt, " unknown false"))
			for what, text := range map[string]string{"parent": e.ViaDeviceID, "transport": e.Transport, "address": e.AddressHash, "firmware": e.Firmware, "model": e.Model, "manufacturer": e.Manufacturer} {
				if text != "" {
					say(what, seq, text)
				}
			}
		case *event.DeviceDisconnected:
			say("session", fmt.Sprintf("%020d 1", e.SessionSeq), fmt.Sprint("disconnected ", e.SessionID, " ", e.OccurredAt, " ", e.DisconnectReason, " ", e.InitiatedByClient))
		case *event.DeviceRenamed:
			say("name", at, e.NewName)
		case *event.DeviceLinked:
			say("link "+e.OtherDeviceID, at, "linked "+e.LinkKind)
		case *event.DeviceUnlinked:
			say("link "+e.OtherDeviceID, at, "unlinked "+e.LinkKind)
		}
	}
	last := map[string]string{}
	for what, sayings := range all {
		best := slices.MaxFunc(sayings, func(a, b saying) int {
			if a.stamp < b.stamp {
				return -1
			} else if a.stamp > b.stamp {
				return 1
			}
			return 0
		})
		last[what] = best.text
	}
	return last
}

// told is a folded device in the words of deviceModel.
func told(d *fold.Device) map[string]string {
	m := map[string]string{}
	r := &d.Record
	if s := &r.Session; s.State() != fold.StateUnknown {
		m["session"] = fmt.Sprint(s.State(), " ", s.ID, " ", s.AtMs, " ", s.Reason, " ", s.ByClient)
	}
	if !r.Name.Stamp.Fact.IsZero() {
		m["name"] = r.Name.Text
	}
	n := &r.Description
	for what, s := range map[string]fold.Said{"parent": n.Parent, "transport": n.Transport, "address": n.Address, "firmware": n.Firmware, "model": n.Model, "manufacturer": n.Manufacturer} {
		if !s.Stamp.Fact.IsZero() {
			m[what] = s.Text
		}
	}
	for other, e := range d.Edges {
		word := "unlinked "
		if e.Linked {
			word = "linked "
		}
		m["link "+other] = word + e.Kind
	}
	return m
}

func foldDevice(list []event.Event) *fold.Device {
	d := fold.NewDevice(true)
	d.AllEdges = true
	for i, e := range list {
		if !d.Fold(int64(i), e) {
			panic(e.Type())
		}
	}
	return d
}

func TestDeviceFoldIsOrderFreeAndExact(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		list := life(r, 1+r.IntN(40))
		want := deviceModel(list)
		record := foldDevice(list).Record
		for range 4 {
			shuffled := slices.Clone(list)
			for _, e := range list {
				if r.IntN(5) == 0 {
					shuffled = append(shuffled, e)
				}
			}
			r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			d := foldDevice(shuffled)
			if got := told(d); !maps.Equal(got, want) {
				t.Fatalf("seed %d:\n got %v\nwant %v", seed, got, want)
			}
			if d.Record != record {
				t.Fatalf("seed %d: stamps depend on the order:\n got %+v\nwant %+v", seed, d.Record, record)
			}
		}
	}
}

// Noise: everything that is not content changes nothing.
func TestDeviceFoldReadsContentOnly(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	list := life(r, 50)
	want := foldDevice(list)
	for _, e := range list {
		c := e.Envelope()
		c.RecordedAt, c.Source, c.Reporter, c.NativeID, c.Batch, c.Attempt = r.Int64(), "a", "b", "c", "d", 5
		c.Actor, c.Reason, c.CorrelationID, c.CausationID = "e", "f", "g", "h"
	}
	if got := foldDevice(list); got.Record != want.Record || !maps.Equal(told(got), told(want)) {
		t.Errorf("got %+v, want %+v", got.Record, want.Record)
	}
}

func TestDeviceFoldSkipsWhatIsFolded(t *testing.T) {
	list := life(rand.New(rand.NewPCG(3, 4)), 40)
	d := foldDevice(list)
	d.Settle()
	record := d.Record
	for i, e := range list {
		d.Fold(int64(i), e)
	}
	if d.Record != record || len(d.Changed) > 0 {
		t.Errorf("folding again changed %+v to %+v, and %v", record, d.Record, d.Changed)
	}
}

// The bug that this is made against: connect(2) and then, late, disconnect(1).
func TestLateDisconnectOfAnOlderSession(t *testing.T) {
	connect := &event.DeviceConnected{Common: event.Common{Subject: "d", OccurredAt: 2000}, Session: event.Session{SessionID: "b", SessionSeq: 2}}
	late := &event.DeviceDisconnected{Common: event.Common{Subject: "d", OccurredAt: 9000}, Session: event.Session{SessionID: "a", SessionSeq: 1}}
	for _, e := range []event.Event{connect, late} {
		e.Envelope().ID = event.IDOf(e)
	}
	if d := foldDevice([]event.Event{connect, late}); d.Record.Session.State() != fold.StateConnected || d.Record.Session.ID != "b" {
		t.Errorf("%+v", d.Record.Session)
	}
}
