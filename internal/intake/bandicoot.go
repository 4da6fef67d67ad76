package intake

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/internal/event"
)

// bandicoot reads the CSV of computationalprivacy/bandicoot: the reports of one subscriber, with
// the columns interaction, direction, correspondent_id, datetime and call_duration, and antenna_id
// where the file has it. Times are local. Like bandicoot it does not look at the duration of a
// text, and refuses a call without one.
type bandicoot struct {
	table      *table
	at         map[string]int
	antenna    int // -1: no such column
	clock      clock
	subscriber string
	region     string
}

const bandicootTime = "2006-01-02 15:04:05"

func openBandicoot(r *Reader, o FileOptions) (rowReader, error) {
	if strings.TrimSpace(o.Subscriber) == "" {
		return nil, badOption("subscriber: is required for format bandicoot, whose files do not name it")
	}
	if len(o.Map) > 0 || o.TimeLayout != "" || o.Sides != "" {
		return nil, badOption("format bandicoot: map, time layout and sides are options of format cdr")
	}
	c, err := newClock(r.in, o)
	if err != nil {
		return nil, err
	}
	b := &bandicoot{clock: c, subscriber: o.Subscriber, region: o.Region}
	if b.table, err = openTable(r.lines, o.Comma); err != nil {
		return nil, err
	}
	b.at, err = b.table.columns([]string{"interaction", "direction", "correspondent_id", "datetime", "call_duration"})
	if err != nil {
		return nil, err
	}
	b.antenna = slices.Index(b.table.header, "antenna_id")
	r.rename = map[string]string{
		"kind": "interaction", "counterpart": "correspondent_id", "started_at": "datetime", "duration_s": "call_duration",
	}
	return b, nil
}

func (b *bandicoot) next() ([]event.Submitted, int, error) {
	row, line, err := b.table.next()
	if err != nil {
		return nil, line, err
	}
	s := event.Submitted{
		Kind: row[b.at["interaction"]], Subscriber: b.subscriber, Region: b.region,
		Direction: row[b.at["direction"]], Counterpart: row[b.at["correspondent_id"]],
	}
	if b.antenna >= 0 {
		s.AntennaID = row[b.antenna]
	}
	if s.Kind == event.Call.String() {
		if s.DurationS, err = seconds(row[b.at["call_duration"]]); err != nil {
			return nil, line, badRow("call_duration: " + err.Error())
		}
	}
	wall, err := time.Parse(bandicootTime, row[b.at["datetime"]])
	if err != nil {
		return nil, line, badRow("datetime: must have the form " + bandicootTime)
	}
	b.clock.local(&s, wall)
	return []event.Submitted{s}, line, nil
}

var errSeconds = errors.New("must be a whole number of seconds")

// seconds reads a duration; 61.0 is one, 61.5 is not.
func seconds(text string) (int32, error) {
	text = strings.TrimSpace(text)
	if i := strings.IndexByte(text, '.'); i > 0 && strings.Trim(text[i+1:], "0") == "" {
		text = text[:i]
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, errSeconds
	}
	return int32(n), nil
}

// clock knows where the clocks of a file stood.
type clock struct {
	zone   string
	loc    *time.Location // nil: not said
	offset *int32         // nil: not said
}

func newClock(in *Intake, o FileOptions) (clock, error) {
	c := clock{zone: o.Zone, offset: o.UTCOffsetS}
	if o.Zone != "" {
		if o.UTCOffsetS != nil {
			return c, badOption("zone, utc_offset_s: give one of the two")
		}
		var ok bool
		if c.loc, ok = in.zones.load(o.Zone); !ok {
			return c, badOption("zone: must be an IANA time zone, such as Europe/Berlin")
		}
	}
	if o.UTCOffsetS != nil && (*o.UTCOffsetS < -maxOffsetS || *o.UTCOffsetS > maxOffsetS) {
		return c, badOption("utc_offset_s: must be within 18 hours")
	}
	return c, nil
}

// local sets the start of a report to a wall time, given as if it were UTC.
func (c *clock) local(s *event.Submitted, wall time.Time) {
	switch {
	case c.loc != nil:
		t, offset := wallTime(wall, c.loc)
		o := int32(offset)
		s.StartedAt, s.UTCOffsetS = t.UnixMilli(), &o
	case c.offset != nil:
		s.StartedAt, s.UTCOffsetS = wall.UnixMilli()-int64(*c.offset)*1000, c.offset
	default:
		s.StartedAt = wall.UnixMilli()
	}
}

// instant sets the start of a report to an instant; offset is what the file said with it, or nil.
func (c *clock) instant(s *event.Submitted, ms int64, offset *int32) {
	s.StartedAt, s.Zone, s.UTCOffsetS = ms, c.zone, c.offset
	if c.loc == nil && c.offset == nil {
		s.UTCOffsetS = offset
	}
}
