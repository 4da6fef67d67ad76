package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/intake"
)

// importFlags are what the command line says of a file.
type importFlags struct {
	options   intake.FileOptions
	columns   []string
	utcOffset int32
	comma     string
	rejects   string
	wait      time.Duration
	answer    string
	quiet     bool
}

func (c *cli) importCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use: "import FILE", Short: "append the reports of a file to the log; - is standard input", Args: args(1, "one FILE"),
		Long: `Append the reports of a file to the log. Ingest need not run, and doing it again changes nothing: the same content has the same id.
Rows that are no reports are listed in FILE.rejects with file:line and reason; all others go in.

  switchboard import calls.csv --format bandicoot --subscriber +447700900001 --zone Europe/London
  switchboard import cdr.csv --format cdr --map caller=A,callee=B,time=START,duration=SECONDS --time-layout "2006-01-02 15:04:05" --sides both
  switchboard import reports.ndjson --format ndjson --wait`,
		RunE: func(cmd *cobra.Command, got []string) error { return c.importFile(cmd, got[0], f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.options.Format, "format", "ndjson", "`FORMAT` of the file: bandicoot, cdr, ndjson or device-ndjson")
	flags.StringVar(&f.options.Subscriber, "subscriber", "", "bandicoot: `ID` whose file it is")
	flags.StringSliceVar(&f.columns, "map", nil, "cdr: columns as `caller=COL,callee=COL,time=COL,duration=COL`; also kind, outcome, antenna, callee_antenna, id")
	flags.StringVar(&f.options.TimeLayout, "time-layout", "", "cdr: unix, unixms, rfc3339 or a `LAYOUT` of Go's time package")
	flags.StringVar(&f.options.Sides, "sides", "", "cdr: `SIDES` to report: both, or caller")
	flags.StringVar(&f.options.Zone, "zone", "", "IANA `ZONE` of local times")
	flags.Int32Var(&f.utcOffset, "utc-offset", 0, "`SECONDS` east of UTC of local times, instead of --zone")
	flags.StringVar(&f.options.Region, "region", "", "`REGION` (two letters) by which national numbers are read")
	flags.StringVar(&f.comma, "comma", "", "`CHARACTER` that parts the columns; found out from the header when not given")
	flags.StringVar(&f.rejects, "rejects", "", "`FILE` for rows that are no reports (default: FILE.rejects)")
	flags.DurationVar(&f.wait, "wait", 0, "wait until the read models hold the file, for so long")
	flags.Lookup("wait").NoOptDefVal = "0s"
	flags.StringVar(&f.answer, "output", formatTable, "`FORMAT` of the answer: table, json")
	flags.BoolVar(&f.quiet, "quiet", false, "no progress bar")
	return cmd
}

func (c *cli) importFile(cmd *cobra.Command, file string, f importFlags) error {
	roles := []config.Role{config.RoleImport}
	if cmd.Flags().Changed("wait") {
		roles = append(roles, config.RoleQuery)
	}
	cfg, err := c.load(roles...)
	if err != nil {
		return err
	}
	if err := f.complete(cmd); err != nil {
		return err
	}
	im := app.Importer{Config: cfg, Logger: c.logger(), File: file, Options: f.options, Rejects: f.rejects}
	if !f.quiet && isTerminal(c.err) {
		im.Progress = progress(c.err)
	}
	began := time.Now()
	result, err := im.Run(cmd.Context())
	if err != nil {
		if result.Appended > 0 {
			fmt.Fprintf(c.err, "%d facts had been appended\n", result.Appended)
		}
		var option *intake.OptionError
		if errors.As(err, &option) {
			return usage{err}
		}
		return err
	}
	if err := c.reportImport(result, time.Since(began), f.answer); err != nil {
		return err
	}
	if !cmd.Flags().Changed("wait") {
		return nil
	}
	if f.wait <= 0 {
		f.wait = cfg.Import.Wait
	}
	return app.WaitFor(cmd.Context(), cfg, result.About, result.Token, f.wait)
}

// complete turns flags into options; what is wrong is wrong usage.
func (f *importFlags) complete(cmd *cobra.Command) error {
	f.options.Map = map[string]string{}
	for _, pair := range f.columns {
		name, column, ok := strings.Cut(pair, "=")
		if !ok {
			return usage{fmt.Errorf("--map %q: want name=COLUMN", pair)}
		}
		f.options.Map[name] = column
	}
	if f.answer != formatTable && f.answer != formatJSON {
		return usage{fmt.Errorf("--output %q: want %s or %s", f.answer, formatTable, formatJSON)}
	}
	if cmd.Flags().Changed("utc-offset") {
		f.options.UTCOffsetS = &f.utcOffset
	}
	switch r := []rune(f.comma); {
	case len(r) == 1:
		f.options.Comma = r[0]
	case len(r) > 1:
		return usage{fmt.Errorf("--comma %q: want one character", f.comma)}
	}
	return nil
}

func (c *cli) reportImport(r app.ImportResult, took time.Duration, format string) error {
	if format == formatJSON {
		return json.NewEncoder(c.out).Encode(map[string]any{
			"source": r.Source, "rows": r.Rows, "events": r.Events, "appended": r.Appended, "rejected": r.Rejected, "repeats": r.Repeats,
			"duplicates": r.Duplicates, "one_sided": r.OneSided, "rejects": r.Rejects, "token": r.Token.String(), "seconds": took.Seconds(),
		})
	}
	fmt.Fprintf(c.out, "%d rows: %d facts appended in %s (%s)\n", r.Rows, r.Appended, took.Round(time.Millisecond), r.Source)
	for _, line := range []struct {
		n    int64
		text string
	}{
		{r.Rejected, "rows are no reports: see " + r.Rejects},
		{r.Duplicates, "rows are like an earlier one; they count once"},
		{r.Repeats, "rows stand beside an equal one in a run of equal times; each counts"},
		{r.OneSided, "rows name one party only"},
		{r.Untracked, "rows stand in runs of equal times that are too long to look for repeats in"},
	} {
		if line.n > 0 {
			fmt.Fprintf(c.out, "%d %s\n", line.n, line.text)
		}
	}
	if t := r.Token.String(); t != "" {
		fmt.Fprintf(c.out, "token %s\n", t)
	}
	return nil
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress is a bar on a terminal.
func progress(w any) func(read, size int64) {
	bar := progressbar.NewOptions64(1, progressbar.OptionSetWriter(w.(*os.File)), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("import"), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	return func(read, size int64) {
		bar.ChangeMax64(max(size, 1))
		_ = bar.Set64(read) // a bar that cannot be drawn stops nothing
	}
}
