package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"switchboard/config"
	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/kafkalog"
	"switchboard/internal/pipeline"
	"switchboard/internal/snapshot"
	"switchboard/internal/view"
	"switchboard/topology"
)

// Snapshots reads the snapshots of an installation, for whoever looks at them or restores from them.
type Snapshots struct {
	cfg    *config.Config
	log    *kafkalog.Log
	target topology.Topic
	kinds  folded
	decode func(value []byte) (event.Event, *pipeline.Poison)
}

// OpenSnapshots connects to the log.
func OpenSnapshots(cfg *config.Config, logger *slog.Logger) (*Snapshots, error) {
	top, options, err := topologyAndOptions(cfg, logger)
	if err != nil {
		return nil, err
	}
	s := &Snapshots{cfg: cfg}
	if s.target, err = snapshotsTopic(top); err != nil {
		return nil, err
	}
	if s.kinds, err = foldedKinds(cfg, top); err != nil {
		return nil, err
	}
	s.kinds = s.kinds.readBy(top, cfg.Kafka.TopicPrefix+cfg.Snapshot.Group)
	if s.decode, err = newDecode(cfg); err != nil {
		return nil, err
	}
	s.log, err = kafkalog.NewLog(options)
	return s, err
}

// Close ends the connections.
func (s *Snapshots) Close() { s.log.Close() }

// Partitions is every partition of facts that is snapshotted.
func (s *Snapshots) Partitions() []event.Partition {
	var list []event.Partition
	for _, k := range s.kinds {
		for n := range k.topic.Partitions {
			list = append(list, event.Partition{Topic: k.topic.Name, Number: n})
		}
	}
	return list
}

// Source is where the snapshots of a partition of facts stand.
func (s *Snapshots) Source(of event.Partition) snapshot.Source {
	return snapshotSource{s.log, snapshotPartition(s.target, of)}
}

// Want is what a usable snapshot of a partition must be now.
func (s *Snapshots) Want(ctx context.Context, of event.Partition) (snapshot.Want, error) {
	state, err := s.log.Observe(ctx, of, -1)
	if err != nil {
		return snapshot.Want{}, err
	}
	id := snapshot.Identity{ClusterID: state.ClusterID, TopicID: state.TopicID, Of: of, Partitions: state.Partitions, Fold: fold.Version, Views: s.kinds.views(of.Topic).String()}
	return snapshot.Want{Identity: id, Start: state.Start, End: state.End, EpochEnd: snapshot.EpochEnd(s.log, of)}, nil
}

// Newest is the newest usable snapshot of a partition, nil when there is none.
func (s *Snapshots) Newest(ctx context.Context, of event.Partition) (*snapshot.Manifest, []snapshot.Refusal, error) {
	want, err := s.Want(ctx, of)
	if err != nil {
		return nil, nil, err
	}
	return snapshot.Newest(ctx, s.Source(of), want)
}

// Listed is a manifest, and why it is not usable now; "" when it is.
type Listed struct {
	*snapshot.Manifest
	Refused string
}

// List is every snapshot of a partition, in ascending order of positions, and what cannot even be read.
func (s *Snapshots) List(ctx context.Context, of event.Partition) ([]Listed, []snapshot.Refusal, error) {
	want, err := s.Want(ctx, of)
	if err != nil {
		return nil, nil, err
	}
	all, unreadable, err := snapshot.List(ctx, s.Source(of), of)
	if err != nil {
		return nil, nil, err
	}
	var list []Listed
	for _, m := range all {
		refusal, err := want.Refuse(ctx, m)
		if err != nil {
			return nil, nil, err
		}
		l := Listed{Manifest: m}
		if refusal != nil {
			l.Refused = string(refusal.Reason) + ": " + refusal.Why
		}
		list = append(list, l)
	}
	return list, unreadable, nil
}

// Verdict is what verifying the snapshots of one partition found.
type Verdict struct {
	Partition string `json:"partition"`
	Snapshots int    `json:"snapshots"` // that can be read
	Chunks    int    `json:"chunks"`    // different ones, all with the digest that they are named by
	Newest    int64  `json:"newest"`    // position; -1: there is none that can be used
	// Step is how snapshot k and the events behind it compare with snapshot k+1, Fold how the log from the start of history does:
	// "equal", "not comparable: ...", "none: ..." or what differs.
	Step string `json:"step"`
	Fold string `json:"fold"`
	Hash string `json:"hash"` // canonical, of the read models that the newest comes back to
	// Problems is everything that is wrong.
	Problems []string `json:"problems"`
}

