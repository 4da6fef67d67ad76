package fold_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// history is random reports of one subscriber: calls and texts, withheld numbers, amendments with clashing revisions, before and after
// their originals, of originals that never come, and amendments that change what cannot be amended.
func history(r *rand.Rand, n int) []event.Event {
	var list []event.Event
	add := func(e event.Event) event.ID {
		e.Envelope().Subject = "s"
		id := event.IDOf(e)
		e.Envelope().ID = id
		list = append(list, e)
		return id
	}
	for range n {
		common := event.Common{OccurredAt: 1_700_000_000_000 + r.Int64N(30*86400)*1000, UTCOffsetS: int32(r.IntN(3)) * 1800}
		report := event.Report{Counterpart: fmt.Sprint("c", r.IntN(5)), Direction: event.Direction(1 + r.IntN(2)), Outcome: event.Outcome(r.IntN(8)), AntennaID: fmt.Sprint(r.IntN(3))}
		if r.IntN(10) == 0 {
			report.Counterpart = []string{"", event.Withheld}[r.IntN(2)]
		}
		details := event.CallDetails{DurationS: int32(r.IntN(100))}
		var original event.ID
		kind := event.Text
		if r.IntN(2) == 0 {
			kind = event.Call
			original = add(&event.CallReported{Common: common, Report: report, CallDetails: details})
		} else {
			details = event.CallDetails{}
			original = add(&event.TextReported{Common: common, Report: report})
		}
		if r.IntN(8) == 0 {
			list = list[:len(list)-1] // the original never comes
		}
		for range r.IntN(3) {
			a := &event.CallReportAmended{Common: common, Report: report, CallDetails: details, Kind: kind, Amends: original, Revision: int32(1 + r.IntN(3))}
			a.AntennaID = fmt.Sprint(r.IntN(9))
			if kind == event.Call {
				a.DurationS = int32(r.IntN(3)) * 50
			}
			if r.IntN(6) == 0 {
				a.Counterpart = "other"
			}
			add(a)
		}
	}
	return list
}

// reference is what the words of MODEL.md say, in the plainest way: group by what cannot be amended, let the highest (revision, id) win.
func reference(list []event.Event) (fold.Card, map[string]fold.Sums) {
	type key struct {
		id   event.ID
		kind event.Kind
		dir  event.Direction
		who  string
		at   int64
	}
	best := map[key]fold.Entry{}
	winner := map[key]string{}
	for _, e := range list {
		var k key
		var entry fold.Entry
		rank := "0"
		switch e := e.(type) {
		case *event.CallReported:
			k = key{e.ID, event.Call, e.Direction, e.Counterpart, e.OccurredAt}
			entry = fold.Entry{StartMs: e.OccurredAt, Seconds: int64(e.DurationS)}
		case *event.TextReported:
			k = key{e.ID, event.Text, e.Direction, e.Counterpart, e.OccurredAt}
			entry = fold.Entry{StartMs: e.OccurredAt}
		case *event.CallReportAmended:
			k = key{e.Amends, e.Kind, e.Direction, e.Counterpart, e.OccurredAt}
			entry = fold.Entry{StartMs: e.OccurredAt, Seconds: int64(e.DurationS), Revision: e.Revision}
			rank = fmt.Sprintf("%d%s", e.Revision, e.ID)
		}
		if rank > winner[k] {
			winner[k], best[k] = rank, entry
		}
	}
	var card fold.Card
	contacts := map[string]fold.Sums{}
	for k, e := range best {
		add := func(s *fold.Sums) {
			if s.Reports() == 0 {
				s.FirstMs, s.LastMs = e.StartMs, e.StartMs
			}
			s.FirstMs, s.LastMs = min(s.FirstMs, e.StartMs), max(s.LastMs, e.StartMs)
			count := map[string]*int64{"call1": &s.CallsIn, "call2": &s.CallsOut, "text1": &s.TextsIn, "text2": &s.TextsOut}
			*count[k.kind.String()+fmt.Sprint(int(k.dir))]++
			if k.dir == event.In {
				s.SecondsIn += e.Seconds
			} else {
				s.SecondsOut += e.Seconds
			}
		}
		add(&card.Sums)
		if e.Revision > 0 {
			card.Amended++
		}
		if k.who == "" || k.who == event.Withheld {
			card.Withheld++
			continue
		}
		c := contacts[k.who]
		add(&c)
		contacts[k.who] = c
	}
	card.Contacts = int64(len(contacts))
	return card, contacts
}

func foldAll(list []event.Event) *fold.Subscriber {
	s := fold.NewSubscriber(fold.Options{Contacts: true, Timeline: true})
	s.AllContacts = true
	for i, e := range list {
		t, ok := fold.TouchOf(e)
		if !ok {
			panic(e.Type())
		}
		s.Week(t.Week).Whole = true
		s.Fold(int64(i), &t)
	}
	return s
}

//fault:k14 any order, any duplicates
func TestFoldIsOrderFreeAndExact(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		list := history(r, 1+r.IntN(40))
		card, contacts := reference(list)
		for range 4 {
			shuffled := slices.Clone(list)
			for _, e := range list {
				if r.IntN(10) == 0 {
					shuffled = append(shuffled, e)
				}
			}
			r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			s := foldAll(shuffled)
			got := s.Card
			got.Duplicates = 0
			if got != card {
				t.Fatalf("seed %d:\n got %+v\nwant %+v", seed, got, card)
			}
			sums := map[string]fold.Sums{}
			for name, c := range s.Contacts {
				sums[name] = c.Sums
			}
			if !maps.Equal(sums, contacts) {
				t.Fatalf("seed %d: contacts\n got %v\nwant %v", seed, sums, contacts)
			}
		}
	}
}

// Noise: everything that is not content changes nothing.
//
//fault:h8 the fold reads nothing but content
func TestFoldReadsContentOnly(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	list := history(r, 50)
	want := foldAll(list)
	for _, e := range list {
		c := e.Envelope()
		c.RecordedAt, c.Source, c.Reporter, c.NativeID, c.Batch, c.Attempt = r.Int64(), "a", "b", "c", "d", 5
		c.Actor, c.Reason, c.CorrelationID, c.CausationID = "e", "f", "g", "h"
	}
	if got := foldAll(list); got.Card != want.Card {
		t.Errorf("got %+v, want %+v", got.Card, want.Card)
	}
}

func TestFoldSkipsWhatIsFolded(t *testing.T) {
	list := history(rand.New(rand.NewPCG(3, 3)), 30)
	s := foldAll(list)
	before := s.Card
	for i, e := range list {
		touch, _ := fold.TouchOf(e)
		s.Fold(int64(i), &touch)
	}
	if s.Card != before {
		t.Errorf("folding again changed %+v to %+v", before, s.Card)
	}
}

func TestEveryEventHasAFoldCase(t *testing.T) {
	for _, e := range event.Types() {
		_, report := fold.TouchOf(e)
		if device := fold.NewDevice(true).Fold(0, e); report != (e.About() == event.Subscribers) || device != (e.About() == event.Devices) {
			t.Errorf("%s is about %s; folded as a report: %t, of a device: %t", e.Type(), e.About(), report, device)
		}
	}
}
