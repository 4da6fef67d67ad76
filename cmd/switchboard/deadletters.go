package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/event"
)

func (c *cli) deadLettersCommand() *cobra.Command {
	parent := &cobra.Command{Use: "dead-letters", Short: "records that nobody could use: which, why, and once more through the inbox", Args: noSuchCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	parent.AddCommand(c.deadLettersList(), c.deadLettersRedrive())
	return parent
}

// letterLine is one letter of `dead-letters list`.
type letterLine struct {
	Position string `json:"position"` // TOPIC/PARTITION@OFFSET, as redrive takes it
	Class    string `json:"class"`
	Reason   string `json:"reason"`
	At       string `json:"at"` // when the letter was written
}

func (c *cli) deadLettersList() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "list", Short: "every dead letter; as JSON one object a line", Args: args(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(config.RoleTopology)
			if err != nil {
				return err
			}
			lines := json.NewEncoder(c.out)
			n := 0
			err = app.ListDeadLetters(cmd.Context(), cfg, c.logger(), func(d app.DeadLetter) error { // written as they come: there may be millions
				l := letterLine{Position: fmt.Sprintf("%s@%d", d.Partition, d.Offset), Class: d.Class, Reason: d.Reason, At: time.UnixMilli(d.AppendedMs).UTC().Format(time.RFC3339)}
				n++
				if format == formatJSON {
					return lines.Encode(l)
				}
				if n == 1 {
					fmt.Fprintf(c.out, "%-20s  %-15s  %-36s  %s\n", "AT", "CLASS", "POSITION", "REASON")
				}
				_, err := fmt.Fprintf(c.out, "%-20s  %-15s  %-36s  %s\n", l.At, l.Class, l.Position, l.Reason)
				return err
			})
			if err == nil && n == 0 && format == formatTable {
				fmt.Fprintln(c.out, "there is none")
			}
			return err
		},
	}
	formatFlag(cmd, &format)
	return cmd
}

func (c *cli) deadLettersRedrive() *cobra.Command {
	return &cobra.Command{
		Use: "redrive TOPIC/PARTITION@OFFSET", Short: "send the original bytes of an inbox's record through the inbox again, as a new record", Args: args(1, "TOPIC/PARTITION@OFFSET"),
		RunE: func(cmd *cobra.Command, got []string) error {
			name, number, _ := strings.Cut(got[0], "@")
			p, err := event.ParsePartition(name)
			offset, bad := strconv.ParseInt(number, 10, 64)
			if err != nil || bad != nil || offset < 0 {
				return usage{fmt.Errorf("%q: want TOPIC/PARTITION@OFFSET, such as calls.inbox/7@123", got[0])}
			}
			cfg, err := c.load(config.RoleTopology)
			if err != nil {
				return err
			}
			at, err := app.Redrive(cmd.Context(), cfg, c.logger(), p, offset)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.out, "%s@%d is now %s@%d too\n", p, offset, p, at)
			return nil
		},
	}
}
