package snapshot

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"switchboard/internal/event"
)

// Policy says which snapshots are kept. The Last newest always are, then the newest of each of the last Hourly hours and Daily days,
// by the clock of whoever made them. Those of another log, fold or set of views are kept for Daily days.
type Policy struct {
	Last, Hourly, Daily int
	// Grace is how long a chunk stays that no manifest names any more, so that whoever reads a snapshot can finish.
	Grace time.Duration
}

// stamp is what a manifest is judged by.
type stamp struct {
	next, createdMs int64
	ours            bool
}

// drop is the positions of those that are not kept.
func (p Policy) drop(list []stamp, nowMs int64) []int64 {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b stamp) int { return cmp.Compare(b.next, a.next) })
	const hour, day = 3_600_000, 24 * 3_600_000
	taken := make(map[[2]int64]bool)
	first := func(unit, n, createdMs int64) bool { // of the last n units, and the newest in its own
		slot := [2]int64{unit, createdMs / unit}
		if nowMs/unit-slot[1] >= n || taken[slot] {
			return false
		}
		taken[slot] = true
		return true
	}
	var drop []int64
	newest := 0
	for _, s := range list {
		if !s.ours {
			if nowMs-s.createdMs > int64(p.Daily)*day {
				drop = append(drop, s.next)
			}
			continue
		}
		newest++
		hourly, daily := first(hour, int64(p.Hourly), s.createdMs), first(day, int64(p.Daily), s.createdMs)
		if newest > p.Last && !hourly && !daily {
			drop = append(drop, s.next)
		}
	}
	return drop
}

// Cleaner removes what is kept no longer. It remembers what it has read of the topic, and nothing that is not there: a new one finds out
// again. One goroutine uses it.
type Cleaner struct {
	Source Source
	Append Append
	Of     event.Partition
	Policy Policy
	Now    func() time.Time

	read      int64 // offset up to which the topic has been looked at
	manifests map[int64]entry
	retired   map[int64]entry
	parts     map[Digest]chunkEntry
	swept     time.Time
}

type entry struct {
	offset, appendedMs int64
	createdMs          int64
	id                 Identity
	newer              bool
}

type chunkEntry struct {
	parts      int
	appendedMs int64
}

// Cleaned is what was removed.
type Cleaned struct{ Retired, Manifests, Chunks int }

// Clean retires manifests that the policy does not keep: a retired one is no snapshot any more, but still names its chunks. After Policy.Grace it
// goes, and with it the chunks that nothing else names. Chunks of a snapshot that was never finished go after the same time. While there is
// a manifest that only a later program can read, no chunk is removed.
func (c *Cleaner) Clean(ctx context.Context, ours Identity) (Cleaned, error) {
	var done Cleaned
	if err := c.look(ctx); err != nil {
		return done, err
	}
	now := c.Now()
	list := make([]stamp, 0, len(c.manifests))
	for next, e := range c.manifests {
		list = append(list, stamp{next, e.createdMs, e.id == ours})
	}
	for _, next := range c.Policy.drop(list, now.UnixMilli()) {
		if err := c.retire(ctx, next); err != nil {
			return done, err
		}
		done.Retired++
	}
	if now.Sub(c.swept) < c.Policy.Grace/24 {
		return done, nil
	}
	err := c.look(ctx)
	if err == nil {
		err = c.sweep(ctx, now, &done)
	}
	if err == nil {
		c.swept = now
	}
	return done, err
}

