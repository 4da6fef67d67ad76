package redisview

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
	"switchboard/tests/fixture"
)

func TestReadOneSubscriber(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		w := fixture.Open(t, c, 0, 1, "g1")
		r := c.Reader(fixture.Topic, 1)
		w.Fold(fixture.Call("alice", "bob", 0, 10), fixture.Call("alice", "carol", 60, 20), fixture.Call("alice", "bob", 7*24*60+1, 5), fixture.Call("alice", "bob", 0, 10))

		card, err := r.Card(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		if !card.Found || card.Card.CallsIn != 3 || card.Card.SecondsIn != 35 || card.Card.Contacts != 2 || card.Card.Duplicates != 1 {
			t.Errorf("card: %+v", card)
		}
		if card.Next != 4 || card.Ahead != 4 || card.At != 3 || card.Generation != "g1" || card.Rebuilding() || card.Moving() {
			t.Errorf("cut: %+v", card.Cut)
		}
		if want := []view.WeekCount{{Week: "2024-W10", Reports: 2}, {Week: "2024-W11", Reports: 1}}; !slices.Equal(card.Weeks, want) {
			t.Errorf("weeks: %v", card.Weeks)
		}

		contacts := map[string]int64{}
		if _, err := r.Contacts(t.Context(), "alice", func(name string, c *fold.Contact) error {
			contacts[name] = c.SecondsIn
			return nil
		}, nil); err != nil || len(contacts) != 2 || contacts["bob"] != 15 || contacts["carol"] != 20 {
			t.Errorf("contacts: %v (%v)", contacts, err)
		}

		var starts []int64
		collect := func(_ fold.EntryID, e *fold.Entry) error { starts = append(starts, e.StartMs); return nil }
		reading, err := r.Timeline(t.Context(), "alice", nil, collect, nil)
		if err != nil || !slices.Equal(starts, []int64{fixture.Monday, fixture.Monday + 3_600_000, fixture.Monday + (7*24*60+1)*60_000}) || reading.At != 3 {
			t.Errorf("timeline: %v (%v)", starts, err)
		}
		starts = nil
		if _, err := r.Timeline(t.Context(), "alice", func(all []view.WeekCount) []view.WeekCount { return all[1:] }, collect, nil); err != nil || len(starts) != 1 {
			t.Errorf("one week: %v (%v)", starts, err)
		}

		nobody, err := r.Card(t.Context(), "nobody")
		if err != nil || nobody.Found || nobody.Next != 4 {
			t.Errorf("nobody: %+v (%v)", nobody, err)
		}
		if _, err := r.Timeline(t.Context(), "nobody", nil, collect, nil); err != nil {
			t.Error(err)
		}

		place, err := r.Where(t.Context(), "alice")
		if err != nil || !slices.Equal(place.Keys, []string{"v:{calls.reports/0}:gg1:card:alice", "v:{calls.reports/0}:gg1:contacts:alice"}) ||
			len(place.Weeks) != 2 || place.Node == "" {
			t.Errorf("where: %+v (%v)", place, err)
		}
	})
}

func TestReadAcrossPartitions(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		const partitions = 3
		r := c.Reader(fixture.Topic, partitions)
		want := map[event.Subject]int64{}
		var total int64
		for p := range int32(partitions) {
			w := fixture.Open(t, c, p, partitions, fmt.Sprint("g", p))
			for i, name := range fixture.SubjectsOf(p, partitions, 5) {
				var list []event.Event
				for n := range 1 + i/2 { // ties within and across partitions
					list = append(list, fixture.Call(name, "shared", n, 10))
				}
				total += int64(len(list))
				want[event.Subject(name)] = int64(len(list))
				w.Fold(list...)
			}
		}
		all := make([]view.Ranked, 0, len(want))
		for name, score := range want {
			all = append(all, view.Ranked{Subject: name, Score: score})
		}
		slices.SortFunc(all, func(a, b view.Ranked) int {
			if a.Score != b.Score {
				return int(b.Score - a.Score)
			}
			return strings.Compare(string(b.Subject), string(a.Subject))
		})
		for k := 1; k <= len(all)+1; k++ {
			top, cuts, err := r.Top(t.Context(), "in", 0, k)
			if err != nil || !slices.Equal(top, all[:min(k, len(all))]) || len(cuts) != partitions {
				t.Fatalf("top %d: %v (%v)", k, top, err)
			}
		}
		if page, _, err := r.Top(t.Context(), "in", 4, 6); err != nil || !slices.Equal(page, all[4:10]) {
			t.Errorf("places 5 to 10: %v (%v)", page, err)
		}
		if _, _, err := r.Top(t.Context(), "height", 0, 3); err == nil || !strings.Contains(err.Error(), "want one of in, out, seconds, contacts") {
			t.Error(err)
		}
		reach, cuts, err := r.Reach(t.Context(), "shared")
		if err != nil || len(reach) != len(want) || len(cuts) != partitions {
			t.Fatalf("reach: %v (%v)", reach, err)
		}
		for _, reporter := range reach {
			if reporter.Contact.CallsIn != want[reporter.Subject] {
				t.Errorf("reach: %+v, want %d", reporter, want[reporter.Subject])
			}
		}
		totals, _, err := r.Totals(t.Context())
		if err != nil || totals.Calls != total || totals.Subjects != int64(len(want)) || totals.Seconds != 10*total {
			t.Errorf("totals: %+v (%v), want %d calls", totals, err, total)
		}
	})
}

