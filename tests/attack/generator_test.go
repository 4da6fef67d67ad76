package attack

import (
	"fmt"
	"math/rand/v2"

	"switchboard/internal/event"
)

// facts is about n random reports of a few hundred subscribers. With noise, 10 % are amendments, in any order and before their originals,
// and 5 % duplicates.
func facts(r *rand.Rand, n, subscribers int, noise bool) []event.Event {
	var list []event.Event
	seen := make(map[event.ID]bool)
	add := func(e event.Event) event.ID {
		id := event.IDOf(e)
		if seen[id] {
			return id
		}
		seen[id] = true
		e.Envelope().ID = id
		e.Envelope().Source = fmt.Sprint("attack", len(list)) // what came by another door is the same fact
		list = append(list, e)
		return id
	}
	for len(list) < n {
		c := event.Common{Subject: event.Subject(fmt.Sprintf("+4477009%05d", r.IntN(subscribers))), OccurredAt: 1_700_000_000_000 + r.Int64N(30*86400)*1000}
		report := event.Report{Counterpart: fmt.Sprintf("+4477008%05d", r.IntN(50)), Direction: event.Direction(1 + r.IntN(2)), Outcome: event.Answered, AntennaID: fmt.Sprint(r.IntN(9))}
		if r.IntN(4) == 0 {
			add(&event.TextReported{Common: c, Report: report})
			continue
		}
		d := event.CallDetails{DurationS: int32(r.IntN(600))}
		id := add(&event.CallReported{Common: c, Report: report, CallDetails: d})
		for noise && r.IntN(10) == 0 {
			d.DurationS = int32(r.IntN(600))
			add(&event.CallReportAmended{Common: c, Report: report, CallDetails: d, Kind: event.Call, Amends: id, Revision: int32(1 + r.IntN(3))})
		}
	}
	if noise {
		for range len(list) / 20 {
			list = append(list, list[r.IntN(len(list))])
		}
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
