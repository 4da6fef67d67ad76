package redisview

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/view"
	"switchboard/tests/fixture"
)

const weekMinutes = 7 * 24 * 60

// weeksAsked notes the weeks of timelines that a client asks for.
type weeksAsked struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (*weeksAsked) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*weeksAsked) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (w *weeksAsked) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		w.mu.Lock()
		for _, c := range cmds {
			if args := c.Args(); len(args) > 1 {
				if key := fmt.Sprint(args[1]); strings.Contains(key, ":timeline:") {
					w.keys[key[strings.LastIndex(key, ":")+1:]] = true
				}
			}
		}
		w.mu.Unlock()
		return next(ctx, cmds)
	}
}

// TestReadChosenWeeks asks Redis for no week but those that are chosen, be the timeline short or long.
func TestReadChosenWeeks(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		asked := &weeksAsked{keys: map[string]bool{}}
		c.shared.AddHook(asked)
		for name, n := range map[string]int{"short": 10, "long": longFields - 10} {
			clear(asked.keys)
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
			clear(asked.keys) // folding asks, too
			got := 0
			if _, err := c.Reader(fixture.Topic, 1).Timeline(t.Context(), "alice", func(all []view.WeekCount) []view.WeekCount {
				return []view.WeekCount{all[0], all[2]}
			}, func(fold.EntryID, *fold.Entry) error { got++; return nil }, nil); err != nil || got != 2*n {
				t.Errorf("%s: %d reports, want %d (%v)", name, got, 2*n, err)
			}
			if len(asked.keys) != 2 || !asked.keys["2024-W10"] || !asked.keys["2024-W12"] {
				t.Errorf("%s: asked for %v", name, asked.keys)
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
