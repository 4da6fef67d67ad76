package indicator

// WeekPart is a part of the local week.
type WeekPart uint8

// The parts of the week, in bandicoot's order. The weekend is Saturday and Sunday.
const (
	AllWeek WeekPart = iota
	Weekday
	Weekend
)

// DayPart is a part of the local day.
type DayPart uint8

// The parts of the day, in bandicoot's order. Night is 19:00 to 07:00, both edges night.
const (
	AllDay DayPart = iota
	Day
	Night
)

// Interaction is the kind of report an indicator looks at.
type Interaction uint8

// The interactions, in bandicoot's order. Place is no filter: the indicators of places look at every report
// and have no interaction in their key.
const (
	Call Interaction = iota
	Text
	CallAndText
	Place
)

// Split names a subset of a subscriber's reports. The zero value is all calls.
type Split struct {
	Week WeekPart
	Day  DayPart
	Of   Interaction
}

var (
	weekPartNames    = [...]string{"allweek", "weekday", "weekend"}
	dayPartNames     = [...]string{"allday", "day", "night"}
	interactionNames = [...]string{"call", "text", "callandtext", ""}
)

func (w WeekPart) String() string    { return weekPartNames[w] }
func (d DayPart) String() string     { return dayPartNames[d] }
func (i Interaction) String() string { return interactionNames[i] }

// String is the split as it stands in bandicoot's keys: allweek__allday__call, for places allweek__allday.
func (s Split) String() string {
	key := s.Week.String() + "__" + s.Day.String()
	if s.Of != Place {
		key += "__" + s.Of.String()
	}
	return key
}

// filter tells which rows belong to a split: those whose class has these values of these bits
// (bandicoot helper.group.filter_user).
type filter struct{ bits, values class }

func (f filter) holds(r *row) bool { return r.class&f.bits == f.values }

func (s Split) filter() filter {
	var f filter
	want := func(bit class, set bool) {
		f.bits |= bit
		f.values |= classOf(set, bit)
	}
	if s.Week != AllWeek {
		want(isWeekend, s.Week == Weekend)
	}
	if s.Day != AllDay {
		want(isNight, s.Day == Night)
	}
	if s.Of == Call || s.Of == Text {
		want(isText, s.Of == Text)
	}
	return f
}

// weekAndDay are the nine splits by week and day, in bandicoot's order.
func weekAndDay(each func(WeekPart, DayPart)) {
	for w := AllWeek; w <= Weekend; w++ {
		for d := AllDay; d <= Night; d++ {
			each(w, d)
		}
	}
}
