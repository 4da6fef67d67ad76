package redisview

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
	"switchboard/tests/fixture"
)

// TestHashIsThatOfTheState: what Redis holds hashes like what the mutations come to in memory, short records and long
// ones.
func TestHashIsThatOfTheState(t *testing.T) { servers(t, hashIsThatOfTheState) }

func hashIsThatOfTheState(t *testing.T, c *Client) {
	const partitions = 4
	r := c.Reader(fixture.Topic, partitions)
	var whole view.Hash
	for p := range int32(partitions) {
		l := fixture.Open(t, c, p, partitions, fmt.Sprint("g", p))
		if p == 0 { // another generation beside it must not count
			fixture.Open(t, c, p, partitions, "beside").Fold(fixture.Call(fixture.SubjectsOf(p, partitions, 1)[0], "x", 0, 1))
		}
		names := fixture.SubjectsOf(p, partitions, 40)
		for i := range 10 {
			var list []event.Event
			for k := range 300 {
				list = append(list, fixture.Call(names[k%len(names)], fmt.Sprint("c", k%7), i*300+k, int32(k)))
			}
			list = append(list, list[0]) // a duplicate
			l.Fold(list...)
		}
		var long []event.Event // one week of more than a page, and as many contacts
		for k := range longFields + 1200 {
			long = append(long, fixture.Call(names[0], fmt.Sprint("d", k), 60*24*7+k, 1))
		}
		l.Fold(long...)
		want, err := l.State.Hash()
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.HashGeneration(t.Context(), l.ID)
		if err != nil || got != want {
			t.Fatalf("%s: %s (%d records), want %s (%d) (%v)", l.ID.Partition, got, got.Records(), want, want.Records(), err)
		}
		whole.Merge(want)
	}
	answer, err := r.VerifyHash(t.Context())
	if err != nil || answer.Hash != whole || len(answer.Parts) != partitions || !answer.Comparable() {
		t.Fatalf("%+v (%v), want %s", answer, err, whole)
	}
	if answer.Parts[2].Partition.Number != 2 || answer.Parts[2].Next != 3010+longFields+1200 || answer.Parts[2].Generation != "g2" {
		t.Errorf("position: %+v", answer.Parts[2].Cut)
	}
}

func TestVerifyHashNeedsWhatStandsStill(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		r := c.Reader(fixture.Topic, 2)
		if _, err := r.VerifyHash(t.Context()); !errors.Is(err, view.ErrUnavailable) {
			t.Errorf("nothing serves: %v", err)
		}
		l := fixture.Open(t, c, 0, 2, "g")
		l.Progress.Tombstones = 3
		l.Fold(fixture.Call("alice", "bob", 0, 1))
		fixture.Open(t, c, 1, 2, "g")
		answer, err := r.VerifyHash(t.Context())
		if err != nil || answer.Comparable() || answer.Parts[0].Tombstones != 3 {
			t.Errorf("tombstones: %+v (%v)", answer, err)
		}

		// A batch of which a part is applied: next < ahead.
		pos := PosKey(l.ID)
		if err := c.shared.HSet(t.Context(), pos, "ahead", 5, "part", 1).Err(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := r.VerifyHash(ctx); err == nil {
			t.Error("a hash of a batch that is half written")
		}
		done := make(chan error, 1)
		go func() {
			time.Sleep(150 * time.Millisecond) // the batch ends while it is waited for
			done <- c.shared.HSet(t.Context(), pos, "next", 5, "part", 0).Err()
		}()
		again, err := r.VerifyHash(t.Context())
		if e := <-done; e != nil || err != nil || again.Hash != answer.Hash || again.Parts[0].Next != 5 {
			t.Errorf("%+v (%v, %v), want %s", again, err, e, answer.Hash)
		}
	})
}

func TestHashRefusesWhatIsNoReadModel(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		l := fixture.Open(t, c, 0, 1, "g")
		if err := c.shared.HSet(t.Context(), Prefix(l.ID)+"strange:alice", "a", "b").Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.HashGeneration(t.Context(), l.ID); err == nil || !strings.Contains(err.Error(), `"strange:alice" is no key of a read model`) {
			t.Errorf("%v", err)
		}
		lane := pipeline.LaneID{Partition: l.ID.Partition, Generation: "none"}
		if h, err := c.HashGeneration(t.Context(), lane); err != nil || h.Records() != 0 {
			t.Errorf("of nothing: %s (%v)", h, err)
		}
	})
}
