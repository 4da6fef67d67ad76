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

// group is rows that are measured together, on servers that it finds empty but for topics of others.
type group struct {
	name    string
	measure func(ctx context.Context, b *bench) error
}

// groups in the order in which they are measured.
func groups() []group {
	return []group{
		{"restore", measureRestore},
		{"catch-up", measureCatchup},
		{"live", measureLive},
		{"ingest", measureIngest},
		{"skew", measureSkew},
		{"takeover", measureTakeover},
		{"doors", measureDoors},
		{"memory", measureMemory},
		{"query", measureQuery},
		{"scaling", measureScaling},
		{"peers", measurePeers},
	}
}

// groupNames are those of the groups that are measured when nobody says which: the peers are for who has Java and time.
func groupNames() []string {
	var names []string
	for _, g := range groups() {
		if g.name != "peers" {
			names = append(names, g.name)
		}
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

// run measures group after group. One that fails says so, and does not keep the next from being measured; its rows so far count.
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
	var failed error
	for _, g := range groups() {
		if !slices.Contains(o.only, g.name) || ctx.Err() != nil {
			continue
		}
		known, began := len(b.rows), time.Now()
		if err := g.measure(ctx, b); err != nil {
			err = fmt.Errorf("%s: %w", g.name, err)
			b.say("%v", err)
			failed = errors.Join(failed, err)
		}
		fmt.Fprintf(out, "\n%s, %.0f s, load %s\n\n", g.name, time.Since(began).Seconds(), load())
		printTable(out, b.rows[known:])
		failed = errors.Join(failed, writeJSON(o.out, "summary.json", b.rows), s.empty(context.WithoutCancel(ctx)))
	}
	fmt.Fprintf(out, "\nAll rows: %d cores, shared with broker and Redis; load before %s, after %s; %.0f s\n\n", cores(), before, load(), time.Since(b.began).Seconds())
	printTable(out, b.rows)
	if o.viewsTable {
		fmt.Fprintln(out)
		printViews(out, b.views)
	}
	return failed
}

// details writes what stands behind the rows of a group.
func (b *bench) details(group string, v any) error { return writeJSON(b.out, group+".json", v) }

// warmUp is how long something runs before it is measured.
func (b *bench) warmUp() time.Duration { return min(time.Second, b.seconds) }

func (b *bench) add(rows ...row) { b.rows = append(b.rows, rows...) }

func cores() int { return runtime.NumCPU() }

// load is the load average, of who else may have used the machine.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:2], " ")
}
