package redisview

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/view"
	"switchboard/tests/fixture"
)

func TestReadDevices(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		const partitions = 3
		var lanes [partitions]*fixture.Lane
		for n := range lanes {
			lanes[n] = fixture.Open(t, c, int32(n), partitions, fmt.Sprint("g", n), view.DeviceNames()...)
		}
		add := func(e event.Event) {
			e.Envelope().ID = event.IDOf(e)
			lanes[event.PartitionOf(e.Envelope().Subject, partitions)].Fold(e)
		}
		// Ids that begin alike, hold colons and blanks, and end a range of bytes.
		ids := []string{"a", "a:1", "a:10", "a b", "a\u00ff", "aÿ1", "b", "é"}
		for i, id := range ids {
			common := event.Common{Subject: event.Subject(id), OccurredAt: fixture.Monday + int64(i)}
			add(&event.DeviceConnected{Common: common, Session: event.Session{SessionID: "s", SessionSeq: int64(i)}, Description: event.Description{Model: "m 1"}})
			add(&event.DeviceLinked{Common: common, Link: event.Link{OtherDeviceID: "hub", LinkKind: id}})
		}
		add(&event.DeviceUnlinked{Common: event.Common{Subject: "b", OccurredAt: fixture.Monday + 99}, Link: event.Link{OtherDeviceID: "hub"}})
		r := c.Reader(fixture.DeviceTopic, partitions)

		d, err := r.Device(t.Context(), "a b")
		if err != nil || !d.Found || d.Record.Session.State() != fold.StateConnected || d.Record.Session.Stamp.Seq != 3 || d.Record.Description.Model.Text != "m 1" || d.At < 0 {
			t.Errorf("%+v (%v)", d, err)
		}
		if d, err := r.Device(t.Context(), "nobody"); err != nil || d.Found || d.At != -1 {
			t.Errorf("%+v (%v)", d, err)
		}
		out := map[string]bool{}
		if _, err := r.Links(t.Context(), "b", func(other string, e *fold.Edge) error { out[other] = e.Linked; return nil }, nil); err != nil || !maps.Equal(out, map[string]bool{"hub": false}) {
			t.Errorf("links out: %v (%v)", out, err)
		}
		in, cuts, err := r.Linked(t.Context(), "hub")
		var by []string
		for _, l := range in {
			if by = append(by, string(l.By)); l.Edge.Kind != string(l.By) || !l.Edge.Linked {
				t.Errorf("%+v", l)
			}
		}
		slices.Sort(by)
		sorted := slices.Sorted(slices.Values(ids))
		if err != nil || len(cuts) != partitions || !slices.Equal(by, slices.DeleteFunc(slices.Clone(sorted), func(id string) bool { return id == "b" })) {
			t.Errorf("links in: %v (%v)", by, err)
		}
		for _, test := range []struct {
			prefix, after string
			k             int
			want          []string
		}{
			{"", "", 100, sorted}, {"", "", 3, sorted[:3]}, {"", "b", 9, []string{"é"}}, {"a", "", 9, sorted[:6]}, {"a:", "", 9, []string{"a:1", "a:10"}},
			{"a:", "a:1", 9, []string{"a:10"}}, {"aÿ", "", 9, []string{"aÿ", "aÿ1"}}, {"a", "z", 9, nil}, {"b", "a", 9, []string{"b"}}, {"x", "", 9, nil},
		} {
			list, _, err := r.Devices(t.Context(), view.DeviceStates(), test.prefix, test.after, test.k)
			var got []string
			for _, l := range list {
				if got = append(got, string(l.Device)); l.Record.Description.Model.Text != "m 1" {
					t.Errorf("%+v", l)
				}
			}
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%q after %q: %q, want %q (%v)", test.prefix, test.after, got, test.want, err)
			}
		}
		if list, _, err := r.Devices(t.Context(), []fold.DeviceState{fold.StateDisconnected}, "", "", 9); err != nil || len(list) != 0 {
			t.Errorf("disconnected: %v (%v)", list, err)
		}
		answer, err := r.VerifyHash(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := view.Hash{}
		for _, l := range lanes {
			h, err := l.State.Hash()
			if err != nil {
				t.Fatal(err)
			}
			want.Merge(h)
		}
		if answer.Hash != want {
			t.Errorf("hash %s of %d, want %s of %d", answer.Hash, answer.Hash.Records(), want, want.Records())
		}
	})
}

// Two generations of devices are compared, by head record and links.
func TestCompareDevices(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		a := fixture.Open(t, c, 0, 1, "a", view.DeviceNames()...)
		b := fixture.Open(t, c, 0, 1, "b", view.DeviceNames()...)
		var events []event.Event
		for i := range 10 {
			e := &event.DeviceLinked{Common: event.Common{Subject: event.Subject(fmt.Sprint("d", i)), OccurredAt: 1}, Link: event.Link{OtherDeviceID: "x"}}
			e.ID = event.IDOf(e)
			events = append(events, e)
		}
		a.Fold(events...)
		b.Fold(events...)
		got, err := c.Compare(t.Context(), a.ID.Partition, "a", "b")
		if err != nil || got.Subjects != 10 || got.Different != 0 {
			t.Errorf("%+v (%v)", got, err)
		}
		e := &event.DeviceLinked{Common: event.Common{Subject: "d3", OccurredAt: 2}, Link: event.Link{OtherDeviceID: "y"}}
		e.ID = event.IDOf(e)
		a.Fold(e)
		b.Commit(b.Next+1, nil)
		got, err = c.Compare(t.Context(), a.ID.Partition, "a", "b")
		if err != nil || got.Different != 1 || got.First != "links:d3" {
			t.Errorf("%+v (%v)", got, err)
		}
	})
}
