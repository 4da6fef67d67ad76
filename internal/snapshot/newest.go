package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"switchboard/internal/event"
)

// Want says which snapshots are usable: of this log, folded in this way, with Start <= position <= End.
type Want struct {
	Identity
	Start, End int64 // of the log; or, to go back, no position beyond End
	// EpochEnd asks where a leader epoch ends (OffsetForLeaderEpoch), -1: the brokers do not know it any more. nil: not asked.
	EpochEnd func(ctx context.Context, epoch int32) (int64, error)
	// Refused are manifests, by their offset, that were found damaged when they were read, and how.
	Refused map[int64]error
}

// Reason is why a snapshot is not used.
type Reason string

// The reasons.
const (
	Corrupt    Reason = "corrupt"      // damaged, cut off, or a part is missing
	Newer      Reason = "newer format" // a later program wrote it
	Foreign    Reason = "foreign"      // of another cluster, topic or number of partitions
	OtherFold  Reason = "other fold"   // of another version of the fold
	OtherViews Reason = "other views"  // of other read models
	BelowLog   Reason = "below log"    // events behind it are not in the log any more
	BeyondLog  Reason = "beyond log"   // the log ends before it: truncated (or a later position than wanted)
	Diverged   Reason = "diverged"     // its last event is of an epoch that ended before it: the log was overwritten
)

// Reasons lists every reason.
func Reasons() []Reason {
	return []Reason{Corrupt, Newer, Foreign, OtherFold, OtherViews, BelowLog, BeyondLog, Diverged}
}

// Refusal is a snapshot that is not used, and why.
type Refusal struct {
	Offset int64 // of the manifest in the topic of snapshots
	Next   int64 // position, as its key says
	Reason Reason
	Why    string
}

func (r Refusal) String() string {
	return fmt.Sprintf("snapshot at %d (manifest at offset %d): %s: %s", r.Next, r.Offset, r.Reason, r.Why)
}

// Refuse is nil for a manifest that is usable, as far as the manifest alone tells. The error is that of EpochEnd.
func (w *Want) Refuse(ctx context.Context, m *Manifest) (*Refusal, error) {
	no := func(reason Reason, format string, args ...any) (*Refusal, error) {
		return &Refusal{m.Offset, m.Next, reason, fmt.Sprintf(format, args...)}, nil
	}
	id := &m.Identity
	switch {
	case w.Refused[m.Offset] != nil:
		return no(Corrupt, "%v", w.Refused[m.Offset])
	case id.Of != w.Of || id.TopicID != w.TopicID || id.ClusterID != w.ClusterID:
		return no(Foreign, "it is of %s, topic id %s, of cluster %s; the log is %s, topic id %s, of cluster %s", id.Of, id.TopicID, id.ClusterID, w.Of, w.TopicID, w.ClusterID)
	case id.Partitions != w.Partitions:
		return no(Foreign, "the topic had %d partitions and has %d", id.Partitions, w.Partitions)
	case id.Fold != w.Fold:
		return no(OtherFold, "it was folded by version %d, this program folds by %d", id.Fold, w.Fold)
	case id.Views != w.Views:
		return no(OtherViews, "it holds what %s are made from, not %s", id.Views, w.Views)
	case m.Next < w.Start:
		return no(BelowLog, "the log begins at %d: %d offsets behind the snapshot are gone", w.Start, w.Start-m.Next)
	case m.Next > w.End:
		return no(BeyondLog, "the end is %d", w.End)
	}
	if m.LeaderEpoch < 0 || w.EpochEnd == nil {
		return nil, nil
	}
	end, err := w.EpochEnd(ctx, m.LeaderEpoch)
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask where epoch %d ends: %w", m.LeaderEpoch, err)
	case end < 0:
		return no(Diverged, "the brokers do not know epoch %d of its last event", m.LeaderEpoch)
	case end < m.Next:
		return no(Diverged, "epoch %d of its last event ends at %d", m.LeaderEpoch, end)
	}
	return nil, nil
}

// Newest is the newest usable snapshot, with its table of chunks, or nil. refused are those that were looked at before, newest first. It
// reads the topic from its end: about twice what was written since that snapshot was. Newest is by position, never by clock. (A
// manifest of a lower position that a paused snapshotter wrote later, and nothing newer behind it, can hide a newer one
// that lies far before it: that costs a longer tail, and nothing else.)
func Newest(ctx context.Context, s Source, want Want) (m *Manifest, refused []Refusal, err error) {
	start, end, err := s.Bounds(ctx)
	if err != nil {
		return nil, nil, err
	}
	seen := make(map[int64]bool) // positions whose newest record has been met
	for window := int64(32); end > start; window = min(2*window, 4096) {
		from := max(start, end-window)
		found, err := manifestsIn(ctx, s, want.Of, from, end, seen)
		if err != nil {
			return nil, refused, err
		}
		for _, at := range found {
			m, refusal, err := open(ctx, s, &want, at)
			switch {
			case err != nil:
				return nil, refused, err
			case m != nil:
				return m, refused, nil
			case refusal != nil:
				refused = append(refused, *refusal)
			}
		}
		end = from
	}
	return nil, refused, nil
}

