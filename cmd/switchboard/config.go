package main

import (
	"github.com/spf13/cobra"

	"switchboard/config"
)

func (c *cli) configCommand() *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "print every config key with its default and what it means", Args: args(0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			_, err := c.out.Write(config.Default())
			return err
		},
	}
}
