package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"switchboard/schemas"
)

func (c *cli) schemasCommand() *cobra.Command {
	parent := &cobra.Command{Use: "schemas", Short: "the Avro schemas of everything on the wire", Args: noSuchCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	parent.AddCommand(
		&cobra.Command{
			Use: "check", Short: "prove that each version can be read by the next and by the one before", Args: args(0, "no argument"),
			RunE: func(*cobra.Command, []string) error {
				if err := schemas.Check(); err != nil {
					return err
				}
				fmt.Fprintf(c.out, "%d schema versions are fine\n", len(schemas.All()))
				return nil
			},
		},
		c.schemasList(),
	)
	return parent
}

func (c *cli) schemasList() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "list", Short: "list every version with its fingerprint", Args: args(0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			type line struct {
				Record      string `json:"record"`
				Version     int    `json:"version"`
				State       string `json:"state"`
				Fingerprint string `json:"fingerprint"`
				File        string `json:"file"`
			}
			var lines []line
			for _, s := range schemas.All() {
				lines = append(lines, line{s.Record, s.Number, string(s.State), fmt.Sprintf("%016x", s.Fingerprint), s.File})
			}
			if format == formatJSON {
				return json.NewEncoder(c.out).Encode(lines)
			}
			for _, l := range lines {
				fmt.Fprintf(c.out, "%-20s v%-3d %-8s %s  %s\n", l.Record, l.Version, l.State, l.Fingerprint, l.File)
			}
			return nil
		},
	}
	formatFlag(cmd, &format)
	return cmd
}
