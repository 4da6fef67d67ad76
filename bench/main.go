// Command bench measures the pipeline on a real Kafka and Redis, each figure beside the limit of its kind, taken in the same run:
// absolute figures depend on the machine and on who else uses it, ratios hardly.
//
//	make bench                          everything, 12 minutes at most
//	make bench ARGS=--short             200,000 events, 2 minutes
//	make bench ARGS="--short --rows catch-up,live --profile prof"
//
// It prints one table and writes out/summary.json beside this file, and a file of details for each family of rows. `make bench` starts the servers; without it
// SWITCHBOARD_KAFKA_BROKERS and SWITCHBOARD_REDIS_ADDRS say where they are. Redis must be empty: it is emptied again and again.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if spec := os.Getenv(childVariable); spec != "" {
		os.Exit(childMain(spec))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseFlags(os.Args[1:])
	if err != nil {
		os.Exit(2)
	}
	if err := run(ctx, o, os.Environ(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	events      int
	subscribers int
	wide        int // subscribers of the second catch-up; 0: none
	rows        []string
	short       bool
	rounds      int
	seconds     time.Duration // of each timed phase
	out         string
	profile     string // folder for profiles of the roles; "": none
	viewsTable  bool
}

func parseFlags(args []string) (options, error) {
	var o options
	var rows string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.BoolVar(&o.short, "short", false, "fewer events, shorter phases: two minutes instead of twelve")
	f.IntVar(&o.events, "events", 0, "events of a catch-up (2,000,000; with --short 200,000)")
	f.IntVar(&o.subscribers, "subscribers", 20_000, "subscribers that they are spread over")
	f.StringVar(&rows, "rows", strings.Join(familyNames(), ","), "families of rows to measure")
	f.StringVar(&o.out, "out", "bench/out", "`FOLDER` for summary.json and the details")
	f.StringVar(&o.profile, "profile", "", "`FOLDER` for CPU and allocation profiles of the roles")
	f.BoolVar(&o.viewsTable, "views-table", false, "print the table of VIEWS.md: what each view costs")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.rounds, o.seconds, o.wide = 2, 8*time.Second, 1_000_000
	if o.short {
		o.rounds, o.seconds, o.wide = 3, 3*time.Second, 0
	}
	if o.events == 0 {
		o.events = 2_000_000
		if o.short {
			o.events = 200_000
		}
	}
	o.rows = strings.Split(rows, ",")
	for _, name := range o.rows {
		if !slices.Contains(familyNames(), name) {
			err := fmt.Errorf("no rows %q: want some of %s", name, strings.Join(familyNames(), ", "))
			fmt.Fprintln(os.Stderr, "bench:", err)
			return o, err
		}
	}
	return o, nil
}
