package pipeline

import (
	"context"
	"errors"
	"slices"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// batch is records of one partition on their way into the read models.
type batch struct {
	subjects []*work // in the order in which they appear in the log
	letters  []DeadLetter
	events   int
	rest     []Raw // not taken into the batch: one of their subjects had its share

	progress Progress // as it is to be when the last chunk is written
}

// work is one subject and its events of a batch.
type work struct {
	id      event.Subject
	subject view.Subject
	events  int
	reads   int // how many reads it asked for
}

// decode sorts records by subject. What cannot be folded becomes a dead letter; skip names offsets that panicked in
// the fold before.
func (t *tenure) decode(records []Raw, next int64, skip map[int64]*Poison) *batch {
	b := &batch{progress: t.progress}
	byID := make(map[event.Subject]*work)
	reader := t.newReader(records)
	for i := range records {
		raw := &records[i]
		e, poison := reader.read(i)
		if skip[raw.Offset] != nil {
			poison = skip[raw.Offset]
		}
		if poison == nil && e != nil {
			id := e.Envelope().Subject
			w := byID[id]
			if w == nil {
				w = &work{id: id, subject: t.subjectOf(id)}
				byID[id] = w
				b.subjects = append(b.subjects, w)
			}
			if w.events == t.lane.limits.SubjectEvents {
				b.rest, next = records[i:], raw.Offset
				break
			}
			w.events++
			w.subject.Queue(raw.Offset, e)
		}
		if poison != nil {
			b.letters = append(b.letters, DeadLetter{
				Partition: t.id.Partition, TopicID: t.log.TopicID, Offset: raw.Offset, LeaderEpoch: raw.LeaderEpoch,
				Class: poison.Class, Reason: poison.Reason,
			})
		}
		if raw.Value == nil {
			b.progress.Tombstones++
		}
		b.events++
		b.progress.LeaderEpoch, b.progress.AppliedAppendMs = raw.LeaderEpoch, raw.AppendedMs
	}
	b.progress.Next = next
	return b
}

func (t *tenure) subjectOf(id event.Subject) view.Subject {
	if s := t.cache.get(id); s != nil {
		return s
	}
	s := t.lane.newSubject(id, t.views)
	if t.cache.absent(id) {
		s.Absent()
	}
	return s
}

// load reads what the subjects of a batch need and is not known: one trip.
func (t *tenure) load(ctx context.Context, b *batch) error {
	var reads []view.Read
	for _, w := range b.subjects {
		before := len(reads)
		reads = w.subject.Reads(reads)
		w.reads = len(reads) - before
	}
	if len(reads) == 0 {
		return nil
	}
	values, err := t.store.Load(ctx, reads)
	if err != nil {
		return err
	}
	for _, w := range b.subjects {
		if err := w.subject.Fill(values[:w.reads]); err != nil {
			return &damaged{err}
		}
		values = values[w.reads:]
	}
	return nil
}

// damaged is a record of the read models that nobody of us wrote.
type damaged struct{ error }

// fold folds the queued events of every subject. The error is a *view.Panic.
func (b *batch) fold() error {
	for _, w := range b.subjects {
		if err := w.subject.Fold(); err != nil {
			return err
		}
	}
	return nil
}

// write sends the batch as chunks of whole subjects, each when the one before was acknowledged. The last
// one moves the position; a batch without mutations moves it all the same.
func (t *tenure) write(ctx context.Context, b *batch) (Outcome, error) {
	limits := &t.lane.limits
	whole := b.events <= limits.LiveEvents // a live batch is one chunk, so that it is seen as one
	c := newPending(t)
	var own []view.Mutation // of one subject
	for _, w := range b.subjects {
		own = w.subject.Project(own[:0])
		full := c.commands()+len(own) > limits.ChunkCommands || c.size+sizeOf(own) > limits.ChunkBytes
		if c.size > 0 && full && !whole { // not an empty one before a large subject
			if outcome, err := c.send(ctx, b, false); outcome != Applied {
				return outcome, err
			}
		}
		c.add(own)
		c.totals.Add(w.subject.Change())
		c.subjects = append(c.subjects, w)
	}
	outcome, err := c.send(ctx, b, true)
	if outcome == Applied {
		t.progress = b.progress
		t.ahead = max(t.ahead, b.progress.Next)
	}
	return outcome, err
}

// pending is the chunk being filled.
type pending struct {
	t         *tenure
	part      int
	mutations []view.Mutation
	scores    []view.Mutation // those that set scores, one for each ranking
	size      int
	totals    view.Totals // of the last acknowledged chunk plus the subjects of this one
	subjects  []*work
}

// newPending takes over what the last one has left to be used again.
func newPending(t *tenure) *pending {
	return &pending{t: t, totals: t.totals, mutations: t.mutations[:0], scores: t.scores}
}

// commands is how many there are, without totals and position.
func (c *pending) commands() int { return len(c.mutations) + len(c.scores) }

// add takes in the mutations of one subject. Its scores go into one command for each ranking: with one for each
// score they were 80,000 of the 327,000 commands of a catch-up of 200,000 events, now 524.
func (c *pending) add(own []view.Mutation) {
	for _, m := range own {
		if m.Op != view.SetScores {
			c.mutations = append(c.mutations, m)
			continue
		}
		i := slices.IndexFunc(c.scores, func(s view.Mutation) bool { return s.Key == m.Key })
		if i < 0 {
			c.scores = append(c.scores, view.Mutation{Op: m.Op, Key: m.Key})
			i = len(c.scores) - 1
		}
		c.scores[i].Args = append(c.scores[i].Args, m.Args...)
	}
	c.size += sizeOf(own)
}

// send writes the chunk and, when it is acknowledged, settles its subjects and begins the next one.
func (c *pending) send(ctx context.Context, b *batch, last bool) (Outcome, error) {
	t := c.t
	for _, s := range c.scores {
		if len(s.Args) > 0 {
			c.mutations = append(c.mutations, s)
		}
	}
	if t.views.Has(view.TotalsOf) {
		c.mutations = c.totals.Project(c.mutations, t.totals)
	}
	c.part++
	chunk := &Chunk{
		Mutations: c.mutations, Part: c.part, Before: t.progress.Next,
		Ahead: max(t.ahead, b.progress.Next), Progress: b.progress,
	}
	if last {
		chunk.Part = 0
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.lane.limits.ChunkDeadline)
	defer cancel()
	began := time.Now()
	outcome, err := t.store.Commit(ctx, chunk)
	t.lane.stats.committed(outcome, time.Since(began), len(c.mutations))
	if outcome != Applied {
		return outcome, err
	}
	for _, w := range c.subjects {
		w.subject.Settle()
		t.cache.put(w.id, w.subject)
	}
	t.totals = c.totals
	c.empty()
	return Applied, nil
}

// empty begins anew, with the memory of what was written; what that held is not kept.
func (c *pending) empty() {
	clear(c.mutations)
	c.mutations, c.size, c.subjects = c.mutations[:0], 0, c.subjects[:0]
	for i := range c.scores {
		s := &c.scores[i]
		clear(s.Args)
		s.Args = s.Args[:0]
	}
	c.t.mutations, c.t.scores = c.mutations, c.scores
}

func sizeOf(list []view.Mutation) int {
	n := 0
	for _, m := range list {
		n += m.Size()
	}
	return n
}

// asPanic tells whether an error is an event that the fold could not bear.
func asPanic(err error) (*view.Panic, bool) {
	var p *view.Panic
	return p, errors.As(err, &p)
}
