package pipeline

import (
	"context"
	"fmt"
	"time"

	"switchboard/internal/view"
)

// flight is a chunk on its way into the read models. One at a time is: the lane meanwhile projects the next chunk, or reads and folds the next batch,
// on what this one will have written. Whenever it is not applied the tenure ends, and with it all that was built on it.
type flight struct {
	chunk  *Chunk
	events int // of its batch
	memory memory
	landed chan struct{} // closed when the rest is known

	outcome Outcome
	err     error
	took    time.Duration
}

// memory is what the mutations of a chunk stand in. There are two: of the chunk under way, and of the one being filled.
type memory struct {
	mutations []view.Mutation
	scores    []view.Mutation // those that set scores, one for each ranking
}

// launch sends a chunk; the one before has landed.
func (t *tenure) launch(ctx context.Context, chunk *Chunk, events int, m memory) {
	f := &flight{chunk: chunk, events: events, memory: m, landed: make(chan struct{})}
	t.flight = f
	go func() {
		defer close(f.landed)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.lane.limits.ChunkDeadline)
		defer cancel()
		began := time.Now()
		f.outcome, f.err = t.store.Commit(ctx, chunk)
		f.took = time.Since(began)
	}()
}

// land waits for the chunk under way, if there is one: before anything else is asked of the store, and before anybody is told of its position.
func (t *tenure) land(ctx context.Context) error {
	f := t.flight
	if f == nil {
		return nil
	}
	<-f.landed
	t.flight = nil
	stats := t.lane.stats
	stats.committed(f.outcome, f.took, len(f.chunk.Mutations))
	switch f.outcome {
	case Applied:
	case Failed:
		return t.breakDown(ctx, f.err)
	default:
		return fmt.Errorf("commit at %d: %s: %w", f.chunk.Before, f.outcome, orNone(f.err))
	}
	f.memory.empty()
	t.spare = f.memory
	if f.chunk.Last() {
		t.lane.applied.Store(true)
		stats.applied(f.events, &f.chunk.Progress, t.rebuildTo, t.build != nil)
		t.report(f.chunk.Progress.Next)
	}
	return nil
}

// empty keeps the memory, and not what it held.
func (m *memory) empty() {
	clear(m.mutations)
	m.mutations = m.mutations[:0]
	for i := range m.scores {
		s := &m.scores[i]
		clear(s.Args)
		s.Args = s.Args[:0]
	}
}
