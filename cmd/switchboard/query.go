package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/indicator"
)

// queryFlags are shared by all queries.
type queryFlags struct {
	from, to, after, format string
	wait                    time.Duration
	query                   console.Query
}

// question is one query of the command line.
type question struct {
	use, short string
	subject    bool // takes an id
	ask        func(ctx context.Context, c *console.Console, q console.Query) (console.Answer, error)
	flags      func(cmd *cobra.Command, f *queryFlags)
	formats    []string // besides table and json
	streams    []string // of these, the ones that are written as they are read
}

func (c *cli) queryCommand() *cobra.Command {
	parent := &cobra.Command{Use: "query", Short: "ask the read models", Args: noSuchCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	for _, q := range questions() {
		parent.AddCommand(c.question(q))
	}
	return parent
}

// question makes the command of one query.
func (c *cli) question(q question) *cobra.Command {
	var f queryFlags
	cmd := &cobra.Command{Use: q.use, Short: q.short, Args: args(0, "no argument")}
	if q.subject {
		cmd.Args = args(1, "one ID")
	}
	cmd.RunE = func(cmd *cobra.Command, got []string) error {
		if q.subject {
			f.query.Subject = event.Subject(got[0])
		}
		return c.ask(cmd, q, &f)
	}
	flags := cmd.Flags()
	flags.StringVar(&f.after, "after", "", "`TOKEN` of an import or an HTTP answer: wait until its reports are visible")
	flags.DurationVar(&f.wait, "wait", 0, "how long --after waits (default: query.wait)")
	if q.flags != nil {
		q.flags(cmd, &f)
	}
	formatFlag(cmd, &f.format, append(q.formats, q.streams...)...)
	return cmd
}

func (c *cli) ask(cmd *cobra.Command, q question, f *queryFlags) error {
	cfg, err := c.load(config.RoleQuery)
	if err != nil {
		return err
	}
	if f.query.Period, err = indicator.ParsePeriod(f.from, f.to); err != nil {
		return usage{err}
	}
	if f.query.After, err = event.ParseToken(f.after); err != nil {
		return usage{fmt.Errorf("--after: %w", err)}
	}
	f.query.Wait = cfg.Query.Wait
	if f.wait > 0 {
		f.query.Wait = f.wait
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), cfg.Query.Timeout+f.query.Wait)
	defer cancel()
	con, closeIt, err := app.OpenConsole(ctx, cfg)
	if err != nil {
		return err
	}
	defer closeIt()
	if slices.Contains(q.streams, f.format) {
		_, err = con.Stream(ctx, f.query, c.out, f.format)
		return wrongQuery(err)
	}
	a, err := q.ask(ctx, con, f.query)
	if err != nil {
		return wrongQuery(err)
	}
	return console.Write(c.out, a, f.format, c.style())
}

// wrongQuery tells a query that means nothing, which is wrong usage, from one that failed.
func wrongQuery(err error) error {
	var bad *console.BadQuery
	if errors.As(err, &bad) {
		return usage{err}
	}
	return err
}

// style is what the terminal can do; a file or a pipe gets no colours.
func (c *cli) style() console.Style {
	f, ok := c.out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return console.Style{}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 0
	}
	return console.Style{Color: os.Getenv("NO_COLOR") == "", Width: width}
}
