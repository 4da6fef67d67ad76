package console_test

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/tests/backend"
	"switchboard/tests/fixture"
)

// TestGolden shows every answer in every form. GOLDEN=1 rewrites the files; then look at them: cat testdata/*.color.txt
func TestGolden(t *testing.T) {
	const partitions = 2
	c, client := open(t, backend.EmbeddedRedis(t), partitions)
	user := event.Subject("sample_user")
	home := event.PartitionOf(user, partitions)
	fold(lane(t, client, home, partitions, "gen1"), sample(t, "bandicoot_sample_user.csv", string(user)))
	var others []event.Event
	for i, name := range fixture.SubjectsOf(1-home, partitions, 5) {
		for n := range 1 + 40*i {
			others = append(others, fixture.Call(name, "correspondent_28", n*97, int32(n)))
		}
		others = append(others, fixture.Call(name, event.Withheld, i, 0))
	}
	fold(lane(t, client, 1-home, partitions, "gen2"), others)

	ctx := t.Context()
	q := console.Query{Subject: user, Limit: 12}
	january := q
	january.Period = period(t, "2012-01-01", "2012-01-31")
	weekly := q
	weekly.ByWeek, weekly.Period = true, period(t, "2012-01-09", "2012-01-22")
	everything := q
	everything.All = true
	talk := q
	talk.By = "seconds"
	number := console.Query{Subject: "correspondent_28"}
	of2012 := console.Query{Subject: "correspondent_28", Period: period(t, "", "2012-12-31")}

	for name, ask := range map[string]func() (console.Answer, error){
		"card":                func() (console.Answer, error) { return c.Card(ctx, q) },
		"card_period":         func() (console.Answer, error) { return c.Card(ctx, january) },
		"card_nobody":         func() (console.Answer, error) { return c.Card(ctx, console.Query{Subject: "nobody"}) },
		"contacts":            func() (console.Answer, error) { return c.Contacts(ctx, q) },
		"contacts_by_seconds": func() (console.Answer, error) { return c.Contacts(ctx, talk) },
		"contacts_period":     func() (console.Answer, error) { return c.Contacts(ctx, january) },
		"timeline":            func() (console.Answer, error) { return c.Timeline(ctx, q) },
		"indicators":          func() (console.Answer, error) { return c.Indicators(ctx, q) },
		"indicators_all":      func() (console.Answer, error) { return c.Indicators(ctx, everything) },
		"hours":               func() (console.Answer, error) { return c.Hours(ctx, q) },
		"hours_seconds":       func() (console.Answer, error) { return c.Hours(ctx, talk) },
		"hours_weeks":         func() (console.Answer, error) { return c.Hours(ctx, weekly) },
		"days":                func() (console.Answer, error) { return c.Days(ctx, q) },
		"reach":               func() (console.Answer, error) { return c.Reach(ctx, number) },
		"reach_period":        func() (console.Answer, error) { return c.Reach(ctx, of2012) },
		"top":                 func() (console.Answer, error) { return c.Top(ctx, console.Query{}) },
		"top_period": func() (console.Answer, error) {
			return c.Top(ctx, console.Query{Period: of2012.Period, By: "contacts"})
		},
		"totals": func() (console.Answer, error) { return c.Totals(ctx, console.Query{}) },
		"hash":   func() (console.Answer, error) { return c.Hash(ctx, console.Query{}) },
	} {
		t.Run(name, func(t *testing.T) {
			a, err := ask()
			for _, width := range []int{80, 100} {
				narrow(t, text(t, a, err, console.Style{Width: width}), width)
			}
			golden(t, name+".txt", text(t, a, err, console.Style{Width: 80}))
			golden(t, name+".color.txt", text(t, a, err, console.Style{Width: 100, Color: true}))
			if name != "indicators_all" && name != "hours_weeks" {
				golden(t, name+".json", jsonOf(t, a))
			}
		})
	}
	t.Run("streams", func(t *testing.T) {
		few := q
		few.Period, few.Limit = period(t, "2012-01-31", "2012-02-01"), 0
		for _, format := range []string{"csv", "bandicoot"} {
			var b bytes.Buffer
			a, err := c.Stream(ctx, few, &b, format)
			b.WriteString("---\n")
			b.Write(text(t, a, err, console.Style{}))
			golden(t, "timeline."+format+".txt", b.Bytes())
		}
	})
	t.Run("bandicoot", func(t *testing.T) {
		a, err := c.Indicators(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := console.Write(&b, a, "bandicoot", console.Style{}); err != nil {
			t.Fatal(err)
		}
		golden(t, "indicators.bandicoot.json", b.Bytes())
	})
}

// narrow fails for a line that does not fit.
func narrow(t *testing.T, text []byte, width int) {
	t.Helper()
	for line := range bytes.Lines(text) {
		if n := utf8.RuneCount(line) - 1; n > width {
			t.Errorf("%d columns instead of %d: %s", n, width, line)
		}
	}
}
