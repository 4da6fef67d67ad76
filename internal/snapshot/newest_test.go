package snapshot

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// TestEpochs (S4, K6): a snapshot whose last event was overwritten is refused; the older one, before the divergence, is used.
//
//fault:s4 snapshots of an epoch that ended before them
func TestEpochs(t *testing.T) {
	w := random(rand.New(rand.NewPCG(2, 2)), 600, 20)
	m := &memory{}
	a := w.build(t, m, Empty(w.identity(t), 0, 2), 200)
	tail, progress := w.tail(2, 200, 400)
	progress.LeaderEpoch = 3
	if _, _, err := w.builder(m).Build(t.Context(), a, tail, progress); err != nil {
		t.Fatal(err)
	}
	ends := map[int32]int64{0: 250, 3: 400}
	want := Want{Identity: w.identity(t), End: 1000, EpochEnd: func(_ context.Context, epoch int32) (int64, error) { return ends[epoch], nil }}
	for _, row := range []struct {
		end     int64 // of epoch 3
		next    int64
		reasons int
	}{{400, 400, 0}, {399, 200, 1}, {-1, 200, 1}, {5000, 400, 0}} {
		ends[3] = row.end
		found, refused, err := Newest(t.Context(), m, want)
		if err != nil || found == nil || found.Next != row.next || len(refused) != row.reasons {
			t.Errorf("epoch 3 ends at %d: Newest = %+v, %v, %v", row.end, found, refused, err)
		}
		if row.reasons > 0 && refused[0].Reason != Diverged {
			t.Errorf("refused: %v", refused)
		}
	}
	want.EpochEnd = func(context.Context, int32) (int64, error) { return 0, errors.New("nobody answers") }
	if found, _, err := Newest(t.Context(), m, want); err == nil {
		t.Errorf("Newest = %+v without an answer", found)
	}
}

// TestPartsElsewhere: an older manifest whose chunks were written again, and the first copies compacted away, is read by the names of its chunks.
// A chunk that is nowhere is a *Damaged.
func TestPartsElsewhere(t *testing.T) {
	w := random(rand.New(rand.NewPCG(3, 3)), 800, 20)
	m := &memory{}
	first := w.build(t, m, Empty(w.identity(t), 0, 2), 800)
	want := hash(t, restored(t, m, first))
	w.build(t, m, Empty(w.identity(t), 0, 2), 800) // every chunk a second time
	m.remove(func(k Key) bool { return k.Kind == ManifestKind })
	m.compact()
	if got := hash(t, restored(t, m, first)); got != want {
		t.Errorf("read from elsewhere: %s, want %s", got, want)
	}
	broken := errors.New("broken")
	if err := first.Each(t.Context(), m, func(string, []string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("Each = %v, want the error of the caller", err)
	}
	gone := first.Chunks[3].Digest
	m.remove(func(k Key) bool { return k.Digest == gone })
	var damaged *Damaged
	if err := first.Each(t.Context(), m, func(string, []string) error { return nil }); !errors.As(err, &damaged) {
		t.Errorf("Each = %v, want a *Damaged", err)
	}
}

// TestFindsTheEnd: finding the newest manifest does not read what lies far before it.
func TestFindsTheEnd(t *testing.T) {
	w := random(rand.New(rand.NewPCG(5, 5)), 4000, 100)
	m := &memory{}
	base := Empty(w.identity(t), 0, 6)
	for next := int64(1000); next <= 4000; next += 1000 {
		base = w.build(t, m, base, next)
	}
	m.reads = 0
	found, _, err := Newest(t.Context(), m, Want{Identity: w.identity(t), End: 4000})
	if err != nil || found.Next != 4000 || m.reads != 2 {
		t.Errorf("Newest = %v after %d reads, want the last manifest in the last records", err, m.reads)
	}
	if found, _, err := Newest(t.Context(), m, Want{Identity: w.identity(t), End: 2500}); err != nil || found == nil || found.Next != 2000 {
		t.Errorf("Newest before 2500 = %+v, %v", found, err)
	}
	opened, refusal, err := Open(t.Context(), m, Want{Identity: w.identity(t), End: 4000}, found.Offset)
	if err != nil || refusal != nil || opened.Next != 4000 {
		t.Errorf("Open = %+v, %v, %v", opened, refusal, err)
	}
	if opened, refusal, err := Open(t.Context(), m, Want{Identity: w.identity(t), End: 4000}, found.Offset-1); opened != nil || refusal != nil || err != nil {
		t.Errorf("Open of no manifest = %+v, %v, %v", opened, refusal, err)
	}
}

//fault:s3 how much log is left before the newest snapshot is of no use
func TestMargin(t *testing.T) {
	for _, row := range []struct {
		m    Margin
		near bool
	}{
		{Margin{Position: 100, Start: 0, End: 1000}, false},
		{Margin{Position: 100, Start: 0, End: 1000, Age: 51 * time.Hour, Retention: 100 * time.Hour}, true},
		{Margin{Position: 100, Start: 0, End: 1000, Age: 49 * time.Hour, Retention: 100 * time.Hour}, false},
		{Margin{Position: 1000, Start: 1000, End: 1000, Age: 99 * time.Hour, Retention: 100 * time.Hour}, false},
		{Margin{Position: 120, Start: 100, End: 1000}, true},
		{Margin{Position: 50, Start: 100, End: 1000}, true},
		{Margin{Position: 500, Start: 100, End: 1000}, false},
	} {
		if got := row.m.Near(50); got != row.near {
			t.Errorf("%+v: near is %t", row.m, got)
		}
	}
}
