package oracle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"switchboard/internal/app"
	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
)

// TestVerifyHash holds what a hash counts, and when there is none.
func TestVerifyHash(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		in := install(t, b)
		p := in.process()
		f := inputs()[0]
		in.importFile(f.path, f.options())
		in.wait()
		p.stop()
		rdb, answers := in.redis(), in.console()
		before, err := answers.Hash(t.Context(), console.Query{})
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range before.Partitions {
			if want := in.upTo.Next[partitionNumber(part.Partition)]; part.Next != want {
				t.Errorf("%s: the hash is of position %d, want %d", part.Partition, part.Next, want)
			}
		}
		if !before.Comparable || before.Records == 0 || len(before.Partitions) != partitions {
			t.Errorf("%+v", before)
		}
		number := event.PartitionOf(f.subject, partitions)
		pos := in.pos(rdb, number)
		t.Run("not while a batch is half written", func(t *testing.T) {
			next := rdb.HGet(t.Context(), pos, "next").Val()
			n, _ := strconv.Atoi(next)
			rdb.HSet(t.Context(), pos, "ahead", n+1)
			defer rdb.HSet(context.WithoutCancel(t.Context()), pos, "ahead", next)
			if hash, err := answers.Hash(t.Context(), console.Query{}); !errors.Is(err, redisview.ErrMoving) {
				t.Errorf("%+v, %v, want %v", hash, err, redisview.ErrMoving)
			}
		})
		t.Run("and the log folds to it, unless a field is wrong", func(t *testing.T) {
			verify := func() *app.LogVerdict {
				v, err := app.VerifyLog(t.Context(), in.config(), slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			if v := verify(); !v.Equal || v.LogHash != before.Hash || v.Hash != before.Hash || len(v.Partitions) != partitions {
				t.Errorf("%+v, want everything equal to %s", v, before.Hash)
			}
			key := strings.TrimSuffix(pos, "pos") + "card:" + string(f.subject)
			calls := rdb.HGet(t.Context(), key, "calls_in").Val()
			rdb.HSet(t.Context(), key, "calls_in", calls+"0")
			defer rdb.HSet(context.WithoutCancel(t.Context()), key, "calls_in", calls)
			if v := verify(); v.Equal || v.LogHash != before.Hash || v.Partitions[number].Result != "differs" {
				t.Errorf("%+v, want partition %d to differ", v, number)
			}
		})
		t.Run("naming the subjects that differ", func(t *testing.T) {
			prefix := strings.TrimSuffix(pos, "pos")
			card := prefix + "card:" + string(f.subject)
			ctx := context.WithoutCancel(t.Context())
			partition := in.partition(number).String()
			last := fmt.Sprintf("%s@%d", partition, in.upTo.Next[number]-1) // the only subscriber there
			wrongField := func() (undo func()) {
				was := rdb.HGet(ctx, card, "texts_in").Val()
				rdb.HSet(ctx, card, "texts_in", was+"0")
				return func() { rdb.HSet(ctx, card, "texts_in", was) }
			}
			deleted := func() (undo func()) {
				undo = func() {}
				for _, key := range append(rdb.Keys(ctx, prefix+"timeline:*").Val(), card, prefix+"contacts:"+string(f.subject)) {
					fields, next := rdb.HGetAll(ctx, key).Val(), undo
					rdb.Del(ctx, key)
					undo = func() { rdb.HSet(ctx, key, fields); next() }
				}
				return undo
			}
			strangers := func() (undo func()) {
				var keys []string
				for i := range 7 {
					keys = append(keys, prefix+"card:+4915112345"+strconv.Itoa(700+i))
					rdb.HSet(ctx, keys[i], "@", "1", "calls_in", "1")
				}
				return func() { rdb.Del(ctx, keys...) }
			}
			contact := func() (undo func()) {
				rdb.HSet(ctx, prefix+"contacts:"+string(f.subject), "+4915112345678", "1 0 0 0 0 0 1 1")
				return func() { rdb.HDel(ctx, prefix+"contacts:"+string(f.subject), "+4915112345678") }
			}
			known := func(model, field, problem string) app.Difference {
				return app.Difference{Subject: string(f.subject), LastEvent: last, ReadModel: model, Field: field, Problem: problem}
			}
			stranger := app.Difference{Subject: "[number]", ReadModel: "card", Field: "calls_in", Problem: "in Redis alone"}
			for _, test := range []struct {
				name      string
				spoil     func() func()
				different int
				first     []app.Difference
			}{
				{"a field", wrongField, 1, []app.Difference{known("card", "texts_in", "another value in Redis")}},
				{"a subject deleted", deleted, 1, []app.Difference{known("card", "calls_in", "missing in Redis")}},
				{"a contact that nobody has", contact, 1, []app.Difference{known("contacts", "[number]", "in Redis alone")}},
				{"subjects that nobody reported", strangers, 7, []app.Difference{stranger, stranger, stranger, stranger, stranger}},
			} {
				undo := test.spoil()
				v, err := app.VerifyLog(t.Context(), in.config(), slog.New(slog.DiscardHandler))
				undo()
				if err != nil {
					t.Fatalf("%s: %v", test.name, err)
				}
				p := v.Partitions[number]
				if p.Result != "differs" || p.Different != test.different || !slices.Equal(p.Differences, test.first) || p.Unnamed != "" || v.Repair != "switchboard replay run "+partition {
					t.Errorf("%s: %+v, repair %q, want %d, first %+v", test.name, p, v.Repair, test.different, test.first)
				}
			}
			if v, err := app.VerifyLog(t.Context(), in.config(), slog.New(slog.DiscardHandler)); err != nil || !v.Equal || v.Repair != "" {
				t.Errorf("when all is right again: %+v, %v", v, err)
			}
		})
		t.Run("not comparable with tombstones", func(t *testing.T) {
			in.appendTombstone(number)
			in.process()
			in.wait()
			after, err := answers.Hash(t.Context(), console.Query{})
			if err != nil {
				t.Fatal(err)
			}
			v, err := app.VerifyLog(t.Context(), in.config(), slog.New(slog.DiscardHandler))
			if err != nil || !strings.HasPrefix(v.Partitions[number].Result, "not comparable") {
				t.Errorf("%+v, %v, want partition %d not to be comparable", v, err, number)
			}
			if after.Comparable || after.Tombstones != 1 || after.Hash != before.Hash {
				t.Errorf("comparable %t, %d tombstones, hash %s, want not, 1, %s", after.Comparable, after.Tombstones, after.Hash, before.Hash)
			}
			card, err := answers.Card(t.Context(), console.Query{Subject: f.subject})
			if err != nil || card.Tombstones != 1 {
				t.Errorf("the card says %d tombstones, want 1: %v", card.Tombstones, err)
			}
		})
	})
}
