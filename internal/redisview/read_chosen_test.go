package redisview

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/view"
	"switchboard/tests/fixture"
)

const weekMinutes = 7 * 24 * 60

// trips calls after for each trip of the shared connections that has been made, with the keys it asked for.
type trips struct{ after func(keys []string) }

func (*trips) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (o *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		var keys []string
		for _, c := range cmds {
			if args := c.Args(); len(args) > 1 {
				keys = append(keys, fmt.Sprint(args[1]))
			}
		}
		o.after(keys)
		return err
	}
}

// TestReadChosenWeeks asks Redis for no week but those that are chosen, be the timeline short or long.
func TestReadChosenWeeks(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		asked := map[string]bool{}
		c.shared.AddHook(&trips{func(keys []string) {
			for _, key := range keys {
				if strings.Contains(key, ":timeline:") {
					asked[key[strings.LastIndex(key, ":")+1:]] = true
				}
			}
		}})
		for name, n := range map[string]int{"short": 10, "long": longFields - 10} {
			l := fixture.Open(t, c, 0, 1, name)
			if err := c.shared.HSet(t.Context(), ServingKey, "calls.reports/0", name).Err(); err != nil {
				t.Fatal(err)
			}
			for week := range 3 {
				var list []event.Event
				for i := range n {
					list = append(list, fixture.Call("alice", "bob", week*weekMinutes+i, 1))
				}
				l.Fold(list...)
			}
			clear(asked) // folding asks, too
			got := 0
			if _, err := c.Reader(fixture.Topic, 1).Timeline(t.Context(), "alice", func(all []view.WeekCount) []view.WeekCount {
				return []view.WeekCount{all[0], all[2]}
			}, func(fold.EntryID, *fold.Entry) error { got++; return nil }, nil); err != nil || got != 2*n {
				t.Errorf("%s: %d reports, want %d (%v)", name, got, 2*n, err)
			}
			if len(asked) != 2 || !asked["2024-W10"] || !asked["2024-W12"] {
				t.Errorf("%s: asked for %v", name, asked)
			}
		}
	})
}

// TestReadChoiceMoves: the subject gets a week after the weeks were chosen and before they are read. What was read is what
// would be chosen of the card that the answer names.
func TestReadChoiceMoves(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		l := fixture.Open(t, c, 0, 1, "g")
		l.Fold(fixture.Call("alice", "bob", 0, 1))
		asked := 0
		var last int64
		reading, err := c.Reader(fixture.Topic, 1).Timeline(t.Context(), "alice", func(all []view.WeekCount) []view.WeekCount {
			if asked++; asked == 1 {
				l.Fold(fixture.Call("alice", "bob", weekMinutes, 1))
			}
			return all[len(all)-1:]
		}, func(_ fold.EntryID, e *fold.Entry) error { last = e.StartMs; return nil }, nil)
		if err != nil || len(reading.Weeks) != 2 || last != fixture.Monday+weekMinutes*60_000 || reading.AtEnd != reading.At {
			t.Errorf("the last report is of %d, of weeks %v at %d to %d (%v)", last, reading.Weeks, reading.At, reading.AtEnd, err)
		}
	})
}

// TestReadLongCardMoves: the subject changes after each first part of a card that is read in parts. The answer is of one position, or says
// that it is not.
func TestReadLongCardMoves(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		l := fixture.Open(t, c, 0, 1, "g")
		const n = longFields + 1500
		for i := 0; i < n; i += 500 {
			var list []event.Event
			for k := i; k < i+500; k++ {
				list = append(list, fixture.Call("mallory", "bob", -k*weekMinutes, 1))
			}
			l.Fold(list...)
		}
		changes := 0
		c.shared.AddHook(&trips{func(keys []string) {
			if changes > 0 && len(keys) > 2 && strings.HasSuffix(keys[len(keys)-1], ":card:mallory") {
				changes--
				for k := range 100 { // in weeks of whichever part
					l.Fold(fixture.Call("mallory", "bob", -k*60*weekMinutes-1-changes, 1))
				}
			}
		}})
		for _, changes = range []int{1, 1000} {
			reading, err := c.Reader(fixture.Topic, 1).Card(t.Context(), "mallory")
			if err != nil {
				t.Fatal(err)
			}
			if of := reportsOf(reading.Weeks); reading.AtEnd == reading.At && of != reading.At+1 {
				t.Errorf("%d reports in weeks, at %d to %d", of, reading.At, reading.AtEnd)
			}
			changes = 0
		}
	})
}
