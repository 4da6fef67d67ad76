package snapshot

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestPolicy(t *testing.T) {
	const minute, hour, day = int64(60_000), int64(3_600_000), int64(24 * 3_600_000)
	now := 1000*day + 5*hour + 30*minute
	var list []stamp
	for i := int64(0); i < 12*24*40; i++ { // each five minutes, for forty days
		list = append(list, stamp{next: 100_000 - i, createdMs: now - i*5*minute, ours: true})
	}
	list = append(list, stamp{next: 7, createdMs: now - 20*day}, stamp{next: 8, createdMs: now - 2*day})
	p := Policy{Last: 3, Hourly: 24, Daily: 14}
	drop := p.drop(list, now)
	kept := len(list) - len(drop)
	// three, of which the newest stands for this hour and this day; 23 more hours, the newest of yesterday among them; 12 more days; and one of another log
	if kept != 3+23+12+1 {
		t.Errorf("%d are kept", kept)
	}
	for _, next := range []int64{100_000, 99_999, 99_998, 8} {
		if slices.Contains(drop, next) {
			t.Errorf("%d is dropped", next)
		}
	}
	left := slices.DeleteFunc(slices.Clone(list), func(s stamp) bool { return slices.Contains(drop, s.next) })
	if again := p.drop(left, now); len(again) > 0 {
		t.Errorf("dropped the second time: %v", again)
	}
	if drop := (Policy{Last: 2}).drop(list[:5], now); len(drop) != 3 {
		t.Errorf("of five, %v are dropped", drop)
	}
}

// TestClean: after any number of snapshots, clean-ups by cleaners that begin anew, and compactions, what is kept is whole, and what is not is gone.
func TestClean(t *testing.T) {
	w := random(rand.New(rand.NewPCG(4, 4)), 3000, 60)
	m := &memory{nowMs: 1_000_000}
	base := Empty(w.identity(t), 0, 3)
	policy := Policy{Last: 2, Grace: time.Hour}
	cleaner := func() *Cleaner {
		return &Cleaner{Source: m, Append: m.Append, Of: facts, Policy: policy, Now: func() time.Time { return time.UnixMilli(m.nowMs) }}
	}
	c := cleaner()
	for i := int64(100); i < int64(len(w)); i += 100 {
		m.nowMs += 10 * 60_000
		base = w.build(t, m, base, i)
		if i%700 == 0 {
			c = cleaner()
		}
		if _, err := c.Clean(t.Context(), base.Identity); err != nil {
			t.Fatal(err)
		}
		if i%500 == 0 {
			m.compact()
		}
		list, refused, err := List(t.Context(), m, facts)
		if err != nil || len(refused) > 0 || len(list) != min(2, int(i/100)) {
			t.Fatalf("at %d: List = %d, %v, %v", i, len(list), refused, err)
		}
		for _, s := range list {
			if err := s.EachChunk(t.Context(), m, func(*Chunk, *ChunkDecoder) error { return nil }); err != nil && i%500 == 0 {
				t.Fatal(err)
			}
			restored(t, m, s)
		}
	}
	m.nowMs += 2 * 3_600_000
	for range 2 {
		if _, err := c.Clean(t.Context(), base.Identity); err != nil {
			t.Fatal(err)
		}
		m.nowMs += 2 * 3_600_000
	}
	m.compact()
	named := map[Digest]bool{}
	list, _, err := List(t.Context(), m, facts)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		for _, chunk := range s.Chunks {
			named[chunk.Digest] = true
		}
	}
	parts, others := 0, 0
	for _, r := range m.records {
		k, err := ParseKey(string(r.Key))
		switch {
		case err != nil || k.Kind == RetiredKind:
			others++
		case k.Kind == PartKind && !named[k.Digest]:
			others++
		case k.Kind == PartKind:
			parts++
		}
	}
	if others > 0 || parts != len(named) {
		t.Errorf("%d parts of %d chunks and %d records that nobody needs", parts, len(named), others)
	}
}
