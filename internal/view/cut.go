package view

import (
	"encoding/base64"
	"errors"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// What readers of the read models get, as data: internal/redisview reads it, internal/console makes answers of it.

// ErrUnavailable is why no answer can be given now: no generation serves, or it went away three times while it was read.
// A later attempt may succeed.
var ErrUnavailable = errors.New("the read models cannot be read now")

// Cut says where the read models of one partition stood when they were read.
type Cut struct {
	Partition   event.Partition
	TopicID     event.TopicID // of the log that was folded
	Generation  string
	Views       Set   // what the generation holds
	Next        int64 // offset to be folded next: the position; -1: nothing was folded yet
	Ahead       int64 // no subject holds anything at or beyond it; above Next while a batch is being written
	EndNext     int64 // Next when the last part of an answer was read that changed meanwhile; else the same
	RebuildTo   int64 // end of the log when folding began; below it the generation is being built
	HistoryFrom int64 // offset at which the log began; above 0 the answer is incomplete before it
	Tombstones  int64 // records without a value that were skipped; above 0 the hash is not comparable
	Broken      string

	AppliedAppendMs int64 // broker's append time of the last event folded, Unix milliseconds; 0: none
	HighWatermark   int64 // end of the log when it was last asked
	CheckedMs       int64 // when that was, Unix milliseconds; 0: never
}

// Rebuilding tells whether the generation has not yet reached what was there when its folding began.
func (c *Cut) Rebuilding() bool { return c.Next < c.RebuildTo || c.Next < 0 }

// Moving tells whether the answer mixes two positions: between Next and Ahead, or because it took longer to read than
// the subject stood still.
func (c *Cut) Moving() bool { return c.Next < c.Ahead || c.EndNext > c.Next }

// StalenessMs is by how many milliseconds the read models may lag behind the log. known is false before anything was
// folded or asked.
func (c *Cut) StalenessMs(nowMs int64) (ms int64, known bool) {
	since := c.AppliedAppendMs
	if c.Next >= c.HighWatermark {
		since = c.CheckedMs
	}
	return max(nowMs-since, 0), since != 0
}

// WeekCount is how many reports a subscriber has in a UTC ISO week.
type WeekCount struct {
	Week    event.Week
	Reports int64
}

// Reading is what was read of one subscriber.
type Reading struct {
	Cut
	Found bool // false: no report of the subscriber has been folded, and the rest is zero
	Card  fold.Card
	Weeks []WeekCount // ascending
	At    int64       // offset of the last event folded into the subscriber; -1: none
	AtEnd int64       // the same when the reading ended; above At the subscriber changed meanwhile
}

// DeviceReading is what was read of one device.
type DeviceReading struct {
	Cut
	Found  bool // false: no event of the device has been folded, and the rest is zero
	Record fold.DeviceRecord
	At     int64 // offset of the last event folded into the device; -1: none
	AtEnd  int64 // the same when the reading ended; above At the device changed meanwhile
}

// Linked is a link to a device, and the device that declares it.
type Linked struct {
	By   event.Subject
	Edge fold.Edge
}

// Listed is a device of a list.
type Listed struct {
	Device event.Subject
	Record fold.DeviceRecord
}

// Reporter is a subscriber who reported a number, with the figures of the two.
type Reporter struct {
	Subject event.Subject
	Contact fold.Contact
}

// Ranked is a place in a ranking.
type Ranked struct {
	Subject event.Subject
	Score   int64
}

// Place says where a subscriber is kept, by full names of keys.
type Place struct {
	Reading
	Pos   string   // the position of the generation
	Keys  []string // of the subscriber, without its timeline
	Weeks []string // of its timeline, ascending
	Node  string   // host:port of the server that has them
}

// Lag is a partition whose read models have not reached a position.
type Lag struct {
	Partition  event.Partition
	Next, Want int64 // Next is -1 while nothing serves the partition
}

// ParseEntryField reads what EntryField wrote.
func ParseEntryField(s string) (id fold.EntryID, err error) {
	if base64.RawURLEncoding.DecodedLen(len(s)) != len(id) {
		return id, errEntry
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return id, errEntry
	}
	copy(id[:], raw)
	return id, nil
}
