package fold

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"switchboard/internal/event"
)

// Entry is one report as the timeline keeps it.
type Entry struct {
	StartMs     int64 // Unix milliseconds
	OffsetS     int32 // seconds east of UTC
	Kind        event.Kind
	Direction   event.Direction
	Outcome     event.Outcome
	Seconds     int64 // 0 for a text
	Antenna     string
	Counterpart string
	Revision    int32   // of the amendment that holds; 0: as reported
	Amendment   [8]byte // first 8 bytes of that amendment's id
	changed     bool
}

// EntryID names an entry in the timeline of its subject.
type EntryID [8]byte

// Touch is what an event touches, named from the event alone.
type Touch struct {
	Week    event.Week
	Entry   EntryID
	Contact string // "" when the report names no other party

	report    Entry
	amendment bool
}

// TouchOf names what an event touches. ok is false for an event that is not about a subscriber.
func TouchOf(e event.Event) (t Touch, ok bool) {
	ok = t.Of(e)
	return t, ok
}

// Of makes an empty touch that of an event, as TouchOf does without copying it.
func (t *Touch) Of(e event.Event) (ok bool) {
	switch e := e.(type) {
	case *event.CallReported:
		t.set(&e.Common, &e.Report, event.Call, int64(e.DurationS), e.ID)
	case *event.TextReported:
		t.set(&e.Common, &e.Report, event.Text, 0, e.ID)
	case *event.CallReportAmended:
		t.set(&e.Common, &e.Report, e.Kind, int64(e.DurationS), e.Amends)
		t.amendment = true
		t.report.Revision = e.Revision
		copy(t.report.Amendment[:], e.ID[:])
	default:
		return false
	}
	return true
}

// set fills the touch of a report whose original has the id original.
func (t *Touch) set(c *event.Common, r *event.Report, kind event.Kind, seconds int64, original event.ID) {
	t.report = Entry{
		StartMs: c.OccurredAt, OffsetS: c.UTCOffsetS, Kind: kind, Direction: r.Direction, Outcome: r.Outcome,
		Seconds: seconds, Antenna: r.Antenna(), Counterpart: r.Counterpart,
	}
	t.Week = event.WeekOf(c.OccurredAt)
	t.Entry = entryID(original, &t.report)
	if r.IsContact() {
		t.Contact = r.Counterpart
	}
}

// entryID is the first 8 bytes of SHA-256(report id, kind, direction, counterpart, occurred_at). What
// cannot be amended is part of it, so that an amendment which changes it is another report, in
// whatever order the two come. 64 bits are per subject and week: see COMMIT.md 8 on 32 bits.
func entryID(original event.ID, e *Entry) (id EntryID) {
	var buf [128]byte
	b := append(buf[:0], original[:]...)
	b = append(b, byte(e.Kind), byte(e.Direction))
	b = append(b, e.Counterpart...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(e.StartMs))
	sum := sha256.Sum256(b)
	copy(id[:], sum[:])
	return id
}

// supersedes tells whether an amendment holds against what the timeline has: the highest
// (revision, event id) wins.
func (e *Entry) supersedes(old *Entry) bool {
	if e.Revision != old.Revision {
		return e.Revision > old.Revision
	}
	return bytes.Compare(e.Amendment[:], old.Amendment[:]) > 0
}

// Amends tells whether the event amends a report, so that folding it needs what the timeline holds.
func (t *Touch) Amends() bool { return t.amendment }