const equal = "equal"

// Verify checks every chunk that a snapshot of the partition names, and folds the newest again, from the one before and from the start.
func (s *Snapshots) Verify(ctx context.Context, of event.Partition) (Verdict, error) {
	v := Verdict{Partition: of.String(), Newest: -1, Problems: []string{}}
	list, unreadable, err := s.List(ctx, of)
	if err != nil {
		return v, err
	}
	for _, r := range unreadable {
		v.Problems = append(v.Problems, r.String())
	}
	v.Snapshots = len(list)
	source := s.Source(of)
	seen := make(map[snapshot.Digest]bool)
	var usable []*snapshot.Manifest
	for _, l := range list {
		fresh := *l.Manifest
		fresh.Chunks = nil
		for _, c := range l.Chunks {
			if !seen[c.Digest] {
				seen[c.Digest] = true
				fresh.Chunks = append(fresh.Chunks, c)
			}
		}
		err := fresh.EachChunk(ctx, source, func(_ *snapshot.Chunk, d *snapshot.ChunkDecoder) error {
			for d.Next() {
			}
			v.Chunks++
			return nil
		})
		var damaged *snapshot.Damaged
		switch {
		case errors.As(err, &damaged):
			v.Problems = append(v.Problems, damaged.Error())
			continue
		case err != nil:
			return v, err
		}
		if l.Refused == "" {
			usable = append(usable, l.Manifest)
		}
	}
	if len(usable) == 0 {
		v.Step, v.Fold = "none: there is no usable snapshot", "none: there is no usable snapshot"
		return v, nil
	}
	return v, s.refold(ctx, source, usable, &v)
}

func (s *Snapshots) refold(ctx context.Context, source snapshot.Source, usable []*snapshot.Manifest, v *Verdict) error {
	newest := usable[len(usable)-1]
	v.Newest = newest.Next
	hash, err := newest.Hash(ctx, source)
	if err != nil {
		return err
	}
	v.Hash = hash.String()
	state, err := s.log.Observe(ctx, newest.Of, -1)
	if err != nil {
		return err
	}
	r := s.refolder(newest.Of, newest.Partitions)
	compare := func(base *snapshot.Manifest, what string) (string, error) {
		switch {
		case newest.Tombstones > base.Tombstones:
			return "not comparable: tombstones were skipped", nil
		case base.Next < state.Start:
			return fmt.Sprintf("not comparable: the log begins at %d", state.Start), nil
		}
		d, err := r.Compare(ctx, base, newest)
		if err != nil || d == nil {
			return equal, err
		}
		v.Problems = append(v.Problems, what+": "+d.String())
		return d.String(), nil
	}
	v.Step = "none: it is the only one"
	if len(usable) > 1 {
		if v.Step, err = compare(usable[len(usable)-2], "the snapshot before and its events"); err != nil {
			return err
		}
	}
	v.Fold, err = compare(snapshot.Empty(newest.Identity, newest.HistoryFrom, newest.Bits), "the log from its start")
	return err
}

// refolder folds events of a partition again.
func (s *Snapshots) refolder(of event.Partition, partitions int32) *snapshot.Refolder {
	return &snapshot.Refolder{
		Source: s.Source(of), TailBytes: int64(s.cfg.Snapshot.MaxTailBytes) / 2, NewSubject: view.NewSubject,
		Decode: func(value []byte) (event.Event, error) {
			e, poison := s.decode(value)
			if poison != nil {
				return nil, poison
			}
			return e, nil
		},
		Events: func(ctx context.Context, from, to int64, f func(event.Subject, int64, []byte) error) error {
			return s.events(ctx, of, partitions, from, to, f)
		},
	}
}

// events is every event of a partition that can be folded.
func (s *Snapshots) events(ctx context.Context, of event.Partition, partitions int32, from, to int64, f func(event.Subject, int64, []byte) error) error {
	var scratch []byte
	for from < to {
		err := s.log.ReadRange(ctx, of, from, to, func(raw pipeline.Raw) error {
			from = raw.Offset + 1
			if raw.Value == nil {
				return nil
			}
			e, poison := s.decode(raw.Value)
			if poison == nil {
				poison = pipeline.Check(&raw, e, of.Number, partitions, &scratch)
			}
			if poison != nil {
				return nil
			}
			return f(e.Envelope().Subject, raw.Offset, raw.Value)
		})
		var large *pipeline.TooLarge
		if !errors.As(err, &large) {
			return err
		}
		from = large.Next
	}
	return nil
}
