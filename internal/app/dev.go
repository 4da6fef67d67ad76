package app

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"switchboard/config"
	"switchboard/internal/daemon"
	"switchboard/internal/kafkalog"
	"switchboard/internal/redisview"
)

// SampleUser is one subscriber's reports in bandicoot's format, 2012-01-01 to 02-27, made by bandicoot's generator (MIT; the
// licence lies beside the file).
//
//go:embed sample/sample_user.csv
var SampleUser []byte

// Dev is every role in one process, on an in-process broker (kfake) and an in-process Redis (miniredis): for trying, and for tests.
// Nothing has to be installed.
type Dev struct {
	Config  *config.Config
	Process *daemon.Process
	// DataDir keeps the log over restarts; "" keeps it in memory. The read models are always folded again.
	DataDir string
	// EnvFile is written with the addresses, so that other commands find them; "" writes none.
	EnvFile string
	// Up is called when all roles run, with the config that reaches them; Run ends when it returns an error.
	Up func(ctx context.Context, cfg *config.Config) error
}

// Run runs until ctx ends, or a role or Up fails.
func (d *Dev) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cfg := *d.Config
	cfg.Kafka.Kind, cfg.Redis.Kind = config.KafkaEmbedded, config.RedisEmbedded
	top, err := LoadTopology(&cfg)
	if err != nil {
		return err
	}
	broker, err := startEmbedded(cfg.DevServers.KafkaListen, func(addr string) (*kafkalog.Embedded, error) {
		return kafkalog.StartEmbedded(ctx, kafkalog.EmbeddedOptions{Listen: addr, DataDir: d.DataDir, Topology: top, Logger: d.Process.Role("kafka").Logger})
	})
	if err != nil {
		return err
	}
	defer broker.Close()
	models, err := startEmbedded(cfg.DevServers.RedisListen, redisview.StartEmbedded)
	if err != nil {
		return err
	}
	defer models.Close()
	cfg.Kafka.Brokers, cfg.Redis.Addrs = []string{broker.Addr()}, []string{models.Addr()}

	var roles sync.WaitGroup
	defer roles.Wait() // roles end before their servers
	defer cancel(nil)
	opened := make(chan string, 1)
	start := func(name string, run func(ctx context.Context, p *daemon.Process) error) {
		p := d.Process.Role(name)
		roles.Go(func() {
			if err := run(ctx, p); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	start("ingest", func(ctx context.Context, p *daemon.Process) error {
		return runIngestAt(ctx, p, &cfg, func(addr string) { opened <- addr })
	})
	start("processor", func(ctx context.Context, p *daemon.Process) error { return runProcessor(ctx, p, &cfg) })
	start("snapshotter", func(ctx context.Context, p *daemon.Process) error { return runSnapshotter(ctx, p, &cfg) })
	select {
	case addr := <-opened:
		cfg.Ingest.URL = "http://" + addr
	case <-ctx.Done():
		return whyDone(ctx)
	}
	if err := d.writeEnv(&cfg); err != nil {
		return err
	}
	if d.EnvFile != "" {
		defer os.Remove(d.EnvFile)
	}
	if err := d.Up(ctx, &cfg); err != nil {
		return err
	}
	<-ctx.Done()
	return whyDone(ctx)
}

// whyDone is nil for an ordinary end, else the role that failed.
func whyDone(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, daemon.ErrDraining) {
		return cause
	}
	return nil
}

// startEmbedded starts a server on an address or, when its port is taken, on a free one of the same host.
func startEmbedded[S any](addr string, start func(addr string) (S, error)) (S, error) {
	l, _, err := daemon.Listen(addr)
	if err != nil {
		var none S
		return none, err
	}
	addr = l.Addr().String()
	l.Close() // its port was free a moment ago; whoever takes it meanwhile is named by the error of start
	return start(addr)
}

// writeEnv writes what other commands read when nothing else is set (config.DevEnvFile).
func (d *Dev) writeEnv(cfg *config.Config) error {
	if d.EnvFile == "" {
		return nil
	}
	lines := []string{
		"SWITCHBOARD_KAFKA_KIND=" + cfg.Kafka.Kind, "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(cfg.Kafka.Brokers, ","),
		"SWITCHBOARD_REDIS_KIND=" + cfg.Redis.Kind, "SWITCHBOARD_REDIS_ADDRS=" + strings.Join(cfg.Redis.Addrs, ","),
		"SWITCHBOARD_INGEST_URL=" + cfg.Ingest.URL,
	}
	if err := os.MkdirAll(filepath.Dir(d.EnvFile), 0o755); err != nil {
		return err
	}
	return os.WriteFile(d.EnvFile, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}
