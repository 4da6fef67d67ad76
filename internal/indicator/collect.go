package indicator

import "slices"

// subset is what the reports of one split come to: counts and samples, from which every indicator is read. It is
// collected in two walks over the timeline; its memory serves the next split.
type subset struct {
	n           int // reports, for places half hours
	out, nights int

	dates        sample // local days, repeats possible
	gaps         sample // milliseconds between consecutive reports
	durations    sample // seconds of each report, for texts 0
	perContact   sample // reports of each contact
	perContactTo sample // outgoing ones of each contact, zeros too
	secondsWith  sample // seconds of each contact

	talk   talk
	places places
}

// sample is a list of values that is sorted when it is first read: most splits have no use for most lists.
type sample struct {
	values []int64
	sorted bool
}

func (s *sample) add(v int64) { s.values = append(s.values, v) }

func (s *sample) ascending() []int64 {
	if !s.sorted {
		slices.Sort(s.values)
		s.sorted = true
	}
	return s.values
}

func (s *sample) reset() { *s = sample{values: s.values[:0]} }

// collect fills the subset with what a split holds of a timeline.
func (s *subset) collect(t *timeline, split Split, home home) {
	for _, list := range []*sample{&s.dates, &s.gaps, &s.durations, &s.perContact, &s.perContactTo, &s.secondsWith, &s.talk.delays} {
		list.reset()
	}
	*s = subset{
		dates: s.dates, gaps: s.gaps, durations: s.durations, perContact: s.perContact, perContactTo: s.perContactTo,
		secondsWith: s.secondsWith, talk: talk{delays: s.talk.delays}, places: s.places,
	}
	if split.Of == Place {
		s.places.collect(t, split.filter(), home)
		s.n = s.places.total
		return
	}
	s.walkTime(t, split.filter())
	s.walkContacts(t, split.filter(), split.Of == CallAndText)
}

func (s *subset) walkTime(t *timeline, filter filter) {
	var last *row
	for i := range t.rows {
		r := &t.rows[i]
		if !filter.holds(r) {
			continue
		}
		s.n++
		s.out += count(r.class.is(isOut))
		s.nights += count(r.class.is(isNight))
		s.durations.add(r.seconds)
		if day := r.day(); len(s.dates.values) == 0 || s.dates.values[len(s.dates.values)-1] != day {
			s.dates.add(day)
		}
		if last != nil {
			s.gaps.add(r.start - last.start)
		}
		last = r
	}
}

func (s *subset) walkContacts(t *timeline, filter filter, withTalk bool) {
	var reports, to, seconds int64
	contact := int32(-1)
	end := func() {
		if reports > 0 {
			s.perContact.add(reports)
			s.perContactTo.add(to)
			s.secondsWith.add(seconds)
			s.talk.close()
		}
		reports, to, seconds = 0, 0, 0
	}
	for i := range t.byContact {
		r := &t.byContact[i]
		if !filter.holds(r) {
			continue
		}
		if r.contact != contact {
			end()
			contact = r.contact
		}
		reports++
		to += int64(count(r.class.is(isOut)))
		seconds += r.seconds
		if withTalk {
			s.talk.add(r)
		}
	}
	end()
}

// contacts is the number of distinct ones.
func (s *subset) contacts() int { return len(s.perContact.values) }

// days is the number of distinct local days.
func (s *subset) days() int { return len(slices.Compact(slices.Clone(s.dates.ascending()))) }

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
