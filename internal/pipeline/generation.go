package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// GenerationState is what the list of generations says of one.
type GenerationState string

// The states of a generation (MODEL.md 4).
const (
	Wanted     GenerationState = "wanted" // all that the command line ever writes
	Building   GenerationState = "building"
	Ready      GenerationState = "ready"
	Served     GenerationState = "served"
	RolledBack GenerationState = "rolled_back"
	Discarded  GenerationState = "discarded"
	Deleting   GenerationState = "deleting"
)

// Line is the line of one generation in the list of its partition.
type Line struct {
	Generation Generation
	State      GenerationState
	SinceMs    int64      // when it got its state, Unix milliseconds
	MadeAtMs   int64      // Unix milliseconds
	Asked      int64      // offset that the group was asked to go to; -1: nobody asked
	Beside     Generation // the one that served when it was made; "" when none
	Reason     string     // for people
}

// NewGeneration is a name that is new for ever, also after FLUSHALL: seconds since 2025 in base 36 and four random characters.
func NewGeneration(now time.Time) Generation {
	seconds := now.Unix() - time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	name := []byte(strconv.FormatInt(seconds, 36))
	for range 4 {
		name = append(name, letters[rand.IntN(len(letters))])
	}
	return Generation(name)
}

// Beginning is where a generation begins: the start of the log, or a snapshot.
type Beginning struct {
	Manifest    int64 // offset of the manifest in the snapshots topic; -1: the start of the log
	Next        int64 // offset of the log at which folding begins
	HistoryFrom int64 // offset at which the log began for whoever folded up to Next

	LeaderEpoch     int32 // of the record before Next; -1: not known
	Tombstones      int64 // skipped before Next
	AppliedAppendMs int64 // append time of the record before Next, Unix milliseconds
}

// String is the seed as it stands in a position.
func (b Beginning) String() string {
	if b.Manifest < 0 {
		return SeedStart
	}
	return strconv.FormatInt(b.Manifest, 10)
}

// beginningOf finds again where a generation that was made was to begin. If its snapshot is gone the generation is given up.
func (l *Lane) beginningOf(ctx context.Context, p *Pos, log *LogState) (Beginning, error) {
	if p.Seed == SeedStart {
		return fromStart(log), nil
	}
	manifest, err := strconv.ParseInt(p.Seed, 10, 64)
	if err != nil || l.Snapshots == nil {
		return Beginning{}, fmt.Errorf("%w: seed %q", ErrSeedGone, p.Seed)
	}
	b, ok, err := l.Snapshots.At(ctx, l.partition, *log, p.Views, manifest)
	if err != nil {
		return Beginning{}, fmt.Errorf("read snapshot %d: %w", manifest, err)
	}
	if !ok {
		return Beginning{}, fmt.Errorf("%w: snapshot %d", ErrSeedGone, manifest)
	}
	return b, nil
}

// ErrSeedGone: a generation cannot be seeded from what it was made for.
var ErrSeedGone = errors.New("the seed of the generation is gone")

// building is the generation that this process builds, or has decided to leave alone; "" when none.
func (l *Lane) building() Generation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.builder
}

// fromStart is the start of the log.
func fromStart(log *LogState) Beginning {
	return Beginning{Manifest: -1, Next: log.Start, HistoryFrom: log.Start, LeaderEpoch: -1}
}
