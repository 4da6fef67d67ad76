package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"switchboard/config"
)

// cli is what every command shares.
type cli struct {
	in         io.Reader
	out, err   io.Writer
	configFile string
}

// usage is an error of whoever typed the command.
type usage struct{ error }

// run is the program as a function of its arguments.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	c := &cli{in: in, out: out, err: errs}
	root := &cobra.Command{
		Use: "switchboard", Short: "Event-sourced pipeline for call and device events, on Kafka and Redis", Version: version,
		SilenceErrors: true, SilenceUsage: true, Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringVar(&c.configFile, "config", "", "`FILE` with keys that differ from the defaults (see switchboard config)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	root.SetArgs(args)
	root.AddCommand(c.commands()...)
	return c.exitCode(root.ExecuteContext(ctx))
}

// commands is every command, one line each; each has a file.
func (c *cli) commands() []*cobra.Command {
	return []*cobra.Command{
		c.configCommand(),
		c.schemasCommand(),
		c.topologyCommand(),
		c.importCommand(),
		c.queryCommand(),
		c.question(whereQuestion()),
		c.verifyCommand(),
		c.snapshotCommand(),
		c.replayCommand(),
		c.deadLettersCommand(),
		c.devCommand(),
	}
}

// load reads the config for what a command needs.
func (c *cli) load(roles ...config.Role) (*config.Config, error) {
	return config.Load(config.FromProcess(c.configFile, roles...))
}

// logger writes what a command has to say beside its answer.
func (c *cli) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func (c *cli) exitCode(err error) int {
	var wrong usage
	var configs config.Errors
	var one *config.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &configs), errors.As(err, &one):
		fmt.Fprintln(c.err, "config:", err)
		return 2
	case errors.As(err, &wrong):
		fmt.Fprintln(c.err, "switchboard:", err)
		return 2
	}
	fmt.Fprintln(c.err, "switchboard:", err)
	return 1
}

// noSuchCommand is for commands that only have subcommands.
func noSuchCommand(cmd *cobra.Command, got []string) error {
	if len(got) > 0 {
		return usage{fmt.Errorf("there is no command %q; see %s --help", got[0], cmd.CommandPath())}
	}
	return nil
}

// args checks the number of arguments; a wrong one is wrong usage.
func args(n int, names string) cobra.PositionalArgs {
	return func(_ *cobra.Command, got []string) error {
		if len(got) != n {
			return usage{fmt.Errorf("want %s, got %d arguments", names, len(got))}
		}
		return nil
	}
}
