package pipeline

import (
	"context"
	"errors"
	"slices"

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
	if err := t.land(ctx); err != nil {
		return err
	}
	values, err := t.store.Load(ctx, reads)
	if err != nil {
		return t.damage(ctx, err)
	}
	for _, w := range b.subjects {
		if err := w.subject.Fill(values[:w.reads]); err != nil {
			return t.damage(ctx, &damaged{err})
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
// one moves the position; a batch without mutations moves it all the same. It may be under way when write returns.
func (t *tenure) write(ctx context.Context, b *batch) error {
	limits := &t.lane.limits
	whole := b.events <= limits.LiveEvents // a live batch is one chunk, so that it is seen as one
	c := newPending(t)
	var own []view.Mutation // of one subject
	for _, w := range b.subjects {
		own = w.subject.Project(own[:0])
		full := c.commands()+len(own) > limits.ChunkCommands || c.size+sizeOf(own) > limits.ChunkBytes
		if c.size > 0 && full && !whole { // not an empty one before a large subject
			if err := c.send(ctx, b, false); err != nil {
				return err
			}
		}
		c.add(own)
		c.totals.Add(w.subject.Change())
		c.subjects = append(c.subjects, w)
	}
	return c.send(ctx, b, true)
}

// pending is the chunk being filled.
type pending struct {
	memory
	t        *tenure
	part     int
	size     int
	totals   view.Totals // of the last chunk plus the subjects of this one
	subjects []*work
}

func newPending(t *tenure) *pending {
	c := &pending{t: t, totals: t.totals, memory: t.spare}
	t.spare = memory{}
	return c
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

// send sends the chunk, settles its subjects, as if it were acknowledged, and begins the next one.
func (c *pending) send(ctx context.Context, b *batch, last bool) error {
	t := c.t
	if err := t.land(ctx); err != nil {
		return err
	}
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
	t.launch(ctx, chunk, b.events, c.memory)
	for _, w := range c.subjects {
		w.subject.Settle()
		t.cache.put(w.id, w.subject)
	}
	t.totals = c.totals
	if last {
		t.progress, t.ahead = b.progress, chunk.Ahead
		return nil
	}
	c.memory, t.spare = t.spare, memory{}
	c.size, c.subjects = 0, c.subjects[:0]
	return nil
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
