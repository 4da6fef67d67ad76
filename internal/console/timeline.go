package console

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/view"
)

// TimelineAnswer is a subscriber's reports in order of time.
type TimelineAnswer struct {
	Meta
	About
	Total   int     `json:"total"`   // reports of the period; the list has the last ones of them
	Reports []Entry `json:"reports"` // by start, and of one instant by entry
}

// Entry is one report. Times are the reporter's local time with its offset.
type Entry struct {
	Entry       string `json:"entry"`      // its name in the timeline, 11 characters
	StartedAt   string `json:"started_at"` // RFC 3339
	StartMs     int64  `json:"start_ms"`   // Unix milliseconds
	UTCOffsetS  int32  `json:"utc_offset_s"`
	Kind        string `json:"kind"`
	Direction   string `json:"direction"`
	Outcome     string `json:"outcome,omitempty"`
	DurationS   int64  `json:"duration_s"`
	Counterpart string `json:"counterpart,omitempty"` // absent: not known; withheld: hidden by the other party
	Antenna     string `json:"antenna,omitempty"`
	Revision    int32  `json:"revision,omitempty"` // of the amendment that holds
}

func entryOf(id fold.EntryID, e *fold.Entry) Entry {
	o := Entry{
		Entry: view.EntryField(id), StartedAt: local(e.StartMs, e.OffsetS).Format("2006-01-02T15:04:05.999Z07:00"), StartMs: e.StartMs, UTCOffsetS: e.OffsetS,
		Kind: e.Kind.String(), Direction: e.Direction.String(), DurationS: e.Seconds, Counterpart: e.Counterpart, Antenna: e.Antenna, Revision: e.Revision,
	}
	if e.Outcome != event.OutcomeUnknown {
		o.Outcome = e.Outcome.String()
	}
	return o
}

// Timeline answers with the reports of a period, the last Limit of them, which costs the weeks that have those and the ones that the
// period cuts. Without a limit all are held in memory; Stream does not.
func (c *Console) Timeline(ctx context.Context, q Query) (*TimelineAnswer, error) {
	if err := c.subject(&q); err != nil {
		return nil, err
	}
	if err := c.await(ctx, &q, c.ports.Partition(q.Subject)); err != nil {
		return nil, err
	}
	type report struct {
		id fold.EntryID
		fold.Entry
	}
	a := &TimelineAnswer{}
	var last []report
	reading, passed, err := c.walkLast(ctx, &q, q.Limit, func(id fold.EntryID, e *fold.Entry) error {
		a.Total++
		last = append(last, report{id, *e})
		if q.Limit > 0 && len(last) >= 2*q.Limit+1000 {
			last = append(last[:0], last[len(last)-q.Limit:]...)
		}
		return nil
	}, func() { a.Total, last = 0, last[:0] })
	if err != nil {
		return nil, err
	}
	a.Total += passed
	if q.Limit > 0 && len(last) > q.Limit {
		last = last[len(last)-q.Limit:]
	}
	a.Reports = make([]Entry, len(last))
	for i := range last {
		a.Reports[i] = entryOf(last[i].id, &last[i].Entry)
	}
	a.Meta, a.About = c.meta(&q, reading.Cut), subscriberOf(&q, &reading)
	return a, nil
}

// StreamAnswer is what is to be said of a timeline that was written as a stream.
type StreamAnswer struct {
	Meta
	About
	Total int `json:"total"` // reports written
}

