package redisview

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
)

// longCompared is how many records of a subject are compared at most: of a longer one, the head records are.
const longCompared = 5000

// Compare compares two generations of a partition, subject by subject, while both lanes go on. Both are in one slot, so that one
// MULTI reads both positions and both copies: where the @ of each is below the next of the other the copies must be equal; else
// the subject is looked at again, three times.
func (c *Client) Compare(ctx context.Context, p event.Partition, a, b pipeline.Generation) (found pipeline.Comparison, err error) {
	k := &comparing{ctx: ctx, a: pipeline.LaneID{Partition: p, Generation: a}, b: pipeline.LaneID{Partition: p, Generation: b}}
	err = c.atNode(ctx, PosKey(k.a), func(node redis.Cmdable) error {
		k.node = node
		return k.all()
	})
	if err != nil {
		return pipeline.Comparison{}, err
	}
	return k.found, nil
}

type comparing struct {
	ctx   context.Context
	node  redis.Cmdable
	a, b  pipeline.LaneID
	found pipeline.Comparison
}

// all compares all subjects that one of the two has.
func (k *comparing) all() error {
	heads := map[string]bool{}
	for _, id := range []pipeline.LaneID{k.a, k.b} {
		for _, head := range []string{view.Card, view.DeviceOf} { // a generation has one of the two
			keys := k.node.Scan(k.ctx, 0, Prefix(id)+head+":*", 1000).Iterator()
			for keys.Next(k.ctx) {
				heads[strings.TrimPrefix(keys.Val(), Prefix(id))] = true
			}
			if err := keys.Err(); err != nil {
				return err
			}
		}
	}
	for _, head := range slices.Sorted(maps.Keys(heads)) {
		if err := k.subject(head); err != nil {
			return err
		}
	}
	return nil
}

// subject compares one subject, and again while it moves.
func (k *comparing) subject(head string) error {
	k.found.Subjects++
	for range 3 {
		settled, first, err := k.once(head)
		if err != nil {
			return err
		}
		if !settled {
			continue
		}
		if first != "" {
			k.found.Different++
			if k.found.First == "" {
				k.found.First = first
			}
		}
		return nil
	}
	k.found.Moving++
	return nil
}

// once reads both copies. settled is false when one generation has folded what the other has not; first is the first key that differs.
func (k *comparing) once(head string) (settled bool, first string, err error) {
	cards, at, settled, err := k.read([]string{head})
	if err != nil || !settled {
		return settled, "", err
	}
	if !maps.Equal(cards[0].a, cards[0].b) {
		return true, head, nil
	}
	keys := append([]string{head}, k.rest(head, cards[0].a)...)
	copies, again, settled, err := k.read(keys)
	if err != nil || !settled || again != at {
		return false, "", err
	}
	for i, c := range copies {
		if !maps.Equal(c.a, c.b) {
			return true, keys[i], nil
		}
	}
	return true, "", nil
}

// rest are the other keys of a subscriber, named from its card, or of a device; none when they are long.
func (k *comparing) rest(head string, card map[string]string) []string {
	if device, is := strings.CutPrefix(head, view.DeviceOf+":"); is {
		return []string{view.LinksKey(event.Subject(device))}
	}
	id := event.Subject(strings.TrimPrefix(head, view.Card+":"))
	var keys []string
	reports := 0
	for field, value := range card {
		if week, ok := strings.CutPrefix(field, view.WeekPrefix); ok {
			n, _ := strconv.Atoi(value)
			reports += n
			keys = append(keys, view.TimelineKey(id, event.Week(week)))
		}
	}
	contacts, _ := strconv.Atoi(card["contacts"])
	if reports+contacts > longCompared {
		return nil
	}
	slices.Sort(keys)
	return append(keys, view.ContactsKey(id))
}

// pair is one record in both generations.
type pair struct{ a, b map[string]string }

// read reads keys of both generations and their positions in one MULTI. at is the @ of both heads, which stands first.
func (k *comparing) read(keys []string) (pairs []pair, at [2]string, settled bool, err error) {
	tx := k.node.TxPipeline()
	nextA, nextB := tx.HGet(k.ctx, PosKey(k.a), "next"), tx.HGet(k.ctx, PosKey(k.b), "next")
	var replies []*redis.MapStringStringCmd
	for _, key := range keys {
		replies = append(replies, tx.HGetAll(k.ctx, Prefix(k.a)+key), tx.HGetAll(k.ctx, Prefix(k.b)+key))
	}
	if _, err := tx.Exec(k.ctx); err != nil {
		return nil, at, false, err
	}
	for i := 0; i < len(replies); i += 2 {
		pairs = append(pairs, pair{replies[i].Val(), replies[i+1].Val()})
	}
	head := pairs[0]
	at = [2]string{head.a[view.AtField], head.b[view.AtField]}
	settled = below(at[0], nextB.Val()) && below(at[1], nextA.Val())
	for _, m := range []map[string]string{head.a, head.b} {
		delete(m, view.AtField)
		delete(m, "duplicates")
	}
	return pairs, at, settled, nil
}

// below tells whether an @ (none: nothing folded) lies below a next.
func below(at, next string) bool {
	n, err := strconv.ParseInt(next, 10, 64)
	if err != nil {
		return false
	}
	a, err := strconv.ParseInt(at, 10, 64)
	return err != nil || a < n
}