func TestReadSaysWhatIsMissing(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		r := c.Reader(fixture.Topic, 1)
		if _, err := r.Card(t.Context(), "alice"); !errors.Is(err, view.ErrUnavailable) || !strings.Contains(err.Error(), "is a processor running?") {
			t.Errorf("nothing serves: %v", err)
		}
		w := fixture.Open(t, c, 0, 1, "g1", "card", "timeline")
		w.Fold(fixture.Call("alice", "bob", 0, 10))
		var noView *ErrNoView
		if _, err := r.Contacts(t.Context(), "alice", nil, nil); !errors.As(err, &noView) || noView.Missing != view.Contacts {
			t.Errorf("no contacts: %v", err)
		}
		for name, read := range map[string]func() error{
			"top":    func() error { _, _, err := r.Top(t.Context(), "in", 0, 1); return err },
			"reach":  func() error { _, _, err := r.Reach(t.Context(), "bob"); return err },
			"totals": func() error { _, _, err := r.Totals(t.Context()); return err },
		} {
			if err := read(); !errors.As(err, &noView) || noView.Missing != name {
				t.Errorf("no %s: %v", name, err)
			}
		}
		if _, err := c.Reader(fixture.Topic, 2).Card(t.Context(), subjectsOf0(2)); err == nil || !strings.Contains(err.Error(), "1 partitions, and the topology says 2") {
			t.Errorf("wrong number of partitions: %v", err)
		}
	})
}

func subjectsOf0(partitions int32) event.Subject {
	return event.Subject(fixture.SubjectsOf(0, partitions, 1)[0])
}

// TestReadStartsOver: while a long answer is read, Redis is emptied and folded anew into another generation.
func TestReadStartsOver(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		const n = 2*longFields + 10
		w := fixture.Open(t, c, 0, 1, "old")
		for i := 0; i < n; i += 1000 {
			var list []event.Event
			for k := i; k < min(i+1000, n); k++ {
				list = append(list, fixture.Call("alice", "bob", k*30, 1))
			}
			w.Fold(list...)
		}
		r := c.Reader(fixture.Topic, 1)
		got, began := 0, 0
		reading, err := r.Timeline(t.Context(), "alice", nil, func(fold.EntryID, *fold.Entry) error {
			if got++; got == 10 && began == 0 {
				if err := c.shared.FlushAll(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				fixture.Open(t, c, 0, 1, "new").Fold(fixture.Call("alice", "bob", 0, 1), fixture.Call("alice", "bob", 1, 1))
			}
			return nil
		}, func() { got = 0; began++ })
		if err != nil || began != 1 || got != 2 || reading.Generation != "new" {
			t.Errorf("%d reports of generation %s, %d times anew (%v)", got, reading.Generation, began, err)
		}

		// A stream cannot be taken back: it fails, and says so.
		w = fixture.Open(t, c, 0, 1, "newer")
		if err := c.shared.HSet(t.Context(), ServingKey, "calls.reports/0", "newer").Err(); err != nil {
			t.Fatal(err)
		}
		for i := range 2 * longFields / 500 {
			var list []event.Event
			for k := range 500 {
				list = append(list, fixture.Call("alice", "bob", (i*500+k)*30, 1))
			}
			w.Fold(list...)
		}
		got = 0
		_, err = r.Timeline(t.Context(), "alice", nil, func(fold.EntryID, *fold.Entry) error {
			if got++; got == 10 {
				return c.shared.Unlink(t.Context(), PosKey(pipeline.LaneID{Partition: w.ID.Partition, Generation: "newer"})).Err()
			}
			return nil
		}, nil)
		if !errors.Is(err, view.ErrUnavailable) {
			t.Errorf("a stream whose generation went away: %v", err)
		}
	})
}
