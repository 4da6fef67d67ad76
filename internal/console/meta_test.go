package console_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/view"
)

// TestMetaGolden: what an answer says when not all is well.
func TestMetaGolden(t *testing.T) {
	set, _ := view.NewSet(view.Names())
	healthy := view.Cut{
		Partition: event.Partition{Topic: "calls.reports", Number: 7}, Generation: "1k7dq2x8fa", Views: set, Next: 500, Ahead: 500, EndNext: 500,
		AppliedAppendMs: checkedMs - 5000, HighWatermark: 500, CheckedMs: checkedMs,
	}
	with := func(change func(*view.Cut)) view.Cut {
		cut := healthy
		change(&cut)
		return cut
	}
	token := event.Token{}
	token.Cover(7, 620)
	var out bytes.Buffer
	for _, test := range []struct {
		name  string
		cut   view.Cut
		after event.Token
	}{
		{"healthy", healthy, event.Token{}},
		{"behind", with(func(c *view.Cut) { c.HighWatermark = 900 }), event.Token{}},
		{"moving", with(func(c *view.Cut) { c.Ahead = 620 }), event.Token{}},
		{"long", with(func(c *view.Cut) { c.EndNext = 510 }), event.Token{}},
		{"rebuilding", with(func(c *view.Cut) { c.HistoryFrom, c.RebuildTo, c.HighWatermark = 100, 1700, 1700 }), event.Token{}},
		{"not seeded", with(func(c *view.Cut) { c.Next, c.Ahead, c.EndNext, c.CheckedMs, c.AppliedAppendMs = -1, 0, -1, 0, 0 }), event.Token{}},
		{"tombstones", with(func(c *view.Cut) { c.Tombstones = 3 }), event.Token{}},
		{"broken", with(func(c *view.Cut) { c.Broken = "WRONGTYPE at offset 12" }), event.Token{}},
		{"stale", healthy, token},
		{"reached", with(func(c *view.Cut) { c.Next, c.Ahead, c.EndNext = 621, 621, 621 }), token},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := console.New(console.Ports{
				Partition: func(event.Subject) event.Partition { return test.cut.Partition },
				Card: func(context.Context, event.Subject) (view.Reading, error) {
					return view.Reading{Cut: test.cut, At: -1, AtEnd: -1}, nil
				},
				Now: func() time.Time { return now },
			})
			a, err := c.Card(t.Context(), console.Query{Subject: "alice", After: test.after})
			out.WriteString("# " + test.name + "\n")
			out.Write(text(t, a, err, console.Style{Width: 100}))
			out.Write(jsonOf(t, a))
		})
	}
	golden(t, "meta.txt", out.Bytes())
}
