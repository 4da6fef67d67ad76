package snapshot

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"switchboard/internal/view"
	"switchboard/tests/fixture"
)

// TestSnapshotAndTail: for random logs, numbers of buckets and positions, a snapshot and the tail behind it are the fold of the log, and the
// snapshot itself is the same bytes whatever snapshots came before it.
//
//fault:s5 a snapshot and the tail are the fold, at every offset
func TestSnapshotAndTail(t *testing.T) {
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := random(r, 200+r.IntN(1500), 1+r.IntN(60))
		if seed%2 == 1 {
			w = fixture.Lives(r, 100+r.IntN(900), 1+r.IntN(60), true)
		}
		end := int64(len(w))
		m := &memory{nowMs: 1}
		base := Empty(w.identity(t), 0, uint8(r.IntN(6)))
		if seed == 3 {
			old := tableRoom
			tableRoom = 100
			defer func() { tableRoom = old }()
		}
		direct := w.build(t, &memory{}, base, end)
		for base.Next < end {
			base = w.build(t, m, base, min(end, base.Next+1+r.Int64N(end/2)))
			m.compact()
			state := restored(t, m, base)
			want := view.State{}
			w.fold(t, want, 0, base.Next)
			if got, want := hash(t, state), hash(t, want); got != want {
				t.Fatalf("seed %d: the snapshot at %d is %s, the log folds to %s", seed, base.Next, got, want)
			}
			w.fold(t, state, base.Next, end)
			w.fold(t, want, base.Next, end)
			if got, want := hash(t, state), hash(t, want); got != want {
				t.Fatalf("seed %d: the snapshot at %d and its tail are %s, the log folds to %s", seed, base.Next, got, want)
			}
			found, refused, err := Newest(context.Background(), m, Want{Identity: w.identity(t), End: end})
			if err != nil || found == nil || found.Next != base.Next || found.Offset != base.Offset || len(refused) > 0 {
				t.Fatalf("seed %d: Newest = %+v, %v, %v, want the snapshot at %d", seed, found, refused, err, base.Next)
			}
			base = found
		}
		if len(base.Chunks) != len(direct.Chunks) || base.Totals != direct.Totals {
			t.Fatalf("seed %d: %d chunks, %d when folded at once; totals %+v, %+v", seed, len(base.Chunks), len(direct.Chunks), base.Totals, direct.Totals)
		}
		for i := range base.Chunks {
			if base.Chunks[i].Digest != direct.Chunks[i].Digest || base.Chunks[i].Section != direct.Chunks[i].Section {
				t.Fatalf("seed %d: chunk %s is other bytes than %s folded at once", seed, base.Chunks[i].Section, direct.Chunks[i].Section)
			}
		}
	}
}

// TestWeeksThatAreOver: a chunk that the tail does not touch is named again and not written; duplicates change nothing at all.
func TestWeeksThatAreOver(t *testing.T) {
	w := random(rand.New(rand.NewPCG(7, 7)), 2000, 40)
	m := &memory{}
	first := w.build(t, m, Empty(w.identity(t), 0, 2), int64(len(w)))
	again := append(w, w[:50]...) // 50 duplicates
	records := m.end
	second := again.build(t, m, first, int64(len(again)))
	if m.end != records+1 {
		t.Errorf("duplicates wrote %d records, want the manifest alone", m.end-records)
	}
	if second.Fields() != first.Fields() || second.Next != int64(len(again)) {
		t.Errorf("%d fields at %d, want %d at %d", second.Fields(), second.Next, first.Fields(), len(again))
	}
}

// TestBuildFails: a snapshot that was not finished is nothing, and the same tail makes it later.
func TestBuildFails(t *testing.T) {
	w := random(rand.New(rand.NewPCG(8, 8)), 500, 20)
	m := &memory{}
	base := w.build(t, m, Empty(w.identity(t), 0, 3), 200)
	tail, progress := w.tail(3, 200, 500)
	broken := errors.New("broken")
	for after := 0; ; after++ {
		b := w.builder(m)
		left := after
		b.Append = func(ctx context.Context, list []Record) ([]int64, error) {
			if left--; left < 0 {
				return nil, broken
			}
			return m.Append(ctx, list)
		}
		next, _, err := b.Build(t.Context(), base, tail, progress)
		if err == nil {
			want := view.State{}
			w.fold(t, want, 0, 500)
			if hash(t, restored(t, m, next)) != hash(t, want) {
				t.Error("what came in the end is not the fold of the log")
			}
			return
		}
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		found, refused, err := Newest(t.Context(), m, Want{Identity: w.identity(t), End: 1000})
		if err != nil || found == nil || found.Next != 200 || len(refused) > 0 {
			t.Fatalf("after %d appends Newest = %v, %v, %v, want the snapshot at 200", after, found, refused, err)
		}
	}
}
