package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/daemon"
)

// devFlags say what `switchboard dev` does besides serving.
type devFlags struct {
	demo, exit, volatile bool
}

func (c *cli) devCommand() *cobra.Command {
	var f devFlags
	cmd := &cobra.Command{
		Use: "dev", Short: "run every role in this process, on an embedded Kafka and Redis; nothing to install", Args: args(0, "no argument"),
		Long: `Run every role in this process, on an in-process broker (kfake) and an in-process Redis (miniredis): for trying, and for tests. The log is
kept in .switchboard/dev, the read models are folded again after a restart. Other commands find it by .switchboard/dev.env.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.dev(cmd.Context(), f) },
	}
	cmd.Flags().BoolVar(&f.demo, "demo", false, "load a sample and print what an analyst would see; keeps nothing")
	cmd.Flags().BoolVar(&f.exit, "exit", false, "end after printing")
	cmd.Flags().BoolVar(&f.volatile, "volatile", false, "keep the log in memory")
	return cmd
}

func (c *cli) dev(ctx context.Context, f devFlags) error {
	cfg, err := c.load(config.RoleDev)
	if err != nil {
		return err
	}
	level := cfg.Observability.LogLevel
	if f.demo {
		level = "warn" // the demo's own output is what is to be read
	}
	log, err := daemon.NewLogger(c.err, level, cfg.Observability.LogFormat)
	if err != nil {
		return err
	}
	process := daemon.NewProcess("dev", log)
	server, err := process.Serve(cfg.Observability.Listen)
	if err != nil {
		return err
	}
	defer server.Close()
	envFile := config.DevEnvFile(".", os.Environ())
	d := app.Dev{Config: cfg, Process: process, EnvFile: envFile, DataDir: filepath.Join(filepath.Dir(envFile), "dev")}
	if f.demo || f.volatile {
		d.DataDir = ""
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.Up = func(ctx context.Context, up *config.Config) error {
		return c.devUp(ctx, up, f, "http://"+server.Addr().String(), cancel)
	}
	return d.Run(ctx)
}
