package console_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/fixture"
)

// lifecycle is a lane for each of two partitions of devices, and a console over both.
func lifecycle(t testing.TB) (*console.Console, func(list ...event.Event)) {
	t.Helper()
	const partitions = 2
	client, err := redisview.New(redisview.Options{Addrs: []string{backend.EmbeddedRedis(t)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	var lanes [partitions]*fixture.Lane
	for n := range lanes {
		lanes[n] = fixture.Open(t, client, int32(n), partitions, fmt.Sprint("gen", n), view.DeviceNames()...)
		lanes[n].Progress.CheckedMs, lanes[n].Progress.AppliedAppendMs = checkedMs, checkedMs-1000
	}
	r := client.Reader(fixture.DeviceTopic, partitions)
	c := console.New(console.Ports{
		Devices:   console.DevicePorts{Partition: r.PartitionOf, Device: r.Device, Links: r.Links, Linked: r.Linked, List: r.Devices, Where: r.WhereDevice, Wait: r.Wait},
		Partition: r.PartitionOf, Where: func(_ context.Context, id event.Subject) (view.Place, error) { // no subscriber has this name
			p, err := r.WhereDevice(context.Background(), "nobody")
			p.Keys = nil
			return p, err
		},
		Hash: r.VerifyHash, Wait: r.Wait, Now: func() time.Time { return now },
	})
	return c, func(list ...event.Event) {
		for _, e := range list {
			e.Envelope().ID = event.IDOf(e)
			l := lanes[event.PartitionOf(e.Envelope().Subject, partitions)]
			l.Progress.HighWatermark = l.Next + 1
			l.Fold(e)
		}
	}
}

func device(id string, minute int64) event.Common {
	return event.Common{Subject: event.Subject(id), OccurredAt: fixture.Monday + minute*60_000}
}

func connect(id string, minute, seq int64, model, parent string) event.Event {
	return &event.DeviceConnected{Common: device(id, minute), Session: event.Session{SessionID: fmt.Sprint("s-", seq), SessionSeq: seq},
		Description: event.Description{Model: model, ViaDeviceID: parent, Transport: "zigbee"}}
}

func TestDeviceGolden(t *testing.T) {
	c, fold := lifecycle(t)
	for i := range int64(7) {
		fold(connect(fmt.Sprint("lamp-", i), i, i, "LED1545G12", "gateway"))
	}
	fold(
		&event.DeviceRenamed{Common: device("lamp-3", 20), Rename: event.Rename{NewName: "kitchen lamp"}},
		&event.DeviceDisconnected{Common: device("lamp-3", 30), Session: event.Session{SessionID: "s-3", SessionSeq: 3}, DisconnectReason: event.ConnectionLost},
		&event.DeviceDisconnected{Common: device("lamp-4", 30), Session: event.Session{SessionID: "s-0", SessionSeq: 0}},
		&event.DeviceLinked{Common: device("switch", 40), Link: event.Link{OtherDeviceID: "lamp-3", LinkKind: "controls"}},
		&event.DeviceLinked{Common: device("lamp-3", 41), Link: event.Link{OtherDeviceID: "lamp-4", LinkKind: "mesh"}},
		&event.DeviceLinked{Common: device("lamp-5", 42), Link: event.Link{OtherDeviceID: "lamp-3", LinkKind: "mesh"}},
		&event.DeviceUnlinked{Common: device("lamp-5", 43), Link: event.Link{OtherDeviceID: "lamp-3"}},
		&event.DeviceUnlinked{Common: device("lamp-3", 44), Link: event.Link{OtherDeviceID: "lamp-6"}},
	)
	ctx := t.Context()
	of := func(id string) console.Query { return console.Query{Subject: event.Subject(id)} }
	for name, ask := range map[string]func() (console.Answer, error){
		"device":       func() (console.Answer, error) { return c.Device(ctx, of("lamp-3")) },
		"device_links": func() (console.Answer, error) { return c.Device(ctx, of("switch")) },
		"where_device": func() (console.Answer, error) {
			a, err := c.Where(ctx, of("lamp-3"))
			if err == nil {
				a.Node = "redis:6379"
			}
			return a, err
		},
		"device_nobody":   func() (console.Answer, error) { return c.Device(ctx, of("nobody")) },
		"devices":         func() (console.Answer, error) { return c.Devices(ctx, console.Query{Limit: 5}) },
		"devices_unknown": func() (console.Answer, error) { return c.Devices(ctx, console.Query{State: "unknown"}) },
		"links":           func() (console.Answer, error) { return c.Links(ctx, of("lamp-3")) },
	} {
		t.Run(name, func(t *testing.T) {
			a, err := ask()
			for _, width := range []int{80, 100} {
				narrow(t, text(t, a, err, console.Style{Width: width}), width)
			}
			golden(t, name+".txt", text(t, a, err, console.Style{Width: 80}))
			golden(t, name+".json", jsonOf(t, a))
		})
	}
}

// The parts of a list are the list, whatever its limit.
func TestDevicesByCursor(t *testing.T) {
	c, fold := lifecycle(t)
	var want []string
	for i := range int64(50) {
		id := fmt.Sprintf("d%02d", i)
		if i%2 == 0 {
			fold(connect(id, i, 1, "", ""))
		} else {
			fold(&event.DeviceRenamed{Common: device(id, i), Rename: event.Rename{NewName: "n"}})
		}
		want = append(want, id)
	}
	for _, test := range []struct {
		q    console.Query
		want func(i int, id string) bool
	}{
		{console.Query{}, func(int, string) bool { return true }},
		{console.Query{State: "connected"}, func(i int, _ string) bool { return i%2 == 0 }},
		{console.Query{State: "disconnected"}, func(int, string) bool { return false }},
		{console.Query{Prefix: "d1"}, func(_ int, id string) bool { return id[1] == '1' }},
		{console.Query{Prefix: "d4", State: "unknown"}, func(i int, id string) bool { return id[1] == '4' && i%2 == 1 }},
	} {
		for _, limit := range []int{1, 7, 100} {
			var got, wanted []string
			for i, id := range want {
				if test.want(i, id) {
					wanted = append(wanted, id)
				}
			}
			q := test.q
			for q.Limit = limit; ; {
				a, err := c.Devices(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range a.Devices {
					got = append(got, d.Device)
				}
				if q.Cursor = a.Next; a.Next == "" {
					break
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(wanted) {
				t.Errorf("%+v by %d: %v, want %v", test.q, limit, got, wanted)
			}
		}
	}
	for _, q := range []console.Query{{State: "asleep"}, {Cursor: "%"}, {Limit: -1}, {Limit: 1_000_000}} {
		if _, err := c.Devices(t.Context(), q); err == nil {
			t.Errorf("%+v was answered", q)
		}
	}
}
