package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

func (c *cli) replayCommand() *cobra.Command {
	parent := &cobra.Command{
		Use: "replay", Short: "generations of the read models: what is being built, and what can be gone back to", Args: noSuchCommand,
		Long: `A reset of the processor's consumer group by a stock tool (kafka-consumer-groups --reset-offsets, on a stopped processor) becomes a replay: a new
generation is built beside the serving one, compared with it, and takes its place; the old one is kept for processor.keep_generations.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	parent.AddCommand(c.replayStatus(), c.replayRun(), c.replayRollback(), c.replayAdopt())
	return parent
}

// generationLine is one generation as it is listed.
type generationLine struct {
	Partition  string `json:"partition"`
	Generation string `json:"generation"`
	Serving    bool   `json:"serving"`
	State      string `json:"state"`
	Since      string `json:"since"`
	Next       int64  `json:"next"` // -1: nothing folded yet
	RebuildTo  int64  `json:"rebuild_to"`
	Reason     string `json:"reason"`
}

func (c *cli) replayStatus() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "status", Short: "every generation of every partition, and how far it is", Args: args(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(config.RoleQuery)
			if err != nil {
				return err
			}
			list, err := app.Replays(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			lines := generationLines(list)
			if format == formatJSON {
				return json.NewEncoder(c.out).Encode(lines)
			}
			t := table.NewWriter()
			t.SetOutputMirror(c.out)
			t.SetStyle(table.StyleLight)
			t.AppendHeader(table.Row{"partition", "generation", "state", "since", "next", "of", "reason"})
			for _, l := range lines {
				state := l.State
				if l.Serving {
					state = "serving"
				}
				t.AppendRow(table.Row{l.Partition, l.Generation, state, l.Since, l.Next, l.RebuildTo, l.Reason})
			}
			t.Render()
			return nil
		},
	}
	formatFlag(cmd, &format)
	return cmd
}

func generationLines(list []app.ReplayStatus) []generationLine {
	lines := []generationLine{}
	for _, s := range list {
		for _, g := range s.Generations {
			l := generationLine{
				Partition: s.Partition.String(), Generation: string(g.Generation), Serving: g.Generation == s.Serving, State: string(g.State),
				Since: time.UnixMilli(g.SinceMs).UTC().Format(time.RFC3339), Next: -1, Reason: g.Reason,
			}
			if g.Found {
				l.Next, l.RebuildTo = g.Pos.Next, g.Pos.RebuildTo
			}
			lines = append(lines, l)
		}
	}
	return lines
}

func (c *cli) replayRun() *cobra.Command {
	var incomplete bool
	cmd := &cobra.Command{
		Use: "run [PARTITION...]", Short: "build new generations beside the serving ones: of all partitions, or of those named (topic/number)",
		RunE: func(cmd *cobra.Command, names []string) error {
			return c.askFor(cmd, names, func(cfg *config.Config, only []event.Partition) (map[event.Partition]pipeline.Generation, error) {
				return app.RunReplay(cmd.Context(), cfg, only, incomplete)
			})
		},
	}
	cmd.Flags().BoolVar(&incomplete, "incomplete", false, "even where the log has lost its head and no snapshot covers it; answers then say so")
	return cmd
}

func (c *cli) replayRollback() *cobra.Command {
	return &cobra.Command{
		Use: "rollback [PARTITION...]", Short: "go back to the generations that served before",
		RunE: func(cmd *cobra.Command, names []string) error {
			return c.askFor(cmd, names, func(cfg *config.Config, only []event.Partition) (map[event.Partition]pipeline.Generation, error) {
				return app.Rollback(cmd.Context(), cfg, only)
			})
		},
	}
}

// askFor marks generations as wanted; their owners do the rest.
func (c *cli) askFor(cmd *cobra.Command, names []string, ask func(*config.Config, []event.Partition) (map[event.Partition]pipeline.Generation, error)) error {
	cfg, err := c.load(config.RoleQuery)
	if err != nil {
		return err
	}
	var only []event.Partition
	for _, name := range names {
		p, err := event.ParsePartition(name)
		if err != nil {
			return usage{err}
		}
		only = append(only, p)
	}
	asked, err := ask(cfg, only)
	if err != nil {
		return err
	}
	var lines []string
	for p, g := range asked {
		lines = append(lines, fmt.Sprintf("%s: generation %s is wanted", p, g))
	}
	slices.Sort(lines)
	fmt.Fprintln(c.out, strings.Join(lines, "\n"))
	fmt.Fprintln(c.out, "the processors that own the partitions begin within a second; watch: switchboard replay status")
	return nil
}

func (c *cli) replayAdopt() *cobra.Command {
	return &cobra.Command{
		Use: "adopt TOPIC", Short: "accept a topic that was deleted and made again: what was folded from the old one is given up", Args: args(1, "one TOPIC"),
		RunE: func(cmd *cobra.Command, got []string) error {
			cfg, err := c.load(config.RoleQuery, config.RoleTopology)
			if err != nil {
				return err
			}
			if err := app.AdoptTopic(cmd.Context(), cfg, c.logger(), got[0]); err != nil {
				return err
			}
			fmt.Fprintf(c.out, "%s is adopted; the processors begin within seconds; watch: switchboard replay status\n", got[0])
			return nil
		},
	}
}
