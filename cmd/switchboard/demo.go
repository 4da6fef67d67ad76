package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/intake"
)

// sampleUser is the subscriber of the demo's file.
const sampleUser = event.Subject("sample")

// devUp is what `switchboard dev` does when all roles run.
func (c *cli) devUp(ctx context.Context, cfg *config.Config, f devFlags, observability string, stop func()) error {
	if f.demo {
		if err := c.showDemo(ctx, cfg); err != nil {
			return err
		}
	}
	if f.exit {
		stop()
		return nil
	}
	fmt.Fprintf(c.out, `Serving until Ctrl-C, everything in this process:
  reports        POST %s/v1/reports  (%s/openapi.yaml)
  Kafka          %s  (embedded)
  Redis          %s  (embedded; redis-cli works)
  observability  %s/metrics
Other commands find it by themselves, such as: switchboard query hours %s --from 2012-01-15
`, cfg.Ingest.URL, cfg.Ingest.URL, cfg.Kafka.Brokers[0], cfg.Redis.Addrs[0], observability, sampleUser)
	return nil
}

// showDemo imports the sample and prints what an analyst would see of it.
func (c *cli) showDemo(ctx context.Context, cfg *config.Config) error {
	began := time.Now()
	result, err := c.importSample(ctx, cfg)
	if err != nil {
		return fmt.Errorf("import the sample: %w", err)
	}
	if err := app.WaitFor(ctx, cfg, result.About, result.Token, time.Minute); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "%d reports: appended to Kafka, folded into Redis, in %s\n", result.Appended, time.Since(began).Round(time.Millisecond))
	con, closeIt, err := app.OpenConsole(ctx, cfg)
	if err != nil {
		return err
	}
	defer closeIt()
	q := console.Query{Subject: sampleUser}
	top := q
	top.Limit = 5
	for _, ask := range []func() (console.Answer, error){
		func() (console.Answer, error) { return con.Card(ctx, q) },
		func() (console.Answer, error) { return con.Contacts(ctx, top) },
		func() (console.Answer, error) { return con.Hours(ctx, q) },
	} {
		a, err := ask()
		if err != nil {
			return err
		}
		if err := a.Text(c.out, c.style()); err != nil {
			return err
		}
		fmt.Fprintln(c.out)
	}
	return nil
}

// importSample writes the embedded file to disk, since that is where an import reads.
func (c *cli) importSample(ctx context.Context, cfg *config.Config) (app.ImportResult, error) {
	dir, err := os.MkdirTemp("", "switchboard-demo")
	if err != nil {
		return app.ImportResult{}, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "sample_user.csv")
	if err := os.WriteFile(file, app.SampleUser, 0o600); err != nil {
		return app.ImportResult{}, err
	}
	utc := int32(0)
	im := app.Importer{Config: cfg, Logger: c.logger(), File: file, Options: intake.FileOptions{Format: "bandicoot", Subscriber: string(sampleUser), UTCOffsetS: &utc}}
	return im.Run(ctx)
}
