package intake

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/internal/event"
)

// cdr reads call detail records: any CSV with one row for a call between two parties. Each side
// that is known becomes a fact of its own. Partial records are left alone: each row is a report.
type cdr struct {
	table     *table
	at        map[string]int // role -> column
	clock     clock
	parseTime func(*clock, *event.Submitted, string) error
	both      bool
	region    string
	stats     *FileStats
	rows      [2]event.Submitted
}

// roles are what a column can be mapped to; the first three are required, duration unless kind is
// mapped. antenna is the caller's, callee_antenna the callee's, id becomes native_id.
var roles = []string{"caller", "callee", "time", "duration", "kind", "outcome", "antenna", "callee_antenna", "id"}

// kinds are the words for call and text that a kind column may use, in lower case.
var kinds = map[string]event.Kind{
	"call": event.Call, "voice": event.Call, "text": event.Text, "sms": event.Text, "mms": event.Text,
}

// ParseMap reads the mapping of columns, such as caller=A,callee=B,time=When,duration=Seconds.
func ParseMap(s string) (map[string]string, error) {
	m := make(map[string]string)
	for pair := range strings.SplitSeq(s, ",") {
		role, column, ok := strings.Cut(pair, "=")
		role, column = strings.TrimSpace(role), strings.TrimSpace(column)
		switch {
		case !ok || column == "":
			return nil, fmt.Errorf("map: %q is not ROLE=COLUMN", pair)
		case !slices.Contains(roles, role):
			return nil, fmt.Errorf("map: %q is none of %s", role, strings.Join(roles, ", "))
		case m[role] != "":
			return nil, fmt.Errorf("map: %s is given twice", role)
		}
		m[role] = column
	}
	return m, nil
}

func openCDR(r *Reader, o FileOptions) (rowReader, error) {
	if o.Subscriber != "" {
		return nil, badOption("format cdr: subscriber is an option of format bandicoot; each row names its parties")
	}
	if o.Sides != "both" && o.Sides != "caller" {
		return nil, badOption("sides: want both or caller")
	}
	for role := range o.Map {
		if !slices.Contains(roles, role) {
			return nil, badOption("map: %q is none of %s", role, strings.Join(roles, ", "))
		}
	}
	for _, role := range roles[:4] {
		if o.Map[role] == "" && !(role == "duration" && o.Map["kind"] != "") {
			return nil, badOption("map: %s is required, as %s=COLUMN", role, role)
		}
	}
	c := &cdr{at: make(map[string]int, len(o.Map)), both: o.Sides == "both", region: o.Region, stats: &r.stats}
	var err error
	if c.clock, err = newClock(r.in, o); err != nil {
		return nil, err
	}
	if c.parseTime, err = timeParser(o.TimeLayout); err != nil {
		return nil, err
	}
	if c.table, err = openTable(r.lines, o.Comma); err != nil {
		return nil, err
	}
	var names []string
	for _, role := range roles {
		if o.Map[role] != "" {
			names = append(names, o.Map[role])
		}
	}
	byName, err := c.table.columns(names)
	if err != nil {
		return nil, err
	}
	for role, name := range o.Map {
		c.at[role] = byName[name]
	}
	r.rename = map[string]string{
		"kind": o.Map["kind"], "subscriber": o.Map["caller"], "counterpart": o.Map["callee"], "started_at": o.Map["time"],
		"duration_s": o.Map["duration"], "outcome": o.Map["outcome"], "antenna_id": o.Map["antenna"], "native_id": o.Map["id"],
	}
	return c, nil
}

