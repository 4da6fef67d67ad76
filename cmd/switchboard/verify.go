package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"switchboard/config"
	"switchboard/internal/app"
)

func (c *cli) verifyCommand() *cobra.Command {
	parent := &cobra.Command{Use: "verify", Short: "prove that the read models are what they should be", Args: noSuchCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	parent.AddCommand(c.question(hashQuestion()), c.verifyLog())
	return parent
}

// errDiffers ends `verify log`; what differs has been printed.
var errDiffers = errors.New("the read models are not what the log folds to: build them again with `switchboard replay run`, and report it")

func (c *cli) verifyLog() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "log", Short: "fold the log again, without Redis, and compare with the read models; fails when they differ", Args: args(0, "no argument"),
		Long: "Folds every partition from the start of its history up to where the read models stand, as the snapshotter does, and compares the canonical hashes. It reads the\nwhole log and writes nothing. Reports may go on coming in.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(config.RoleSnapshot, config.RoleQuery)
			if err != nil {
				return err
			}
			v, err := app.VerifyLog(cmd.Context(), cfg, c.logger())
			if err != nil {
				return err
			}
			if err := c.showVerdict(format, v); err != nil {
				return err
			}
			if !v.Equal {
				return errDiffers
			}
			return nil
		},
	}
	formatFlag(cmd, &format)
	return cmd
}

func (c *cli) showVerdict(format string, v *app.LogVerdict) error {
	if format == formatJSON {
		return c.json(v)
	}
	fmt.Fprintf(c.out, "read models  %s\nlog          %s\n\n", v.Hash, v.LogHash)
	return c.table("PARTITION\tPOSITION\tRESULT", len(v.Partitions), func(i int) string {
		p := v.Partitions[i]
		return fmt.Sprintf("%s\t%d\t%s", p.Partition, p.Next, p.Result)
	})
}
