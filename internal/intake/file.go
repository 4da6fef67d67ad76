package intake

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"switchboard/internal/event"
)

// FileOptions say how a file is to be read.
type FileOptions struct {
	Format     string // bandicoot, cdr, ndjson or device-ndjson
	Subscriber string // bandicoot: whose file it is
	Region     string // how national numbers are read; "" leaves it to the Intake

	// Where the clock of bandicoot and cdr files stood: one of the two, or neither, which makes
	// the zone of local times unknown. Of cdr times that carry an offset or are Unix times it says
	// what local time it was.
	Zone       string
	UTCOffsetS *int32

	Map        map[string]string // cdr: column of caller, callee, time, duration [, kind, outcome, antenna, callee_antenna, id]
	TimeLayout string            // cdr: unix, unixms, rfc3339 or a layout of Go's package time
	Sides      string            // cdr: both writes a fact for the caller and one for the callee, caller only the first
	Comma      rune              // csv: what parts the columns; 0 finds out from the header

	TempDir string // where standard input is spooled; "" is the system's
}

// Reject is a row that was no report. The reason quotes no value of the row.
type Reject struct {
	File   string
	Line   int // the line the row begins at, from 1
	Reason string
}

// String is file:line: reason.
func (r *Reject) String() string { return fmt.Sprintf("%s:%d: %s", r.File, r.Line, r.Reason) }

// FileStats counts what was read so far.
type FileStats struct {
	Rows       int64 // rows, without header and empty lines
	Events     int64 // facts that Next gave
	Rejected   int64 // rows that are no reports
	OneSided   int64 // cdr rows of which one party is not known, so that there is one fact instead of two
	Repeats    int64 // rows like another one in the same run of equal times: several reports
	Duplicates int64 // rows like another one among the last 65,536 facts: counted once downstream
	Untracked  int64 // facts in runs too long to look for repeats in
}

// Reader reads the facts of one file in memory that does not depend on the size of the file.
type Reader struct {
	name   string
	in     *Intake
	source source
	lines  *lineReader
	rows   factReader
	about  event.SubjectKind
	from   string // the source of the facts
	rename map[string]string
	// Rows that are alike are several reports only in files of rows; a report in JSON says repeat itself.
	findRepeats bool
	seen        sightings
	pending     []event.Event
	stats       FileStats
	position    atomic.Int64
}

// factReader reads the facts of the next row: all of them, or the reject of the row. Other errors end the file.
type factReader interface {
	next() (facts []event.Event, line int, err error)
}

// rowReader reads the reports of the next row, or the reject of it. Other errors end the file.
type rowReader interface {
	next() (reports []event.Submitted, line int, err error)
}

// reportRows makes facts of reports: of all reports of a row, or of none.
type reportRows struct {
	r       *Reader
	reports rowReader
	facts   []event.Event
}

func (rows *reportRows) next() ([]event.Event, int, error) {
	reports, line, err := rows.reports.next()
	if err != nil {
		return nil, line, err
	}
	rows.facts = rows.facts[:0]
	for _, s := range reports {
		s.Source = rows.r.from
		e, err := rows.r.in.Accept(s)
		if err != nil {
			return nil, line, badRow(rows.r.reason(err))
		}
		rows.facts = append(rows.facts, e)
	}
	return rows.facts, line, nil
}

// rowError says what is wrong with one row.
type rowError struct{ reason string }

func (e *rowError) Error() string { return e.reason }

func badRow(reason string) error { return &rowError{reason} }

// Open opens a file; "-" is standard input, which is spooled to a temporary file, since the source
// of the facts is the digest of the whole. Everything that Options, header or kind of file have
// wrong is an error here, before the first fact.
func (in *Intake) Open(path string, o FileOptions) (*Reader, error) {
	if o.Region != "" && !knownRegion(strings.ToUpper(o.Region)) {
		return nil, badOption("region: must be an ISO 3166-1 alpha-2 code with a numbering plan")
	}
	var open func(*Reader, FileOptions) (rowReader, error)
	switch o.Format {
	case "bandicoot":
		open = openBandicoot
	case "cdr":
		open = openCDR
	case "ndjson":
		open = openNDJSON
	case "device-ndjson":
		if err := o.onlyJSON("each event says device, zone and time itself"); err != nil {
			return nil, err
		}
		if o.Region != "" {
			return nil, badOption("format device-ndjson: there are no numbers to be read, so that no region is taken")
		}
	default:
		return nil, badOption("format: want bandicoot, cdr, ndjson or device-ndjson, have %q", o.Format)
	}
	src, err := openSource(path, o.TempDir)
	if err != nil {
		return nil, err
	}
	r := &Reader{
		name: path, in: in, source: src, lines: newLineReader(src.reader()),
		from: "import:" + src.digest, about: event.Subscribers, findRepeats: open != nil && o.Format != "ndjson",
	}
	if path == "-" {
		r.name = "stdin"
	}
	if open == nil {
		r.rows, r.about = &deviceRows{r}, event.Devices
		return r, nil
	}
	reports, err := open(r, o)
	if err != nil {
		_ = src.Close()
		return nil, err
	}
	r.rows = &reportRows{r: r, reports: reports}
	return r, nil
}

