package intake

import (
	"sync"
	"time"
	_ "time/tzdata" // zones must be known on a machine without them too
)

const maxOffsetS = 18 * 3600

// zones remembers the zones that were named. Only names that exist are kept, so that it is bounded.
type zones struct{ byName sync.Map }

func (z *zones) load(name string) (*time.Location, bool) {
	if l, ok := z.byName.Load(name); ok {
		return l.(*time.Location), true
	}
	if name == "" || name == "Local" || len(name) > 64 {
		return nil, false
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil, false
	}
	z.byName.Store(name, l)
	return l, true
}

// offset is the offset at an instant (at names its field), in seconds east of UTC, from what was said of it: either, both or neither.
func (in *Intake) offset(ms int64, at string, said *int32, zone string, bad *Errors) (seconds int32, unknown bool) {
	if said != nil {
		seconds = *said
		bad.check("utc_offset_s", seconds >= -maxOffsetS && seconds <= maxOffsetS, "must be within 18 hours")
	}
	if zone == "" {
		return seconds, said == nil
	}
	l, ok := in.zones.load(zone)
	if !ok {
		bad.add("zone", "must be an IANA time zone, such as Europe/Berlin")
		return seconds, false
	}
	_, offset := time.UnixMilli(ms).In(l).Zone()
	if said != nil && int(seconds) != offset {
		bad.add("utc_offset_s", "must be the offset of zone at "+at+", or be left out")
	}
	return int32(offset), false
}

// wallTime is the instant and the offset at which clocks of a zone show a wall time, given as if
// it were UTC. Of two such instants, when clocks are set back, it is the first; for a wall time
// that clocks skip it is the one that a clock not yet set forward would show.
func wallTime(wall time.Time, l *time.Location) (instant time.Time, offset int) {
	_, before := wall.Add(-24 * time.Hour).In(l).Zone()
	_, after := wall.Add(24 * time.Hour).In(l).Zone()
	for _, o := range [...]int{max(before, after), min(before, after)} {
		t := wall.Add(-time.Duration(o) * time.Second)
		if _, there := t.In(l).Zone(); there == o {
			return t, o
		}
	}
	t := wall.Add(-time.Duration(before) * time.Second)
	_, offset = t.In(l).Zone()
	return t, offset
}
