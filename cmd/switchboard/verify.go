package main

import "github.com/spf13/cobra"

func (c *cli) verifyCommand() *cobra.Command {
	parent := &cobra.Command{Use: "verify", Short: "prove that the read models are what they should be", Args: noSuchCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	parent.AddCommand(c.question(hashQuestion()))
	return parent
}
