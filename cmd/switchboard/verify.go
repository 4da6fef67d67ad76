package main

import (
	"cmp"
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
type errDiffers struct{ repair string }

func (e errDiffers) Error() string {
	return fmt.Sprintf("the read models are not what the log folds to: build them again with `%s`, and report it", e.repair)
}

func (c *cli) verifyLog() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "log", Short: "fold the log again, without Redis, and compare with the read models; fails when they differ", Args: args(0, "no argument"),
		Long: "Folds every partition from the start of its history up to where the read models stand, as the snapshotter does, and compares the canonical hashes. Where they\ndiffer it names the first subjects and fields, phone numbers masked. It reads the whole log and writes nothing. Reports may go on coming in.",
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
				return errDiffers{v.Repair}
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
	var lines []string
	err := c.table("PARTITION\tPOSITION\tRESULT", len(v.Partitions), func(i int) string {
		p, result := v.Partitions[i], v.Partitions[i].Result
		switch {
		case p.Unnamed != "":
			result += ", where is not known: " + p.Unnamed
		case p.Different > 0:
			result += fmt.Sprintf(": %d subjects", p.Different)
		}
		for _, d := range p.Differences {
			subject := cmp.Or(d.Subject, "the totals")
			lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", p.Partition, subject, cmp.Or(d.LastEvent, "none"), cmp.Or(d.ReadModel, "-"), cmp.Or(d.Field, "-"), d.Problem))
		}
		return fmt.Sprintf("%s\t%d\t%s", p.Partition, p.Next, result)
	})
	if err != nil || len(lines) == 0 {
		return err
	}
	fmt.Fprintln(c.out)
	return c.table("PARTITION\tSUBJECT\tLAST EVENT\tREAD MODEL\tFIELD\tPROBLEM", len(lines), func(i int) string { return lines[i] })
}
