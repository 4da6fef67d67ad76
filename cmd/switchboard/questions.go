package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"switchboard/internal/console"
	"switchboard/internal/view"
)

// questions is every query, one entry each.
func questions() []question {
	return []question{
		{
			use: "card ID", short: "headline figures of a subscriber", subject: true, flags: period,
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Card(ctx, q)
			},
		},
		{
			use: "contacts ID", short: "who a subscriber talks to", subject: true, flags: all(period, limit, by("reports, calls, texts, seconds, last or name")),
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Contacts(ctx, q)
			},
		},
		{
			use: "timeline ID", short: "the reports of a subscriber, in order", subject: true, flags: all(period, limit), streams: []string{"csv", "bandicoot"},
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Timeline(ctx, q)
			},
		},
		{
			use: "indicators ID", short: "every indicator of bandicoot, by part of the week and of the day", subject: true, flags: all(period, indicatorFlags), formats: []string{"bandicoot"},
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Indicators(ctx, q)
			},
		},
		{
			use: "hours ID", short: "when in the week a subscriber is active, as a heat map", subject: true, flags: all(period, by(strings.Join(console.HourChoices(), ", ")), byWeek),
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Hours(ctx, q)
			},
		},
		{
			use: "days ID", short: "the daily series of a subscriber", subject: true, flags: period,
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Days(ctx, q)
			},
		},
		{
			use: "reach ID", short: "who reported a number", subject: true, flags: all(period, limit, by("reports, calls, texts, seconds, last or name")),
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Reach(ctx, q)
			},
		},
		{
			use: "top", short: "the subscribers with most of something", flags: all(period, limit, by(strings.Join(view.TopNames(), ", "))),
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Top(ctx, q)
			},
		},
		{
			use: "totals", short: "the figures of everybody together",
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Totals(ctx, q)
			},
		},
		{
			use: "device ID", short: "what is known of a device", subject: true,
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Device(ctx, q)
			},
		},
		{
			use: "devices", short: "the devices, by id", flags: all(limit, deviceFlags),
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Devices(ctx, q)
			},
		},
		{
			use: "links ID", short: "the links that a device declared, and those that are declared to it", subject: true, flags: limit,
			ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
				return c.Links(ctx, q)
			},
		},
	}
}

// whereQuestion and hashQuestion are commands of their own names.
func whereQuestion() question {
	return question{
		use: "where ID", short: "the partition and the keys of a subscriber, or of a device", subject: true,
		ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
			return c.Where(ctx, q)
		},
	}
}

func hashQuestion() question {
	return question{
		use: "hash", short: "the canonical hash of the read models, and the positions that it belongs to",
		ask: func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error) {
			return c.Hash(ctx, q)
		},
	}
}

// all is several additions of flags in one.
func all(adds ...func(*cobra.Command, *queryFlags)) func(*cobra.Command, *queryFlags) {
	return func(cmd *cobra.Command, f *queryFlags) {
		for _, add := range adds {
			add(cmd, f)
		}
	}
}

// period adds --from and --to.
func period(cmd *cobra.Command, f *queryFlags) {
	cmd.Flags().StringVar(&f.from, "from", "", "first `DATE` (local to each report), or RFC 3339 instant")
	cmd.Flags().StringVar(&f.to, "to", "", "last `DATE` (included), or RFC 3339 instant (excluded)")
}

func limit(cmd *cobra.Command, f *queryFlags) {
	cmd.Flags().IntVar(&f.query.Limit, "limit", 0, "longest list (default: everything; of top 10, of devices 100)")
}

func deviceFlags(cmd *cobra.Command, f *queryFlags) {
	cmd.Flags().StringVar(&f.query.State, "state", "", "only devices in this `STATE`: "+strings.Join(console.DeviceStates(), ", "))
	cmd.Flags().StringVar(&f.query.Prefix, "prefix", "", "only ids that begin with `TEXT`")
	cmd.Flags().StringVar(&f.query.Cursor, "cursor", "", "go on behind the `CURSOR` that the last answer gave")
}

func by(choices string) func(*cobra.Command, *queryFlags) {
	return func(cmd *cobra.Command, f *queryFlags) {
		cmd.Flags().StringVar(&f.query.By, "by", "", "`FIGURE` to go by: "+choices)
	}
}

func byWeek(cmd *cobra.Command, f *queryFlags) {
	cmd.Flags().BoolVar(&f.query.ByWeek, "by-week", false, "each local ISO week as well")
}

func indicatorFlags(cmd *cobra.Command, f *queryFlags) {
	byWeek(cmd, f)
	cmd.Flags().BoolVar(&f.query.All, "all", false, "calls and texts together too, and every split in the table")
}
