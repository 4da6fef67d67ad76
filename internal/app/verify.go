package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"

	"switchboard/config"
	"switchboard/internal/fold"
	"switchboard/internal/redisview"
	"switchboard/internal/snapshot"
	"switchboard/internal/view"
)

// LogVerdict says whether the read models are what the log folds to.
type LogVerdict struct {
	Equal      bool               `json:"equal"` // of every partition that can be compared
	Hash       string             `json:"hash"`
	LogHash    string             `json:"log_hash"` // of the log, folded again up to the positions of the read models
	Partitions []PartitionVerdict `json:"partitions"`
	Repair     string             `json:"repair,omitempty"` // the command that builds anew what differs
}

// PartitionVerdict is the same of one partition.
type PartitionVerdict struct {
	Partition string `json:"partition"`
	Next      int64  `json:"next"` // offset up to which both are folded
	Hash      string `json:"hash"`
	LogHash   string `json:"log_hash"`
	Result    string `json:"result"` // "equal", "differs", or "not comparable: ..."
	// Of a partition that differs: how many subjects do (the totals count as one), the first of them, and why they are not named.
	Different   int          `json:"different,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	Unnamed     string       `json:"unnamed,omitempty"`
}

// VerifyLog folds the log again, in memory and by the path of the snapshotter, up to where the read models stand, and compares the two by their
// canonical hashes. Where these differ it looks for the subjects.
func VerifyLog(ctx context.Context, cfg *config.Config, logger *slog.Logger) (*LogVerdict, error) {
	stores, done, err := openReaders(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer done()
	s, err := OpenSnapshots(cfg, logger)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	stored, err := stores.hash(ctx)
	if err != nil {
		return nil, err
	}
	verdict := &LogVerdict{Equal: true, Hash: stored.Hash.String()}
	var folded view.Hash
	for i := range stored.Parts {
		part := &stored.Parts[i]
		p, again, err := s.verifyPartition(ctx, stores.of(part.Partition.Topic), part)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.Partition, err)
		}
		verdict.Equal = verdict.Equal && p.Result != differs
		folded.Merge(again)
		verdict.Partitions = append(verdict.Partitions, *p)
	}
	if verdict.LogHash = folded.String(); !verdict.Equal {
		verdict.Repair = "switchboard replay run"
		for i := range verdict.Partitions {
			if p := &verdict.Partitions[i]; p.Result == differs {
				verdict.Repair += " " + p.Partition
			}
		}
	}
	return verdict, nil
}

const differs = "differs"

// verifyPartition compares one partition, and returns the hash of its log.
func (s *Snapshots) verifyPartition(ctx context.Context, r *redisview.Reader, part *view.PartHash) (*PartitionVerdict, view.Hash, error) {
	var again view.Hash
	folded, result, err := s.foldAgain(ctx, &part.Cut)
	if err == nil && folded != nil {
		again, err = folded.Hash(ctx)
	}
	if err != nil {
		return nil, again, err
	}
	v := &PartitionVerdict{Partition: part.Partition.String(), Next: part.Next, Hash: part.Hash.String(), LogHash: again.String(), Result: result}
	switch {
	case folded == nil:
		return v, again, nil
	case again == part.Hash:
		v.Result = equal
		return v, again, nil
	}
	v.Result = differs
	d := &differing{s: s, models: r, at: part.Cut, folded: folded}
	v.Different, v.Differences, err = d.find(ctx)
	if errors.Is(err, redisview.ErrMoving) || errors.Is(err, errNotComparable) {
		v.Unnamed, err = err.Error(), nil
	}
	return v, again, err
}

// foldAgain is the log folded up to a position; nil, and why, when that cannot be compared.
func (s *Snapshots) foldAgain(ctx context.Context, at *view.Cut) (folded *snapshot.Folded, not string, err error) {
	state, err := s.log.Observe(ctx, at.Partition, -1)
	switch {
	case err != nil:
		return nil, "", err
	case state.TopicID != at.TopicID:
		return nil, "not comparable: the topic was made anew", nil
	case state.Start > at.HistoryFrom:
		return nil, fmt.Sprintf("not comparable: the log begins at %d, the read models at %d", state.Start, at.HistoryFrom), nil
	case at.Tombstones > 0:
		return nil, "not comparable: tombstones were skipped", nil
	}
	id := snapshot.Identity{ClusterID: state.ClusterID, TopicID: state.TopicID, Of: at.Partition, Partitions: state.Partitions, Fold: fold.Version, Views: at.Views.String()}
	from := snapshot.Empty(id, at.HistoryFrom, uint8(bits.TrailingZeros(uint(s.cfg.Snapshot.Buckets))))
	folded, err = s.refolder(at.Partition, state.Partitions).Fold(ctx, from, at.Next)
	return folded, "", err
}
