package app

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/pipeline"
	"switchboard/internal/snapshot"
)

// restoring is pipeline.Snapshots over the snapshots of an installation. A snapshot that is found damaged while it is read is
// not offered again.
type restoring struct {
	snapshots *Snapshots

	mu      sync.Mutex
	damaged map[event.Partition]map[int64]error // by the offset of the manifest
}

func (r *restoring) want(p event.Partition, log *pipeline.LogState, views string, least, most int64) snapshot.Want {
	r.mu.Lock()
	defer r.mu.Unlock()
	refused := make(map[int64]error)
	for offset, err := range r.damaged[p] {
		refused[offset] = err
	}
	return snapshot.Want{
		Identity: snapshot.Identity{ClusterID: log.ClusterID, TopicID: log.TopicID, Of: p, Partitions: log.Partitions, Fold: fold.Version, Views: views},
		Start:    least, End: most, EpochEnd: snapshot.EpochEnd(r.snapshots.log, p), Refused: refused,
	}
}

// Newest is the newest usable snapshot between two positions.
func (r *restoring) Newest(ctx context.Context, p event.Partition, log pipeline.LogState, views string, least, most int64) (pipeline.Beginning, bool, error) {
	m, _, err := snapshot.Newest(ctx, r.snapshots.Source(p), r.want(p, &log, views, least, most))
	if err != nil || m == nil {
		return pipeline.Beginning{}, false, err
	}
	return beginningAt(m), true, nil
}

// At is the snapshot whose manifest lies at an offset, as long as it is usable.
func (r *restoring) At(ctx context.Context, p event.Partition, log pipeline.LogState, views string, manifest int64) (pipeline.Beginning, bool, error) {
	m, refusal, err := snapshot.Open(ctx, r.snapshots.Source(p), r.want(p, &log, views, log.Start, log.End), manifest)
	if err != nil || m == nil || refusal != nil {
		return pipeline.Beginning{}, false, err
	}
	return beginningAt(m), true, nil
}

func beginningAt(m *snapshot.Manifest) pipeline.Beginning {
	return pipeline.Beginning{Manifest: m.Offset, Next: m.Next, HistoryFrom: m.HistoryFrom, LeaderEpoch: m.LeaderEpoch, Tombstones: m.Tombstones, AppliedAppendMs: m.AppliedAppendMs}
}

// Restore calls write for every record of a snapshot.
func (r *restoring) Restore(ctx context.Context, p event.Partition, b pipeline.Beginning, write func(key string, fields []string) error) error {
	want, err := r.snapshots.Want(ctx, p)
	if err != nil {
		return err
	}
	source := r.snapshots.Source(p)
	m, refusal, err := snapshot.Open(ctx, source, want, b.Manifest)
	switch {
	case err != nil:
		return err
	case m == nil:
		return fmt.Errorf("%w: snapshot %d is not there", pipeline.ErrSeedGone, b.Manifest)
	case refusal != nil:
		return fmt.Errorf("%w: snapshot %d: %s", pipeline.ErrSeedGone, b.Manifest, refusal)
	}
	err = m.Each(ctx, source, write)
	var damaged *snapshot.Damaged
	if !errors.As(err, &damaged) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.damaged == nil {
		r.damaged = make(map[event.Partition]map[int64]error)
	}
	if r.damaged[p] == nil {
		r.damaged[p] = make(map[int64]error)
	}
	r.damaged[p][b.Manifest] = damaged
	return fmt.Errorf("%w: %w", pipeline.ErrSeedGone, damaged)
}
