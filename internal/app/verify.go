package app

import (
	"context"
	"fmt"
	"log/slog"
	"math/bits"

	"switchboard/config"
	"switchboard/internal/fold"
	"switchboard/internal/snapshot"
	"switchboard/internal/view"
)

// LogVerdict says whether the read models are what the log folds to.
type LogVerdict struct {
	Equal      bool               `json:"equal"` // of every partition that can be compared
	Hash       string             `json:"hash"`
	LogHash    string             `json:"log_hash"` // of the log, folded again up to the positions of the read models
	Partitions []PartitionVerdict `json:"partitions"`
}

// PartitionVerdict is the same of one partition.
type PartitionVerdict struct {
	Partition string `json:"partition"`
	Next      int64  `json:"next"` // offset up to which both are folded
	Hash      string `json:"hash"`
	LogHash   string `json:"log_hash"`
	Result    string `json:"result"` // "equal", "differs", or "not comparable: ..."
}

// VerifyLog folds the log again, in memory and by the path of the snapshotter, up to where the read models stand, and compares the two by their
// canonical hashes.
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
		again, result, err := s.foldAgain(ctx, &part.Cut)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.Partition, err)
		}
		if result == "" {
			result = equal
			if again != part.Hash {
				result, verdict.Equal = "differs", false
			}
		}
		folded.Merge(again)
		verdict.Partitions = append(verdict.Partitions, PartitionVerdict{part.Partition.String(), part.Next, part.Hash.String(), again.String(), result})
	}
	verdict.LogHash = folded.String()
	return verdict, nil
}

// foldAgain is the hash of the log up to a position; otherwise why there is none that can be compared.
func (s *Snapshots) foldAgain(ctx context.Context, at *view.Cut) (h view.Hash, not string, err error) {
	state, err := s.log.Observe(ctx, at.Partition, -1)
	switch {
	case err != nil:
		return h, "", err
	case state.TopicID != at.TopicID:
		return h, "not comparable: the topic was made anew", nil
	case state.Start > at.HistoryFrom:
		return h, fmt.Sprintf("not comparable: the log begins at %d, the read models at %d", state.Start, at.HistoryFrom), nil
	case at.Tombstones > 0:
		return h, "not comparable: tombstones were skipped", nil
	}
	id := snapshot.Identity{ClusterID: state.ClusterID, TopicID: state.TopicID, Of: at.Partition, Partitions: state.Partitions, Fold: fold.Version, Views: at.Views.String()}
	from := snapshot.Empty(id, at.HistoryFrom, uint8(bits.TrailingZeros(uint(s.cfg.Snapshot.Buckets))))
	h, err = s.refolder(at.Partition, state.Partitions).Hash(ctx, from, at.Next)
	return h, "", err
}
