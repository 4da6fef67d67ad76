package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// The formats of listing commands.
const (
	formatTable = "table"
	formatJSON  = "json"
)

// formatFlag adds --format with table and json, and what else a command offers.
func formatFlag(cmd *cobra.Command, to *string, more ...string) {
	formats := append([]string{formatTable, formatJSON}, more...)
	cmd.Flags().StringVar(to, "format", formatTable, "`FORMAT` of the answer: "+strings.Join(formats, ", "))
	inner := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(formats, *to) {
			return usage{fmt.Errorf("--format %q: want %s", *to, strings.Join(formats, ", "))}
		}
		if inner != nil {
			return inner(cmd, args)
		}
		return nil
	}
}