// Stream writes the reports of a period as CSV, in constant memory whatever their number: format csv has every column,
// bandicoot is the file that bandicoot reads (local time, no counterpart where there is no contact: bandicoot counts and
// ignores such rows). What has been written cannot be taken back: an error in the middle leaves a part, and a
// subscriber that changes meanwhile is told in the answer (at_end).
func (c *Console) Stream(ctx context.Context, q Query, w io.Writer, format string) (*StreamAnswer, error) {
	row, header := csvRow, csvHeader
	switch format {
	case "csv":
	case "bandicoot":
		row, header = bandicootRow, bandicootHeader
	default:
		return nil, &BadQuery{"format", fmt.Sprintf("%q is no stream: want csv or bandicoot", format)}
	}
	if err := c.subject(&q); err != nil {
		return nil, err
	}
	if q.Limit != 0 {
		return nil, &BadQuery{"limit", "a stream has none: choose a period"}
	}
	if err := c.await(ctx, &q, c.ports.Partition(q.Subject)); err != nil {
		return nil, err
	}
	buffer := bufio.NewWriterSize(w, 64<<10)
	out := csv.NewWriter(buffer)
	if err := out.Write(header); err != nil {
		return nil, err
	}
	a := &StreamAnswer{}
	fields := make([]string, 0, len(header))
	reading, err := c.walk(ctx, &q, func(id fold.EntryID, e *fold.Entry) error {
		a.Total++
		fields = row(fields[:0], id, e)
		return out.Write(fields)
	}, nil)
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	if err == nil {
		err = buffer.Flush()
	}
	if err != nil {
		return nil, err
	}
	a.Meta, a.About = c.meta(&q, reading.Cut), subscriberOf(&q, &reading)
	return a, nil
}

// Text writes what is to be said, without the reports.
func (a *StreamAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	a.head(p, counted(a.Total, "report"), "")
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}

var csvHeader = []string{"entry", "started_at", "utc_offset_s", "kind", "direction", "outcome", "duration_s", "counterpart", "antenna", "revision"}

func csvRow(row []string, id fold.EntryID, e *fold.Entry) []string {
	o := entryOf(id, e)
	return append(row, o.Entry, o.StartedAt, strconv.Itoa(int(o.UTCOffsetS)), o.Kind, o.Direction, o.Outcome,
		strconv.FormatInt(o.DurationS, 10), o.Counterpart, o.Antenna, strconv.Itoa(int(o.Revision)))
}

var bandicootHeader = []string{"interaction", "direction", "correspondent_id", "datetime", "call_duration", "antenna_id"}

func bandicootRow(row []string, _ fold.EntryID, e *fold.Entry) []string {
	counterpart, duration := "", ""
	if isContact(e.Counterpart) {
		counterpart = e.Counterpart
	}
	if e.Kind == event.Call {
		duration = strconv.FormatInt(e.Seconds, 10)
	}
	return append(row, e.Kind.String(), e.Direction.String(), counterpart, local(e.StartMs, e.OffsetS).Format("2006-01-02 15:04:05"), duration, e.Antenna)
}

// Text shows the reports as a table, a line for each new day.
func (a *TimelineAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	right := counted(a.Total, "report")
	if len(a.Reports) < a.Total {
		right = fmt.Sprintf("last %d of %s", len(a.Reports), count(int64(a.Total)))
	}
	if a.head(p, "Timeline", right) && len(a.Reports) > 0 {
		rows := make([][]string, len(a.Reports))
		day := ""
		for i := range a.Reports {
			rows[i], day = a.Reports[i].row(p.Style, day)
			if p.width() < 96 { // neither antenna nor offset
				rows[i][1], rows[i][7] = rows[i][1][:len("15:04:05")], ""
			}
		}
		p.table([]string{"day", "local time", "", "", "counterpart", ">talk", "outcome", "antenna", ""}, rows)
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}

// row is the line of a report; day is that of the line above.
func (e *Entry) row(s Style, day string) (row []string, today string) {
	at := local(e.StartMs, e.UTCOffsetS)
	today = at.Format("Mon 2006-01-02")
	shown := today
	if today == day {
		shown = ""
	}
	arrow := s.paint("32", "→") // out
	if e.Direction == "in" {
		arrow = s.paint("34", "←")
	}
	amended, counterpart := "", e.Counterpart
	if e.Revision > 0 {
		amended = "amended"
	}
	if counterpart == "" {
		counterpart = s.dim("(unknown)")
	}
	duration := ""
	if e.Kind == "call" {
		duration = talk(e.DurationS)
	}
	return []string{shown, at.Format("15:04:05 -07:00"), arrow, e.Kind, counterpart, duration, e.Outcome, e.Antenna, amended}, today
}
