// Package app puts roles together: the only place where the adapters meet. A role is a value with a Run, so that a test or
// `switchboard dev` can start it as well as its own program.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"switchboard/config"
	"switchboard/config/unit"
	"switchboard/internal/daemon"
)

// Role is what a program of its own runs.
type Role struct {
	Name  string
	Needs []config.Role
	// MemoryLimit is what BoundMemory is given.
	MemoryLimit func(cfg *config.Config) unit.Bytes
	Run         func(ctx context.Context, p *daemon.Process, cfg *config.Config) error
}

// Roles is every role, one line each.
func Roles() []Role {
	return []Role{
		{"ingest", []config.Role{config.RoleIngest}, func(c *config.Config) unit.Bytes { return c.Ingest.MemoryLimit }, runIngest},
		{"processor", []config.Role{config.RoleProcessor}, func(c *config.Config) unit.Bytes { return c.Processor.MemoryLimit }, runProcessor},
		{"snapshotter", []config.Role{config.RoleSnapshotter}, func(c *config.Config) unit.Bytes { return c.Snapshot.MemoryLimit }, runSnapshotter},
	}
}

// Main is the program of a role: its flags, its config, its process. It returns the exit code: 0 drained, 1 failed, 2 wrong usage or config.
func Main(name string, args []string, stdout, stderr io.Writer) int {
	var role Role
	for _, r := range Roles() {
		if r.Name == name {
			role = r
		}
	}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("config", "", "`FILE` with keys that differ from the defaults")
	check := flags.Bool("check", false, "check the config and end")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "%s: unexpected argument %q\n", name, flags.Arg(0))
		return 2
	}
	cfg, err := config.Load(config.FromProcess(*file, role.Needs...))
	if err != nil {
		fmt.Fprintf(stderr, "%s: config: %v\n", name, err)
		return 2
	}
	if *check {
		fmt.Fprintf(stdout, "%s: the config is fine (%s)\n", name, strings.Join(append([]string{"default.yaml"}, cfg.Sources...), ", "))
		return 0
	}
	return daemon.Run(context.Background(), processOptions(cfg, role, stderr))
}

func processOptions(cfg *config.Config, role Role, stderr io.Writer) daemon.Options {
	o := cfg.Observability
	return daemon.Options{
		Name: role.Name, Listen: o.Listen, LogLevel: o.LogLevel, LogFormat: o.LogFormat, Stderr: stderr,
		ReadyDelay: cfg.Shutdown.ReadyDelay, DrainDeadline: cfg.Shutdown.DrainDeadline,
		Facts: []slog.Attr{
			slog.String("env", cfg.Env), slog.Any("kafka", cfg.Kafka.Brokers), slog.Any("redis", cfg.Redis.Addrs), slog.Any("config", cfg.Sources),
		},
		Run: func(ctx context.Context, p *daemon.Process) error {
			BoundMemory(role.MemoryLimit(cfg))
			err := role.Run(ctx, p, cfg)
			var wrong *config.Error
			if errors.As(err, &wrong) {
				return usageError{err}
			}
			return err
		},
	}
}

// usageError ends the process with exit code 2.
type usageError struct{ error }

func (usageError) ExitCode() int { return 2 }

// version of the program, as it stands in group commits.
func version() string { return daemon.ReadBuild().Revision }
