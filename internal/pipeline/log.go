package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"switchboard/internal/event"
)

// Raw is one record of one partition, as the log has it. Value is nil for a tombstone. The bytes
// belong to the record: a lane may keep them for as long as it likes.
type Raw struct {
	Offset      int64
	LeaderEpoch int32
	AppendedMs  int64 // broker's append time, Unix milliseconds
	Key, Value  []byte
}

// Source is one partition that the consumer group has given us, seen from its lane's goroutine.
// Nothing arrives before the first SeekTo.
type Source interface {
	// SeekTo continues at the offset next; leaderEpoch is that of the last record folded, or -1. All
	// that was polled before is discarded, also what the same poll returned behind it.
	SeekTo(next int64, leaderEpoch int32)
	// Take waits up to wait for records and returns at most maxRecords of them in offset order, and
	// next, the offset behind the last one (control records and compaction holes included). No
	// record and no error means that wait is over. ErrReleased: the lane must end. ErrGap: what is
	// at the position is not there any more (out of range, log truncated); seeing this, a lane claims again.
	Take(ctx context.Context, maxRecords int, wait time.Duration) (records []Raw, next int64, err error)
}

// Membership is the consumer group, seen from the lane of one of its partitions.
type Membership interface {
	// Report commits next to the group, asynchronously: a progress report for standard tools, and never
	// waited for. Only the newest report of a partition need arrive.
	Report(next int64, metadata string)
	// Check is the lease check: a synchronous group commit of the same kind with our member id and generation.
	Check(ctx context.Context, next int64, metadata string) Lease
}

// Lease is what a lease check found.
type Lease int

// What a lease check can find.
const (
	LeaseUnknown Lease = iota // no answer that decides: wait and ask again, fold nothing
	LeaseHeld                 // accepted by the broker, and assigned to us by our own knowledge
	LeaseLost                 // the lane ends
)

// Assignment is what the group knew of a partition when it gave it to us.
type Assignment struct {
	Partition   event.Partition
	GroupOffset int64  // -1: the group has no offset
	Metadata    string // of that offset
}

// LogState is what the brokers say about a partition, asked for anew each time.
type LogState struct {
	ClusterID  string
	TopicID    event.TopicID
	Partitions int32
	Start, End int64
	// EpochEnd is where the asked leader epoch ends (OffsetForLeaderEpoch): -1 when the broker does not know that
	// epoch any more, and End when no epoch was asked for.
	EpochEnd int64
}

// Log answers what a lane has to know before it folds.
type Log interface {
	// Observe asks the brokers about a partition; leaderEpoch is -1 or that of the last record folded.
	Observe(ctx context.Context, p event.Partition, leaderEpoch int32) (LogState, error)
}

// DeadLetter points at a record that cannot be folded. It holds nothing of its payload.
type DeadLetter struct {
	Partition   event.Partition
	TopicID     event.TopicID
	Offset      int64
	LeaderEpoch int32
	Class       string // one of the classes of docs/dead-letters, such as bad_frame
	Reason      string // for people, without personal data
}

// DeadLetters appends pointers, and returns when all of them are acknowledged by all replicas.
type DeadLetters func(ctx context.Context, letters []DeadLetter) error

// Errors of a Source.
var (
	ErrReleased = errors.New("partition released")
	ErrGap      = errors.New("position is not in the log")
)

// TooLarge is a record batch that decompresses to more than a Source accepts: what lies at Offset and up to Next
// cannot be read.
type TooLarge struct{ Offset, Next int64 }

func (e *TooLarge) Error() string {
	return fmt.Sprintf("the record batch at offset %d decompresses to more than is accepted", e.Offset)
}
