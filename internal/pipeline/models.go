package pipeline

import (
	"context"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// Models is the read models as a lane finds them, before it owns anything.
type Models interface {
	// Serving is the generation that v:serving names for a partition, "" when none.
	Serving(ctx context.Context, p event.Partition) (Generation, error)
	// Open opens a connection of its own for a lane and watches its position. found is false when there is no position.
	Open(ctx context.Context, id LaneID) (store Store, pos Pos, found bool, err error)
}

// Generations makes generations and lets them serve.
type Generations interface {
	// Newest is the newest generation of a partition that could serve: not discarded nor being deleted, with a
	// position that has a next offset. "" when there is none.
	Newest(ctx context.Context, p event.Partition) (Generation, error)
	// Make writes the position of a new generation, without next, and its line in the list of generations.
	Make(ctx context.Context, id LaneID, pos Pos, reason string, asked int64) error
	// Serve points v:serving at a generation, provided that its field is missing or names a generation
	// without a position; false: it was not, decide again.
	Serve(ctx context.Context, id LaneID) (bool, error)
}

// Store is an open lane: its dedicated connection. Every method is one trip. After an outcome other than Applied, or an
// error, only Close may follow.
type Store interface {
	Claimer
	Loader
	Close()
}

// Claimer takes a lane over.
type Claimer interface {
	// Claim writes a new token into the position that Open watched, and arms the next commit.
	Claim(ctx context.Context, token string) (Outcome, error)
	// MarkBroken notes why the generation must be rebuilt.
	MarkBroken(ctx context.Context, why string) error
}

// Loader reads and writes the read models of a claimed lane.
type Loader interface {
	// Load reads fields, one slice of values for each read.
	Load(ctx context.Context, reads []view.Read) ([][]view.Value, error)
	// Commit writes a chunk, if the position is still as the last claim or chunk left it, and arms the next one.
	// The error says more about any outcome but Applied.
	Commit(ctx context.Context, c *Chunk) (Outcome, error)
}
