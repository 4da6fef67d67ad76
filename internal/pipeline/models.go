package pipeline

import (
	"context"
	"errors"

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

// Generations makes generations, lets them serve, and takes them away.
type Generations interface {
	// List is every generation of a partition, newest first.
	List(ctx context.Context, p event.Partition) ([]Line, error)
	// Newest is the newest generation that could serve: served or ready, with a position that has a next offset. "" when none.
	Newest(ctx context.Context, p event.Partition) (Generation, error)
	// Make writes the position of a generation, without next, and its line, in one transaction.
	Make(ctx context.Context, p event.Partition, line Line, pos Pos) error
	// Mark writes the line of a generation.
	Mark(ctx context.Context, p event.Partition, line Line) error
	// Serve points v:serving at a generation, provided that its field is missing or names a generation
	// without a position, or the one to take over from; false: it names another one, decide again.
	Serve(ctx context.Context, id, over LaneID) (bool, error)
	// Flip points v:serving from one generation to another, provided that it still names the first, and that the second
	// is not behind it, was checked within five seconds and is not broken; false: not now. Between two folds all partitions of the topic
	// are flipped together, when each has a generation that is ready.
	Flip(ctx context.Context, p event.Partition, from, to Generation) (bool, error)
	// Compare compares two generations of a partition, subject by subject, while their lanes go on.
	Compare(ctx context.Context, p event.Partition, a, b Generation) (Comparison, error)
	// Delete takes a generation away: its position first, which fences its lane, its line last.
	Delete(ctx context.Context, p event.Partition, g Generation) error
	// Adopted is the topic id that an operator has accepted in place of the one that was folded; the zero id: none.
	Adopted(ctx context.Context, p event.Partition) (event.TopicID, error)
}

// Comparison is what a comparison of two generations found.
type Comparison struct {
	Subjects  int    // looked at
	Different int    // of these
	First     string // key of the first record that differs, "" when none does; holds personal data
	Moving    int    // subjects that changed too fast to be compared
}

// Snapshots is where generations can be seeded from; nil where there are none.
type Snapshots interface {
	// Newest is the newest usable snapshot of a partition whose position lies between least and most; ok is false when
	// there is none.
	Newest(ctx context.Context, p event.Partition, log LogState, views string, least, most int64) (b Beginning, ok bool, err error)
	// At is the snapshot whose manifest lies at an offset; ok is false when it is gone or unusable.
	At(ctx context.Context, p event.Partition, log LogState, views string, manifest int64) (b Beginning, ok bool, err error)
	// Restore calls write for every record of a snapshot: the fields and values of a key.
	Restore(ctx context.Context, p event.Partition, b Beginning, write func(key string, fields []string) error) error
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

// ErrDamaged: a key of the read models holds what none of us wrote. Asking again does not help.
var ErrDamaged = errors.New("the read models are damaged")

// Loader reads and writes the read models of a claimed lane.
type Loader interface {
	// Load reads fields, one slice of values for each read. The error is an ErrDamaged when a key holds something of another type.
	Load(ctx context.Context, reads []view.Read) ([][]view.Value, error)
	// Commit writes a chunk, if the position is still as the last claim or chunk left it, and arms the next one.
	// The error says more about any outcome but Applied.
	Commit(ctx context.Context, c *Chunk) (Outcome, error)
}