// place is where a manifest is.
type place struct{ next, offset int64 }

// manifestsIn is the manifests between two offsets that nothing behind replaces or removes, the highest position first.
func manifestsIn(ctx context.Context, s Source, of event.Partition, from, to int64, seen map[int64]bool) ([]place, error) {
	here := make(map[int64]int64) // position -> offset, -1: tombstone
	err := s.Read(ctx, from, to, func(r Record) error {
		k, err := ParseKey(string(r.Key))
		if err != nil || k.Kind != ManifestKind || k.Of != of || seen[k.Next] {
			return nil
		}
		here[k.Next] = r.Offset
		if r.Value == nil {
			here[k.Next] = -1
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var list []place
	for next, offset := range here {
		if seen[next] = true; offset >= 0 {
			list = append(list, place{next, offset})
		}
	}
	slices.SortFunc(list, func(a, b place) int { return int(b.next - a.next) })
	return list, nil
}

// open reads a manifest and its table and holds it against want. Neither: it has been removed meanwhile.
func open(ctx context.Context, s Source, want *Want, at place) (*Manifest, *Refusal, error) {
	m, refusal, err := read(ctx, s, want.Of, at)
	if m == nil || err != nil {
		return nil, refusal, err
	}
	if refusal, err = want.Refuse(ctx, m); refusal != nil || err != nil {
		return nil, refusal, err
	}
	return m, nil, nil
}

// read reads a manifest and its table.
func read(ctx context.Context, s Source, of event.Partition, at place) (*Manifest, *Refusal, error) {
	var value []byte
	err := s.Read(ctx, at.offset, at.offset+1, func(r Record) error {
		value = r.Value
		return nil
	})
	if err != nil || value == nil {
		return nil, nil, err
	}
	return decode(ctx, s, of, at, value)
}

// decode reads the record of a manifest and, where it stands elsewhere, its table.
func decode(ctx context.Context, s Source, of event.Partition, at place, value []byte) (*Manifest, *Refusal, error) {
	m, t, err := decodeManifest(value)
	if err == nil && (m.Of != of || m.Next != at.next) {
		err = errors.New("it is not what its key says")
	}
	var newer *NewerError
	switch {
	case errors.As(err, &newer):
		return nil, &Refusal{at.offset, at.next, Newer, err.Error()}, nil
	case err != nil:
		return nil, &Refusal{at.offset, at.next, Corrupt, err.Error()}, nil
	}
	m.Offset = at.offset
	var damaged *Damaged
	switch err = m.load(ctx, s, t); {
	case errors.As(err, &damaged):
		return nil, &Refusal{at.offset, at.next, Corrupt, damaged.What.Error()}, nil
	case err != nil:
		return nil, nil, err
	}
	return m, nil, nil
}

// load fills in the table of chunks.
func (m *Manifest) load(ctx context.Context, s Source, t table) error {
	r := &reader{source: s, m: m}
	if len(t.parts) == 0 {
		if err := m.fill(t, t.packed); err != nil {
			return r.damaged("%w", err)
		}
		return nil
	}
	whole := []Chunk{{Digest: t.digest, Size: t.size, Packed: t.length, Offsets: t.parts}}
	return r.each(ctx, whole, func(_ *Chunk, data []byte) error {
		chunks, err := decodeTable(data)
		if err == nil {
			m.Chunks = chunks
			err = m.Validate()
		}
		if err != nil {
			return r.damaged("%w", err)
		}
		return nil
	})
}

// Open reads the manifest at an offset of the topic of snapshots, as a position names it. Neither a manifest nor a refusal: nothing is there any more.
func Open(ctx context.Context, s Source, want Want, offset int64) (*Manifest, *Refusal, error) {
	start, end, err := s.Bounds(ctx)
	if err != nil || offset < start || offset >= end {
		return nil, nil, err
	}
	var found []place
	err = s.Read(ctx, offset, offset+1, func(r Record) error {
		if k, err := ParseKey(string(r.Key)); err == nil && k.Kind == ManifestKind && k.Of == want.Of {
			found = append(found, place{k.Next, r.Offset})
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		return nil, nil, err
	}
	return open(ctx, s, &want, found[0])
}

// List is every manifest of a partition of facts, in ascending order of positions, and what cannot be read. It reads the whole partition of
// the topic once.
func List(ctx context.Context, s Source, of event.Partition) ([]*Manifest, []Refusal, error) {
	start, end, err := s.Bounds(ctx)
	if err != nil {
		return nil, nil, err
	}
	found, err := manifestsIn(ctx, s, of, start, end, make(map[int64]bool))
	if err != nil {
		return nil, nil, err
	}
	slices.Reverse(found)
	var list []*Manifest
	var refused []Refusal
	for _, at := range found {
		m, refusal, err := read(ctx, s, of, at)
		switch {
		case err != nil:
			return nil, nil, err
		case m != nil:
			list = append(list, m)
		case refusal != nil:
			refused = append(refused, *refusal)
		}
	}
	return list, refused, nil
}