// Next gives the next fact, or the next row that is none, or io.EOF behind the last.
func (r *Reader) Next() (event.Event, *Reject, error) {
	for len(r.pending) == 0 {
		facts, line, err := r.rows.next()
		r.position.Store(r.lines.offset)
		var bad *rowError
		if err != nil && !errors.As(err, &bad) {
			if !errors.Is(err, io.EOF) {
				err = fmt.Errorf("read %s:%d: %w", r.name, line, err)
			}
			return nil, nil, err
		}
		r.stats.Rows++
		if bad != nil {
			r.stats.Rejected++
			return nil, &Reject{File: r.name, Line: line, Reason: bad.reason}, nil
		}
		for _, e := range facts {
			r.see(e)
		}
		r.pending = facts
	}
	e := r.pending[0]
	r.pending = r.pending[1:]
	r.stats.Events++
	return e, nil, nil
}

// reason names the column of the first problem instead of our field.
func (r *Reader) reason(err error) string {
	var all Errors
	if errors.As(err, &all) && len(all) > 0 && r.rename[all[0].Field] != "" {
		return r.rename[all[0].Field] + ": " + all[0].Problem
	}
	return err.Error()
}

// see counts duplicates, and numbers rows that are alike and several reports.
func (r *Reader) see(e event.Event) {
	c := e.Envelope()
	if r.findRepeats {
		repeat, tracked := r.seen.inRun(c.OccurredAt, c.ID)
		if !tracked {
			r.stats.Untracked++
		}
		if repeat > 0 {
			setRepeat(e, repeat)
		}
		if r.seen.before(c.ID) {
			r.stats.Duplicates++
		} else if repeat > 0 {
			r.stats.Repeats++
		}
		return
	}
	if r.seen.before(c.ID) {
		r.stats.Duplicates++
	}
}

func setRepeat(e event.Event, n int32) {
	switch e := e.(type) {
	case *event.CallReported:
		e.Repeat = n
	case *event.TextReported:
		e.Repeat = n
	}
	e.Envelope().ID = event.IDOf(e)
}

// onlyJSON refuses the options of other formats.
func (o *FileOptions) onlyJSON(why string) error {
	if o.Subscriber != "" || o.Zone != "" || o.UTCOffsetS != nil || len(o.Map) > 0 || o.TimeLayout != "" || o.Sides != "" {
		return badOption("format %s: %s; no option for them is taken", o.Format, why)
	}
	return nil
}

// About is the kind of subjects that the facts are about.
func (r *Reader) About() event.SubjectKind { return r.about }

// Position is how many bytes were read; it may be asked for by another goroutine, as Size.
func (r *Reader) Position() int64 { return r.position.Load() }

// Size is how many bytes there are.
func (r *Reader) Size() int64 { return r.source.size }

// Source is the source of the facts: import: and 16 hexadecimal digits of the file's SHA-256.
func (r *Reader) Source() string { return r.from }

// Stats are the counts up to the last Next.
func (r *Reader) Stats() FileStats { return r.stats }

// Close closes the file, and deletes what was spooled.
func (r *Reader) Close() error { return r.source.Close() }

// ndjson: one report a line.
type ndjson struct {
	lines  *lineReader
	region string
}

func openNDJSON(r *Reader, o FileOptions) (rowReader, error) {
	if err := o.onlyJSON("each report says subscriber, zone and time itself"); err != nil {
		return nil, err
	}
	return &ndjson{lines: r.lines, region: o.Region}, nil
}

func (n *ndjson) next() ([]event.Submitted, int, error) {
	line, number, err := n.lines.next()
	if err != nil {
		return nil, number, err
	}
	s, err := DecodeJSON(line)
	if err != nil {
		return nil, number, badRow(err.Error())
	}
	if s.Region == "" {
		s.Region = n.region
	}
	return []event.Submitted{s}, number, nil
}
