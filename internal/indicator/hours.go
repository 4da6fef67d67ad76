package indicator

import (
	"iter"
	"slices"

	"switchboard/internal/event"
)

// Channel is a row of the hour-of-week matrix, by bandicoot's number.
type Channel uint8

// The channels. Contacts are distinct within one hour of one week, by calls or texts; seconds are of calls.
const (
	ContactsIn Channel = iota
	ContactsOut
	CallsIn
	CallsOut
	TextsIn
	TextsOut
	SecondsIn
	SecondsOut
	channels
)

var channelNames = [channels]string{
	"contacts_in", "contacts_out", "calls_in", "calls_out", "texts_in", "texts_out", "seconds_in", "seconds_out",
}

func (c Channel) String() string { return channelNames[c] }

// Channels are all of them, in bandicoot's order.
func Channels() []Channel {
	return []Channel{ContactsIn, ContactsOut, CallsIn, CallsOut, TextsIn, TextsOut, SecondsIn, SecondsOut}
}

// Matrix is the eight channels by weekday (0 is Monday) and local hour.
type Matrix [channels][7][24]int64

// WeekMatrix is the matrix of one local ISO week.
type WeekMatrix struct {
	Week event.Week // named as the UTC weeks are, but local
	Matrix
}

// Cell is a value of a matrix that is not 0.
type Cell struct {
	Channel       Channel
	Weekday, Hour int
	Value         int64
}

// Cells yields what is not 0, by channel, weekday and hour, as bandicoot's weekmatrix has it.
func (m *Matrix) Cells() iter.Seq[Cell] {
	return func(yield func(Cell) bool) {
		for c := range m {
			for d := range m[c] {
				for h, v := range m[c][d] {
					if v != 0 && !yield(Cell{Channel(c), d, h, v}) {
						return
					}
				}
			}
		}
	}
}

// SumHours adds the weeks up. Each contact channel is then the sum of weekly numbers of distinct contacts: one
// contact called at the same hour of two weeks counts twice.
func SumHours(weeks []WeekMatrix) Matrix {
	var sum Matrix
	for i := range weeks {
		for cell := range weeks[i].Cells() {
			sum[cell.Channel][cell.Weekday][cell.Hour] += cell.Value
		}
	}
	return sum
}

// HourOfWeek computes the matrix of every local ISO week that has a report, in order
// (bandicoot weekmatrix.create_weekmatrices). A call's seconds are split at the hour's edges, counted from its
// start in whole seconds; what passes Sunday midnight wraps to Monday 00 of the same week.
func HourOfWeek(reports []Report) []WeekMatrix {
	t := newTimeline(reports)
	var weeks []WeekMatrix
	t.parts(row.week, func(week int64, part *timeline) {
		weeks = append(weeks, WeekMatrix{Week: weekName(week)})
		weeks[len(weeks)-1].fill(part)
	})
	return weeks
}

const (
	hourS       = 60 * 60
	hoursOfWeek = 7 * 24
)

func (m *Matrix) fill(t *timeline) {
	var met []int64 // hour of week, direction and contact, once for each report
	for i := range t.rows {
		r := &t.rows[i]
		local := floorDiv(r.localMs(), 1000)
		second := local - r.week()*7*24*hourS + 3*24*hourS // of the week
		hour := int(second / hourS)
		direction := count(r.class.is(isOut))
		met = append(met, int64(2*hour+direction)<<32|int64(r.contact))
		if r.class.is(isText) {
			*m.at(TextsIn+Channel(direction), hour)++
			continue
		}
		*m.at(CallsIn+Channel(direction), hour)++
		m.spread(SecondsIn+Channel(direction), hour, hourS-second%hourS, r.seconds)
	}
	slices.Sort(met)
	for _, key := range slices.Compact(met) {
		slot := int(key >> 32)
		*m.at(ContactsIn+Channel(slot%2), slot/2)++
	}
}

// spread gives the first hour what is left of it, and each hour after it at most an hour. Whole weeks of a
// longer call are added to every hour at once.
func (m *Matrix) spread(c Channel, hour int, left, seconds int64) {
	if weeks := seconds / (hoursOfWeek * hourS); weeks > 0 {
		for h := range hoursOfWeek {
			*m.at(c, h) += weeks * hourS
		}
		seconds -= weeks * hoursOfWeek * hourS
	}
	for ; seconds > 0; hour++ {
		part := min(left, seconds)
		*m.at(c, hour%hoursOfWeek) += part
		seconds -= part
		left = hourS
	}
}

func (m *Matrix) at(c Channel, hour int) *int64 { return &m[c][hour/24][hour%24] }