// look reads what has been appended since.
func (c *Cleaner) look(ctx context.Context) error {
	if c.manifests == nil {
		c.manifests, c.retired, c.parts = make(map[int64]entry), make(map[int64]entry), make(map[Digest]chunkEntry)
	}
	start, end, err := c.Source.Bounds(ctx)
	if err != nil || max(start, c.read) >= end {
		return err
	}
	err = c.Source.Read(ctx, max(start, c.read), end, func(r Record) error {
		c.read = r.Offset + 1
		k, err := ParseKey(string(r.Key))
		if err != nil || k.Of != c.Of {
			return nil
		}
		switch k.Kind {
		case PartKind:
			c.part(k, &r)
		case ManifestKind:
			put(c.manifests, k.Next, &r)
		case RetiredKind:
			put(c.retired, k.Next, &r)
		}
		return nil
	})
	if err == nil {
		c.read = end
	}
	return err
}

func put(to map[int64]entry, next int64, r *Record) {
	if r.Value == nil {
		delete(to, next)
		return
	}
	e := entry{offset: r.Offset, appendedMs: r.AppendedMs, createdMs: r.AppendedMs}
	m, _, err := decodeManifest(r.Value)
	var newer *NewerError
	if err == nil {
		e.createdMs, e.id = m.CreatedMs, m.Identity
	} else {
		e.newer = errors.As(err, &newer)
	}
	to[next] = e
}

// part notes a part. Parts are removed from the last to the first, so that what an interrupted removal has left is known by its count.
func (c *Cleaner) part(k Key, r *Record) {
	e := c.parts[k.Digest]
	if r.Value != nil {
		e.parts, e.appendedMs = max(e.parts, k.Part+1), r.AppendedMs
	} else {
		e.parts = min(e.parts, k.Part)
	}
	if c.parts[k.Digest] = e; e.parts == 0 {
		delete(c.parts, k.Digest)
	}
}

// retire renames a manifest, so that it is found no more.
func (c *Cleaner) retire(ctx context.Context, next int64) error {
	var value []byte
	at := c.manifests[next].offset
	err := c.Source.Read(ctx, at, at+1, func(r Record) error {
		value = r.Value
		return nil
	})
	if err != nil || value == nil {
		return err
	}
	_, err = c.Append(ctx, []Record{
		{Key: []byte(Key{Of: c.Of, Kind: RetiredKind, Next: next}.String()), Value: value},
		{Key: []byte(Key{Of: c.Of, Kind: ManifestKind, Next: next}.String())},
	})
	return err
}

// sweep removes retired manifests whose time is over, and chunks that nothing names.
func (c *Cleaner) sweep(ctx context.Context, now time.Time, done *Cleaned) error {
	old := func(appendedMs int64) bool { return now.UnixMilli()-appendedMs >= c.Policy.Grace.Milliseconds() }
	named := make(map[Digest]bool)
	var gone []Record
	for next, e := range c.retired {
		if old(e.appendedMs) {
			gone = append(gone, Record{Key: []byte(Key{Of: c.Of, Kind: RetiredKind, Next: next}.String())})
			done.Manifests++
		} else if known, err := c.name(ctx, place{next, e.offset}, &e, named); err != nil || !known {
			return err
		}
	}
	for next, e := range c.manifests {
		if known, err := c.name(ctx, place{next, e.offset}, &e, named); err != nil || !known {
			return err
		}
	}
	for digest, e := range c.parts {
		if named[digest] || !old(e.appendedMs) {
			continue
		}
		done.Chunks++
		for i := e.parts - 1; i >= 0; i-- {
			gone = append(gone, Record{Key: []byte(Key{Of: c.Of, Kind: PartKind, Digest: digest, Part: i}.String())})
		}
	}
	for list := range slices.Chunk(gone, 1000) {
		if _, err := c.Append(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

// name marks the chunks that a manifest names; false: only a later program knows which.
func (c *Cleaner) name(ctx context.Context, at place, e *entry, named map[Digest]bool) (bool, error) {
	if e.newer {
		return false, nil
	}
	m, _, err := read(ctx, c.Source, c.Of, at)
	if err != nil || m == nil {
		return true, err
	}
	named[m.table] = true
	for i := range m.Chunks {
		named[m.Chunks[i].Digest] = true
	}
	return true, nil
}
