package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// family is rows that are measured together.
type family struct {
	name    string
	measure func(ctx context.Context, b *bench) error
}

// families in the order in which they are measured; a later one uses what an earlier one left. Peers (Flink, Kafka Streams, on the
// card alone) will be the last line.
func families() []family {
	return []family{
		{"catch-up", measureCatchup},
		{"live", measureLive},
		{"ingest", measureIngest},
	}
}

func familyNames() []string {
	var names []string
	for _, f := range families() {
		names = append(names, f.name)
	}
	return names
}

// bench is one run.
type bench struct {
	options
	servers *servers
	rows    []row
	views   []viewCost
	began   time.Time
	say     func(format string, args ...any) // progress, for people
}

func run(ctx context.Context, o options, environ []string, out io.Writer) error {
	s, err := connectServers(ctx, environ)
	if err != nil {
		return err
	}
	defer s.close()
	b := &bench{options: o, servers: s, began: time.Now()}
	b.say = func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "bench %5.1fs: %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
	}
	before := load()
	var failed error // what was measured before it is printed all the same
	for _, f := range families() {
		if !slices.Contains(o.rows, f.name) {
			continue
		}
		if err := f.measure(ctx, b); err != nil {
			failed = fmt.Errorf("%s: %w", f.name, err)
			break
		}
	}
	fmt.Fprintf(out, "\n%s events of %s subscribers; %d cores, shared with broker and Redis; load before %s, after %s; %.0f s\n\n",
		number(float64(o.events)), number(float64(o.subscribers)), runtime.NumCPU(), before, load(), time.Since(b.began).Seconds())
	printTable(out, b.rows)
	if o.viewsTable {
		fmt.Fprintln(out)
		printViews(out, b.views)
	}
	return errors.Join(failed, writeJSON(o.out, "summary.json", b.rows))
}

// details writes what stands behind the rows of a family.
func (b *bench) details(family string, v any) error { return writeJSON(b.out, family+".json", v) }

// warmUp is how long something runs before it is measured.
func (b *bench) warmUp() time.Duration { return min(time.Second, b.seconds) }

func (b *bench) add(rows ...row) { b.rows = append(b.rows, rows...) }

// load is the load average, of who else may have used the machine.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:2], " ")
}