func (c *cdr) next() ([]event.Submitted, int, error) {
	row, line, err := c.table.next()
	if err != nil {
		return nil, line, err
	}
	get := func(role string) string {
		if n, mapped := c.at[role]; mapped {
			return strings.TrimSpace(row[n])
		}
		return ""
	}
	bad := func(role, problem string) ([]event.Submitted, int, error) {
		return nil, line, badRow(c.table.header[c.at[role]] + ": " + problem)
	}
	s := event.Submitted{Kind: event.Call.String(), Region: c.region, Outcome: strings.ToLower(get("outcome")), NativeID: get("id")}
	if _, mapped := c.at["kind"]; mapped {
		kind, known := kinds[strings.ToLower(get("kind"))]
		if !known {
			return bad("kind", "must be call, voice, text, sms or mms")
		}
		s.Kind = kind.String()
	}
	if s.Kind == event.Call.String() {
		if _, mapped := c.at["duration"]; !mapped {
			return nil, line, badRow("duration: no column is mapped, and this is a call")
		}
		if s.DurationS, err = seconds(get("duration")); err != nil {
			return bad("duration", err.Error())
		}
	}
	if err := c.parseTime(&c.clock, &s, get("time")); err != nil {
		return bad("time", err.Error())
	}
	sides := c.sides(s, get)
	if len(sides) == 0 {
		return bad("caller", "is required")
	}
	if c.both && len(sides) == 1 {
		c.stats.OneSided++
	}
	return sides, line, nil
}

// sides gives the report of each party that is known, the caller's first.
func (c *cdr) sides(s event.Submitted, get func(string) string) []event.Submitted {
	caller, callee := get("caller"), get("callee")
	list := c.rows[:0]
	if caller != "" && caller != event.Withheld {
		s := s
		s.Subscriber, s.Counterpart, s.Direction, s.AntennaID = caller, callee, event.Out.String(), get("antenna")
		list = append(list, s)
	}
	if c.both && callee != "" && callee != event.Withheld {
		s.Subscriber, s.Counterpart, s.Direction, s.AntennaID = callee, caller, event.In.String(), get("callee_antenna")
		list = append(list, s)
	}
	return list
}

// timeParser gives what reads the times of a layout.
func timeParser(layout string) (func(*clock, *event.Submitted, string) error, error) {
	switch layout {
	case "":
		return nil, badOption(`time_layout: is required: unix, unixms, rfc3339 or a layout such as "2006-01-02 15:04:05"`)
	case "unix", "unixms":
		perSecond := int64(1000)
		if layout == "unixms" {
			perSecond = 1
		}
		return func(c *clock, s *event.Submitted, text string) error {
			ms, ok := unixMs(text, perSecond)
			if !ok {
				return fmt.Errorf("must be a number, as the time layout %s has it", layout)
			}
			c.instant(s, ms, nil)
			return nil
		}, nil
	case "rfc3339":
		return func(c *clock, s *event.Submitted, text string) error {
			ms, offset, ok := parseRFC3339(text)
			if !ok {
				return errors.New("must be RFC 3339, such as 2026-01-31T09:00:00+01:00")
			}
			c.instant(s, ms, offset)
			return nil
		}, nil
	}
	if strings.Contains(layout, "MST") {
		return nil, badOption("time_layout: names of zones (MST) stand for several offsets: use a numeric offset, or zone")
	}
	probe := time.Date(2031, 11, 28, 21, 43, 0, 0, time.UTC)
	if back, err := time.Parse(layout, probe.Format(layout)); err != nil || !back.Equal(probe) {
		return nil, badOption(`time_layout: must be unix, unixms, rfc3339, or date and time as Go writes 2006-01-02 15:04:05`)
	}
	withOffset := strings.Contains(layout, "-07") || strings.Contains(layout, "Z07")
	return func(c *clock, s *event.Submitted, text string) error {
		t, err := time.Parse(layout, text)
		if err != nil {
			return fmt.Errorf("must have the form %s", layout)
		}
		if !withOffset {
			c.local(s, t)
			return nil
		}
		var offset *int32
		if !strings.HasSuffix(text, "Z") {
			_, seconds := t.Zone()
			o := int32(seconds)
			offset = &o
		}
		c.instant(s, t.UnixMilli(), offset)
		return nil
	}, nil
}

// unixMs reads a count of seconds or milliseconds, with or without a fraction.
func unixMs(text string, perUnit int64) (int64, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > 1<<53 || n < -1<<53 || strings.Trim(fraction, "0123456789") != "" {
		return 0, false
	}
	n *= perUnit
	if perUnit == 1 || fraction == "" {
		return n, true
	}
	ms, _ := strconv.ParseInt((fraction + "000")[:3], 10, 64)
	if strings.HasPrefix(whole, "-") {
		ms = -ms
	}
	return n + ms, true
}
