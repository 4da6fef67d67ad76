// Command bench measures the pipeline on a real Kafka and Redis, each figure beside the limit of its kind, taken in the same run:
// absolute figures depend on the machine and on who else uses it, ratios hardly.
//
//	make bench                                   every group but the peers
//	make bench PEERS=1                           those too: Flink and Kafka Streams, on the same small read model
//	make bench ARGS="-quick -only restore,live"  small sizes, to try
//	make bench ARGS="-quick -only catch-up -profile prof"
//
// It prints the rows of each group as they come, in the end one table of all, and writes out/summary.json beside this file after each group, with a file of details
// for each. `make bench` starts the servers; without it SWITCHBOARD_KAFKA_BROKERS and SWITCHBOARD_REDIS_ADDRS say where they are. Redis must be empty: it is
// emptied again and again.
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
	only        []string
	quick       bool
	rounds      int
	seconds     time.Duration // of each timed phase
	out         string
	profile     string // folder for profiles of the roles; "": none
	viewsTable  bool
}

func parseFlags(args []string) (options, error) {
	var o options
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.BoolVar(&o.quick, "quick", false, "a tenth of the events, shorter phases, one round: to try, not to believe")
	f.IntVar(&o.events, "events", 0, "events of a catch-up (2,000,000; with -quick 200,000)")
	f.IntVar(&o.subscribers, "subscribers", 20_000, "subscribers that they are spread over")
	f.StringVar(&only, "only", strings.Join(groupNames(), ","), "`GROUPS` of rows to measure")
	peers := f.Bool("peers", false, "measure the peers too (PEERS=1): needs Java 17 and Maven")
	f.StringVar(&o.out, "out", "bench/out", "`FOLDER` for summary.json and the details")
	f.StringVar(&o.profile, "profile", "", "`FOLDER` for CPU and allocation profiles of the roles")
	f.BoolVar(&o.viewsTable, "views-table", false, "print the table of VIEWS.md: what each view costs")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.rounds, o.seconds, o.wide = 2, 8*time.Second, 1_000_000
	if o.quick {
		o.rounds, o.seconds, o.wide = 1, 2*time.Second, 100_000
	}
	if o.events == 0 {
		o.events = o.size(2_000_000)
	}
	o.only = strings.Split(only, ",")
	if *peers {
		o.only = append(o.only, "peers")
	}
	for _, name := range o.only {
		if name != "peers" && !slices.Contains(groupNames(), name) {
			err := fmt.Errorf("no group %q: want some of %s", name, strings.Join(groupNames(), ", "))
			fmt.Fprintln(os.Stderr, "bench:", err)
			return o, err
		}
	}
	return o, nil
}

// size is n, or with -quick a tenth of it.
func (o *options) size(n int) int {
	if o.quick {
		return n / 10
	}
	return n
}
