package indicator

import (
	"cmp"
	"encoding/binary"
	"slices"

	"switchboard/internal/event"
)

// Report is one call or text as its reporter saw it.
type Report struct {
	StartMs   int64 // instant, Unix milliseconds
	OffsetS   int32 // seconds east of UTC at that instant, for everything that is local
	Kind      event.Kind
	Direction event.Direction
	Seconds   int64   // duration of a call, 0 for texts; less than 0 counts as 0
	Contact   string  // a report without one is ignored, as bandicoot ignores it (io.filter_record)
	Antenna   string  // "" is unknown
	ID        [8]byte // orders reports of one instant
}

// comparable tells whether bandicoot would load the report (io.filter_record).
func (r *Report) comparable() bool {
	return r.Contact != "" && (r.Kind == event.Call || r.Kind == event.Text) &&
		(r.Direction == event.In || r.Direction == event.Out)
}

// row is a report made compact: 40 bytes without pointers.
type row struct {
	start   int64
	id      uint64
	seconds int64
	offset  int32
	contact int32
	antenna int32
	class   class
}

// class is what splits ask of a report.
type class uint8

const (
	isText class = 1 << iota
	isOut
	isNight
	isWeekend
)

func (c class) is(what class) bool { return c&what != 0 }

func classOf(is bool, c class) class {
	if is {
		return c
	}
	return 0
}

const (
	dayMs      = 24 * 60 * 60 * 1000
	halfHourMs = 30 * 60 * 1000
	nightEndMs = 7 * 60 * 60 * 1000 // night is 19:00 to 07:00, both edges night (bandicoot User.night_start, night_end)
	nightMs    = 19 * 60 * 60 * 1000
)

func (r row) localMs() int64 { return localMs(r.start, r.offset) }

// day counts local days since 1970-01-01.
func (r row) day() int64 { return floorDiv(r.localMs(), dayMs) }

// week counts local ISO weeks since that of 1970-01-01.
func (r row) week() int64 { return weekOfDay(r.day()) }

func localMs(startMs int64, offsetS int32) int64 { return startMs + int64(offsetS)*1000 }

func weekOfDay(day int64) int64 { return floorDiv(day+3, 7) } // 1970-01-01 was a Thursday

func weekdayOf(day int64) int64 { return day + 3 - 7*weekOfDay(day) } // 0 is Monday

// weekName is the ISO name of a week, by the same calendar as event.WeekOf.
func weekName(week int64) event.Week { return event.WeekOf((week*7 - 3) * dayMs) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// timeline is a subscriber's reports in order of time, interned once, with a second order by contact.
type timeline struct {
	rows      []row // by start, id
	byContact []row // the same by contact, then time: a copy, because walking it by index missed the cache 54 times a report
	contacts  []string
	antennas  []string
	ignored   int
}

func newTimeline(reports []Report) *timeline {
	t := &timeline{rows: make([]row, 0, len(reports))}
	contacts, antennas := map[string]int32{}, map[string]int32{}
	for i := range reports {
		r := &reports[i]
		if !r.comparable() {
			t.ignored++
			continue
		}
		local := localMs(r.StartMs, r.OffsetS)
		day := floorDiv(local, dayMs)
		clock := local - day*dayMs
		t.rows = append(t.rows, row{
			start: r.StartMs, id: binary.BigEndian.Uint64(r.ID[:]), seconds: max(r.Seconds, 0), offset: r.OffsetS,
			contact: intern(contacts, &t.contacts, r.Contact), antenna: intern(antennas, &t.antennas, r.Antenna),
			class: classOf(r.Kind == event.Text, isText) | classOf(r.Direction == event.Out, isOut) |
				classOf(clock <= nightEndMs || clock >= nightMs, isNight) | classOf(weekdayOf(day) >= 5, isWeekend),
		})
	}
	if !slices.IsSortedFunc(t.rows, t.compare) {
		slices.SortFunc(t.rows, t.compare)
	}
	t.groupByContact()
	return t
}

func intern(index map[string]int32, names *[]string, name string) int32 {
	n, ok := index[name]
	if !ok {
		n = int32(len(*names))
		index[name] = n
		*names = append(*names, name)
	}
	return n
}

// compare orders by instant, then id. Beyond that only content is left, so that even an id given twice
// leaves nothing to the order of input.
func (t *timeline) compare(a, b row) int {
	if c := cmp.Compare(a.start, b.start); c != 0 {
		return c
	}
	if c := cmp.Compare(a.id, b.id); c != 0 {
		return c
	}
	return cmp.Or(
		cmp.Compare(t.contacts[a.contact], t.contacts[b.contact]), cmp.Compare(a.class, b.class),
		cmp.Compare(a.seconds, b.seconds), cmp.Compare(t.antennas[a.antenna], t.antennas[b.antenna]), cmp.Compare(a.offset, b.offset))
}

// groupByContact is a counting sort: stable, so each contact's rows stay in order of time.
func (t *timeline) groupByContact() {
	next := make([]int32, len(t.contacts)+1)
	for i := range t.rows {
		next[t.rows[i].contact+1]++
	}
	for c := range t.contacts {
		next[c+1] += next[c]
	}
	t.byContact = make([]row, len(t.rows))
	for i := range t.rows {
		c := t.rows[i].contact
		t.byContact[next[c]] = t.rows[i]
		next[c]++
	}
}

// parts cuts the timeline into the parts that share a number (a local day, a local week), in ascending order of it.
// Each part numbers its contacts anew, so that its cost is its own length; antennas keep their numbers.
func (t *timeline) parts(number func(row) int64, each func(number int64, part *timeline)) {
	rows := slices.Clone(t.rows)
	byNumber := func(a, b row) int { return cmp.Compare(number(a), number(b)) }
	if !slices.IsSortedFunc(rows, byNumber) { // offsets differ: local time is not in the order of instants
		slices.SortStableFunc(rows, byNumber)
	}
	renumbered := make([]int32, len(t.contacts)) // number in the part + 1
	for len(rows) > 0 {
		n, end := number(rows[0]), 1
		for end < len(rows) && number(rows[end]) == n {
			end++
		}
		part := &timeline{rows: rows[:end], antennas: t.antennas}
		var old []int32
		for i := range part.rows {
			c := part.rows[i].contact
			if renumbered[c] == 0 {
				old = append(old, c)
				part.contacts = append(part.contacts, t.contacts[c])
				renumbered[c] = int32(len(old))
			}
			part.rows[i].contact = renumbered[c] - 1
		}
		part.groupByContact()
		each(n, part)
		for _, c := range old {
			renumbered[c] = 0
		}
		rows = rows[end:]
	}
}
