package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"switchboard/internal/daemon"
	"switchboard/internal/event"
	"switchboard/internal/redisview"
	"switchboard/internal/snapshot"
	"switchboard/internal/view"
)

// Difference is a subject whose read models are not what the log folds to. Phone numbers are not shown (daemon.Scrub): whoever may read the
// log finds the subject at LastEvent.
type Difference struct {
	Subject   string `json:"subject"`    // "": the totals of the partition
	LastEvent string `json:"last_event"` // topic/partition@offset of the last event about it; "": the log has none
	ReadModel string `json:"read_model"` // the first that differs, and the first field there; "": Problem is about none
	Field     string `json:"field"`
	Problem   string `json:"problem"`
}

const (
	differencesShown = 5
	fieldsCompared   = 500_000 // of the subjects shown, in memory; beyond it no field is named
)

var errNotComparable = errors.New("the log cannot be compared any more")

// differing looks for the subjects of one partition that differ. Neither side is in the order of the other, so it reads both twice: first it
// keeps a sum for each subject, then the fields of few.
type differing struct {
	s      *Snapshots
	models *redisview.Reader
	at     view.Cut
	folded *snapshot.Folded // the log up to at
}

// sided is a record of one side that the canonical hash counts.
type sided struct {
	inRedis           bool // else in the log
	owner             event.Subject
	key, field, value string
}

// read calls f with every record of the read models, and then of the log folded to the same position: again, where they have moved on.
func (d *differing) read(ctx context.Context, begin func(), f func(sided)) error {
	side := func(inRedis bool) func(key, field, value string) error {
		return func(key, field, value string) error {
			name, _, _ := view.SplitKey(key)
			owner, err := view.Owner(key, field)
			if err == nil && view.Hashed(name, field) {
				f(sided{inRedis, owner, key, field, value})
			}
			return err
		}
	}
	at, err := d.models.Records(ctx, d.at.Partition, begin, side(true))
	if err != nil {
		return err
	}
	if at.Generation != d.at.Generation || at.Next != d.at.Next {
		folded, not, err := d.s.foldAgain(ctx, &at)
		if err != nil {
			return err
		}
		if folded == nil {
			return fmt.Errorf("%w: %s", errNotComparable, not)
		}
		d.at, d.folded = at, folded
	}
	return d.folded.Records(ctx, side(false))
}

// find is how many subjects differ, the totals being one, and the first of them.
func (d *differing) find(ctx context.Context) (count int, first []Difference, err error) {
	sums := map[event.Subject]view.Hash{}
	err = d.read(ctx, func() { clear(sums) }, func(r sided) {
		name, subject, _ := view.SplitKey(r.key)
		h := sums[r.owner]
		if r.inRedis {
			h.Add(name, subject, r.field, r.value)
		} else {
			h.Remove(name, subject, r.field, r.value)
		}
		sums[r.owner] = h
	})
	if err != nil {
		return 0, nil, err
	}
	maps.DeleteFunc(sums, func(_ event.Subject, h view.Hash) bool { return h == view.Hash{} })
	owners := slices.Sorted(maps.Keys(sums))
	shown := owners[:min(len(owners), differencesShown)]
	found, err := d.fields(ctx, shown)
	if err != nil {
		return 0, nil, err
	}
	last, err := d.lastEvents(ctx, shown)
	for _, id := range shown {
		p := found[id]
		name, _, _ := view.SplitKey(p.at[0])
		first = append(first, Difference{daemon.Scrub(string(id)), last[id], name, daemon.Scrub(p.at[1]), p.what})
	}
	return len(owners), first, err
}

// problem is what is wrong with a field, at key and field.
type problem struct {
	at   [2]string
	what string
}

// fields is the first field of each subject that differs.
func (d *differing) fields(ctx context.Context, of []event.Subject) (map[event.Subject]problem, error) {
	had, long := map[[2]string]sided{}, false
	found := map[event.Subject]problem{}
	note := func(r sided, what string) {
		at := [2]string{r.key, r.field}
		if old, ok := found[r.owner]; !ok || slices.Compare(at[:], old.at[:]) < 0 {
			found[r.owner] = problem{at, what}
		}
	}
	err := d.read(ctx, func() { clear(had) }, func(r sided) {
		at := [2]string{r.key, r.field}
		was, ok := had[at]
		switch {
		case long || !slices.Contains(of, r.owner):
			return
		case r.inRedis:
			had[at], long = r, len(had) == fieldsCompared
			return
		case !ok:
			note(r, "missing in Redis")
		case was.value != r.value:
			note(r, "another value in Redis")
		}
		delete(had, at)
	})
	for _, r := range had {
		note(r, "in Redis alone")
	}
	for _, id := range of {
		if _, ok := found[id]; long {
			found[id] = problem{what: "more fields than are compared one by one"}
		} else if !ok {
			found[id] = problem{what: "equal by now"}
		}
	}
	return found, err
}

// lastEvents are the positions of the last events about subjects.
func (d *differing) lastEvents(ctx context.Context, of []event.Subject) (map[event.Subject]string, error) {
	last := map[event.Subject]string{}
	m := d.folded.Manifest
	err := d.s.events(ctx, m.Of, m.Partitions, m.HistoryFrom, m.Next, func(id event.Subject, offset int64, _ []byte) error {
		if slices.Contains(of, id) {
			last[id] = fmt.Sprintf("%s@%d", m.Of, offset)
		}
		return nil
	})
	return last, err
}
