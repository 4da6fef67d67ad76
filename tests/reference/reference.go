// Package reference says what the read models must be: the fold of a list of events, one at a time, by the pure packages
// alone, and what a Redis really holds, both as the same kind of map, to be compared field by field.
package reference

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
)

// Fields are read models as "key field" to value, without position, @ and duplicates, which depend on how often something was folded.
type Fields map[string]string

// Fold folds events one at a time. The zero value is not usable: see NewFold.
type Fold struct {
	set      view.Set
	stored   Fields // with @ and duplicates
	subjects map[event.Subject]view.Subject
	totals   view.Totals
}

// NewFold begins with nothing.
func NewFold(set view.Set) *Fold {
	return &Fold{set: set, stored: Fields{}, subjects: map[event.Subject]view.Subject{}}
}

// Of is the fold of a list of events.
func Of(set view.Set, list []event.Event) Fields {
	f := NewFold(set)
	for i, e := range list {
		f.Add(int64(i), e)
	}
	return f.Fields()
}

// Hash is the canonical hash of the fold of a list of events, the first of which stands at offset 0.
func Hash(set view.Set, list []event.Event) (view.Hash, error) {
	state, f := view.State{}, NewFold(set)
	for i, e := range list {
		for _, m := range f.Add(int64(i), e) {
			state.Apply(&m)
		}
	}
	return state.Hash()
}

// Parted are events by their partition, of so many, in their order.
func Parted(list []event.Event, partitions int32) [][]event.Event {
	parts := make([][]event.Event, partitions)
	for _, e := range list {
		p := event.PartitionOf(e.Envelope().Subject, partitions)
		parts[p] = append(parts[p], e)
	}
	return parts
}

// Holds holds what a lane has in Redis against the fold of the events of its partition. Nothing may write meanwhile.
func Holds(t testing.TB, rdb *redis.Client, id pipeline.LaneID, set view.Set, list []event.Event) {
	t.Helper()
	got, err := Dump(t.Context(), rdb, id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := Diff(got, Of(set, list)); diff != nil {
		t.Errorf("%s is not the fold of its log:\n%s", id.Partition, strings.Join(diff, "\n"))
	}
}

// Add folds the event at an offset and returns the mutations that it led to. It panics where the fold or the projection is at odds with
// itself.
func (f *Fold) Add(offset int64, e event.Event) []view.Mutation {
	id := e.Envelope().Subject
	s := f.subjects[id]
	if s == nil {
		s = view.NewSubject(id, f.set)
		f.subjects[id] = s
	}
	s.Queue(offset, e)
	var values [][]view.Value
	for _, r := range s.Reads(nil) {
		v := make([]view.Value, len(r.Fields))
		for i, field := range r.Fields {
			v[i].Text, v[i].OK = f.get(r.Key, field)
		}
		values = append(values, v)
	}
	must(s.Fill(values))
	must(s.Fold())
	before := f.totals
	f.totals.Add(s.Change())
	mutations := s.Project(nil)
	if f.set.Has(view.TotalsOf) {
		mutations = f.totals.Project(mutations, before)
	}
	for _, m := range mutations {
		f.stored.apply(m)
	}
	s.Settle()
	return mutations
}

func (f *Fold) get(key, field string) (string, bool) {
	text, ok := f.stored[key+" "+field]
	return text, ok
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (f Fields) apply(m view.Mutation) {
	switch m.Op {
	case view.SetFields:
		for i := 0; i < len(m.Args); i += 2 {
			f[m.Key+" "+m.Args[i]] = m.Args[i+1]
		}
	case view.SetScores:
		f[m.Key+" "+m.Args[1]] = m.Args[0]
	case view.DropFields, view.DropMembers:
		for _, field := range m.Args {
			delete(f, m.Key+" "+field)
		}
	}
}

// Fields are the read models so far.
func (f *Fold) Fields() Fields { return comparable(maps.Clone(f.stored)) }

func comparable(f Fields) Fields {
	maps.DeleteFunc(f, func(k, _ string) bool {
		card := strings.HasPrefix(k, "card:") && (strings.HasSuffix(k, " @") || strings.HasSuffix(k, " duplicates"))
		return card || strings.HasPrefix(k, "device:") && strings.HasSuffix(k, " @")
	})
	return f
}

// Serving is the lane that serves a partition.
func Serving(ctx context.Context, rdb redis.UniversalClient, p event.Partition) pipeline.LaneID {
	g := rdb.HGet(ctx, redisview.ServingKey, p.String()).Val()
	return pipeline.LaneID{Partition: p, Generation: pipeline.Generation(g)}
}

// Dump is everything that a lane holds in Redis. It scans: nothing may write meanwhile.
func Dump(ctx context.Context, rdb *redis.Client, id pipeline.LaneID) (Fields, error) {
	prefix := redisview.Prefix(id)
	out := Fields{}
	keys := rdb.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for keys.Next(ctx) {
		name := strings.TrimPrefix(keys.Val(), prefix)
		switch {
		case name == "pos":
		case view.Scored(name):
			scores, err := rdb.ZRangeWithScores(ctx, keys.Val(), 0, -1).Result()
			if err != nil {
				return nil, err
			}
			for _, z := range scores {
				out[name+" "+z.Member.(string)] = strconv.FormatFloat(z.Score, 'f', -1, 64)
			}
		default:
			fields, err := rdb.HGetAll(ctx, keys.Val()).Result()
			if err != nil {
				return nil, err
			}
			for field, v := range fields {
				out[name+" "+field] = v
			}
		}
	}
	return comparable(out), keys.Err()
}

// Diff lists what differs, nil when nothing does, and at most twenty lines of it.
func Diff(got, want Fields) []string {
	var diff []string
	all := maps.Clone(want)
	maps.Copy(all, got)
	differ := 0
	for _, k := range slices.Sorted(maps.Keys(all)) {
		g, inGot := got[k]
		w, inWant := want[k]
		if g == w && inGot == inWant {
			continue
		}
		if differ++; len(diff) < 20 {
			diff = append(diff, fmt.Sprintf("%s: got %q (%t), want %q (%t)", k, g, inGot, w, inWant))
		}
	}
	if differ > 0 {
		diff = append(diff, fmt.Sprintf("%d of %d fields differ", differ, len(all)))
	}
	return diff
}
