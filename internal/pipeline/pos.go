package pipeline

import (
	"switchboard/internal/event"
	"switchboard/internal/view"
)

// Generation names one generation of the read models of a partition; "" is none. Names are new for ever.
type Generation string

// LaneID names a lane: one generation of one partition.
type LaneID struct {
	Partition  event.Partition
	Generation Generation
}

// Pos is the position of a lane: the hash that lies beside the read models, moves in one step with
// them, and fences every other writer (COMMIT.md 1).
type Pos struct {
	Owner string // token of the claim that may write
	Next  int64  // offset to fold next; -1: not seeded yet
	Ahead int64  // no subject holds anything at or beyond it
	Part  int    // chunks written of the batch that begins at Next

	Seed        string // where folding began: SeedStart, or the offset of a snapshot's manifest
	TopicID     event.TopicID
	ClusterID   string
	Partitions  int32
	Fold        int    // version of the fold
	Views       string // what the generation holds, as view.Set prints it
	HistoryFrom int64  // offset at which the log began; above 0 the answers are incomplete before it
	RebuildTo   int64  // end of the log when folding began; below it the answers say rebuilding

	LeaderEpoch     int32 // of the last record folded; -1: none
	Tombstones      int64 // records without a value that were skipped
	Broken          string
	AppliedAppendMs int64 // broker's append time of the last record folded, Unix milliseconds
	HighWatermark   int64 // end of the log when it was last asked
	CheckedMs       int64 // when that was, Unix milliseconds
}

// SeedStart is the seed of a generation that is folded from the start of the log.
const SeedStart = "start"

// Progress is what a commit writes of a position.
type Progress struct {
	Next            int64
	LeaderEpoch     int32
	Tombstones      int64
	AppliedAppendMs int64
	HighWatermark   int64
	CheckedMs       int64

	// Seeding writes where the history begins and what has to be reached, with the first position.
	Seeding     bool
	HistoryFrom int64
	RebuildTo   int64
}

// Chunk is what one transaction writes: whole subjects, and with the last chunk of a batch the position.
type Chunk struct {
	Mutations []view.Mutation
	Part      int   // 1, 2, ...; the last chunk of a batch has 0 and moves the position
	Before    int64 // Next as it is before the batch; -1: not seeded
	Ahead     int64 // offset behind the last event of the whole batch
	Progress  Progress
}

// Last tells whether the chunk moves the position.
func (c *Chunk) Last() bool { return c.Part == 0 }

// Outcome is what became of a claim or a chunk (COMMIT.md 4).
type Outcome int

// The outcomes.
const (
	Unknown Outcome = iota // no reply: it may have been applied, or may still be
	Applied
	Fenced  // another owner
	Moved   // Redis went back, was flushed or restored
	Aborted // nothing was applied
	Failed  // an error inside the transaction: the rest was applied; the generation is broken
)

func (o Outcome) String() string {
	return [...]string{"unknown", "applied", "fenced", "moved", "aborted", "broken"}[o]
}
