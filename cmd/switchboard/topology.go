package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/topology"
)

func (c *cli) topologyCommand() *cobra.Command {
	parent := &cobra.Command{Use: "topology", Short: "topics, groups and flows: what should be, and what the cluster has", Args: noSuchCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	parent.AddCommand(c.topologyPlan(), c.topologyApply(), c.topologyCheck())
	return parent
}

func (c *cli) topologyPlan() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "plan", Short: "show what apply would do, and what nobody may do", Args: args(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(config.RoleTopology)
			if err != nil {
				return err
			}
			diff, err := app.PlanTopology(cmd.Context(), cfg, c.logger())
			if err != nil {
				return err
			}
			if format == formatJSON {
				return json.NewEncoder(c.out).Encode(diff)
			}
			fmt.Fprint(c.out, diff)
			return nil
		},
	}
	formatFlag(cmd, &format)
	return cmd
}

func (c *cli) topologyApply() *cobra.Command {
	return &cobra.Command{
		Use: "apply", Short: "create what is missing and alter what differs; never destroys anything", Args: args(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(config.RoleTopology)
			if err != nil {
				return err
			}
			left, err := app.ApplyTopology(cmd.Context(), cfg, c.logger(), func(s topology.Step) { fmt.Fprintln(c.out, s) })
			if err != nil {
				return err
			}
			if err := left.Err(); err != nil {
				return err
			}
			fmt.Fprintln(c.out, "the cluster is as the topology says")
			return nil
		},
	}
}

func (c *cli) topologyCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "fail with a diff unless the cluster is as the topology says", Args: args(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(config.RoleTopology)
			if err != nil {
				return err
			}
			diff, err := app.PlanTopology(cmd.Context(), cfg, c.logger())
			if err != nil {
				return err
			}
			if err := diff.Err(); err != nil {
				return err
			}
			fmt.Fprintln(c.out, "the cluster is as the topology says")
			return nil
		},
	}
}
