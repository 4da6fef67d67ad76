package oracle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/indicator"
	"switchboard/tests/backend"
)

// truth is a generated subscriber: the events, in an order that means nothing, and what has happened after all. It never asks
// internal/fold what an amendment does.
type truth struct {
	subject event.Subject
	events  []event.Event
	reports []indicator.Report // as they finally hold; withheld ones without a contact
	shape   shape
}

// shape counts what the events were like, so that a new seed cannot lose what they are for.
type shape struct {
	originals, missing, amendments, texts, withheld, rivals, moved int
	amended                                                        int // reports that an amendment holds
}

// generate makes about n reports over ten weeks. Four in ten are amended, up to four times; of those three in ten have no original.
func generate(seed uint64, subject event.Subject, n int) *truth {
	g := &generator{truth: &truth{subject: subject}, Rand: rand.New(rand.NewPCG(seed, 3)), holds: map[string]*statement{}}
	at := int64(1_420_000_000_000) + g.Int64N(86_400)*1000
	for range n {
		if g.IntN(3) == 0 {
			at += 1000 * (1 + g.Int64N(300)) // a conversation
		} else {
			at += 1000 * (301 + g.Int64N(80_000))
		}
		g.report(at)
	}
	g.Shuffle(len(g.events), func(i, j int) { g.events[i], g.events[j] = g.events[j], g.events[i] })
	for _, s := range g.holds { // order-free: sorted below
		g.reports = append(g.reports, s.final())
		if s.revision > 0 {
			g.shape.amended++
		}
	}
	slices.SortFunc(g.reports, func(a, b indicator.Report) int { return cmp.Compare(a.StartMs, b.StartMs) })
	for i := range g.reports {
		if i > 0 && g.reports[i].StartMs == g.reports[i-1].StartMs {
			panic("two reports of one instant: their order would be in doubt")
		}
		binary.BigEndian.PutUint64(g.reports[i].ID[:], uint64(i))
	}
	return g.truth
}

type generator struct {
	*truth
	*rand.Rand
	holds map[string]*statement // by what cannot be amended
}

// statement is one report as somebody said it was.
type statement struct {
	common   event.Common
	report   event.Report
	kind     event.Kind
	seconds  int32
	revision int32 // 0: the original
	id       event.ID
}

func (g *generator) report(at int64) {
	s := statement{kind: event.Call, common: event.Common{Subject: g.subject, OccurredAt: at}}
	s.report = event.Report{Direction: event.Direction(1 + g.IntN(2)), Counterpart: fmt.Sprint("contact-", g.IntN(14))}
	if g.IntN(3) == 0 {
		s.kind = event.Text
		g.shape.texts++
	}
	if g.IntN(25) == 0 {
		s.report.Counterpart = event.Withheld
		g.shape.withheld++
	}
	g.vary(&s)
	original := s.original()
	revisions := 0
	if g.IntN(10) < 4 {
		revisions = 1 + g.IntN(4)
	}
	if revisions > 0 && g.IntN(10) < 3 {
		g.shape.missing++
	} else {
		g.shape.originals++
		g.say(s, original, original)
	}
	for range revisions {
		g.vary(&s)
		before := s.revision
		s.revision = 1 + int32(g.IntN(3)) // often the same one twice, with another content: the higher id holds
		if s.revision == before {
			g.shape.rivals++
		}
		g.say(s, original, s.amending(original))
	}
	if revisions > 0 && g.IntN(6) == 0 { // an amendment that moves the start is another report
		g.shape.moved++
		s.common.OccurredAt -= 1 + g.Int64N(999)
		g.vary(&s)
		g.say(s, original, s.amending(original))
	}
}

// vary changes what may be amended.
func (g *generator) vary(s *statement) {
	s.report.AntennaID = fmt.Sprint("antenna-", g.IntN(7))
	if g.IntN(10) == 0 {
		s.report.AntennaID = ""
	}
	s.common.UTCOffsetS = []int32{19_800, 19_800, 19_800, 12_600}[g.IntN(4)]
	if s.kind == event.Call {
		s.report.Outcome = event.Answered
		if s.seconds = int32(g.IntN(9000)); g.IntN(8) == 0 {
			s.seconds, s.report.Outcome = 0, event.Missed
		}
	}
}

func (s *statement) original() event.Event {
	var e event.Event = &event.CallReported{Common: s.common, Report: s.report, CallDetails: event.CallDetails{DurationS: s.seconds}}
	if s.kind == event.Text {
		e = &event.TextReported{Common: s.common, Report: s.report}
	}
	e.Envelope().ID = event.IDOf(e)
	return e
}

func (s *statement) amending(original event.Event) event.Event {
	e := &event.CallReportAmended{
		Common: s.common, Report: s.report, CallDetails: event.CallDetails{DurationS: s.seconds}, Kind: s.kind, Amends: original.Envelope().ID, Revision: s.revision,
	}
	e.ID = event.IDOf(e)
	return e
}

// say makes the statement an event, and keeps the one that holds: the highest (revision, event id).
func (g *generator) say(s statement, original, e event.Event) {
	s.id = e.Envelope().ID
	g.events = append(g.events, e)
	if s.revision > 0 {
		g.shape.amendments++
	}
	key := fmt.Sprint(original.Envelope().ID, s.kind, s.report.Direction, s.report.Counterpart, s.common.OccurredAt)
	old := g.holds[key]
	if old == nil || cmp.Or(cmp.Compare(s.revision, old.revision), bytes.Compare(s.id[:], old.id[:])) > 0 {
		g.holds[key] = &s
	}
}

func (s *statement) final() indicator.Report {
	r := indicator.Report{
		StartMs: s.common.OccurredAt, OffsetS: s.common.UTCOffsetS, Kind: s.kind, Direction: s.report.Direction, Seconds: int64(s.seconds), Antenna: s.report.AntennaID,
	}
	if s.report.Counterpart != event.Withheld {
		r.Contact = s.report.Counterpart
	}
	return r
}

// compareTruth holds every answer about a generated subscriber against what is computed from the truth.
func (c *comparison) compareTruth(t *testing.T, answers *console.Console, truth *truth) {
	t.Helper()
	q := console.Query{Subject: truth.subject, All: true, ByWeek: true}
	got, err := answers.Indicators(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	options := indicator.Options{Combined: true}
	want := indicator.Compute(truth.reports, options)
	c.same(t, truth.subject, "indicators", got.Indicators, console.Flat{Table: want})
	c.count("amended: indicators", want.Len())
	weeks := indicator.ByWeek(truth.reports, options)
	if len(got.Weeks) != len(weeks) {
		t.Fatalf("%s: %d weeks, want %d", truth.subject, len(got.Weeks), len(weeks))
	}
	for i, week := range weeks {
		if got.Weeks[i].Week != string(week.Week) {
			t.Errorf("%s: week %d is %s, want %s", truth.subject, i, got.Weeks[i].Week, week.Week)
		}
		c.same(t, truth.subject, string(week.Week), got.Weeks[i].Indicators, console.Flat{Table: week.Table})
		c.count("amended: indicators by week", week.Len())
	}
	c.compareTrueDays(t, answers, truth)
	c.compareTrueCard(t, answers, truth)
}

func (c *comparison) compareTrueDays(t *testing.T, answers *console.Console, truth *truth) {
	t.Helper()
	days, err := answers.Days(t.Context(), console.Query{Subject: truth.subject})
	if err != nil {
		t.Fatal(err)
	}
	want := indicator.Daily(truth.reports)
	for i, s := range want.Series {
		c.same(t, truth.subject, "days", days.Series[i], console.DaySeries(s))
		c.count("amended: days of series", s.Days())
	}
	hours, err := answers.Hours(t.Context(), console.Query{Subject: truth.subject, ByWeek: true})
	if err != nil {
		t.Fatal(err)
	}
	var cells []string
	for _, week := range indicator.HourOfWeek(truth.reports) {
		for cell := range week.Cells() {
			cells = append(cells, fmt.Sprintf("%s %d %d %d %d", week.Week, cell.Channel, cell.Weekday, cell.Hour, cell.Value))
		}
	}
	c.cells(t, truth.subject, hours, cells)
}

func (c *comparison) compareTrueCard(t *testing.T, answers *console.Console, truth *truth) {
	t.Helper()
	card, err := answers.Card(t.Context(), console.Query{Subject: truth.subject})
	if err != nil {
		t.Fatal(err)
	}
	var want console.Figures
	contacts := map[string]bool{}
	withheld := int64(0)
	for _, r := range truth.reports {
		counts := []*int64{&want.CallsIn, &want.CallsOut, &want.TextsIn, &want.TextsOut}
		*counts[2*(int(r.Kind)-int(event.Call))+int(r.Direction)-int(event.In)]++
		if r.Direction == event.In {
			want.SecondsIn += r.Seconds
		} else {
			want.SecondsOut += r.Seconds
		}
		if r.Contact == "" {
			withheld++
		} else {
			contacts[r.Contact] = true
		}
	}
	want.FirstMs, want.LastMs = truth.reports[0].StartMs, truth.reports[len(truth.reports)-1].StartMs
	want.FirstAt, want.LastAt = card.FirstAt, card.LastAt
	c.same(t, truth.subject, "card", card.Figures, want)
	c.same(t, truth.subject, "contacts, withheld, amended of the card", []int64{card.Contacts, card.Withheld, card.Amended}, []int64{int64(len(contacts)), withheld, int64(truth.shape.amended)})
	c.count("amended: figures of cards", 11)
}

// same holds two values equal to the last bit, as JSON.
func (c *comparison) same(t *testing.T, of event.Subject, what string, got, want any) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(g, w) {
		t.Errorf("%s: %s:\ngot  %.2000s\nwant %.2000s", of, what, g, w)
	}
}

// TestAmendmentsInAnyOrder sends revisions out of order, before their originals and without them.
func TestAmendmentsInAnyOrder(t *testing.T) {
	subjects, reports := 4, 150
	if long() {
		subjects, reports = 20, 600
	}
	var all shape
	var truths []*truth
	var events []event.Event
	for i := range subjects {
		truth := generate(uint64(100+i), event.Subject(fmt.Sprint("+4477009000", 10+i)), reports)
		truths, events = append(truths, truth), append(events, truth.events...)
		all.add(truth.shape)
	}
	if s := all; s.missing < 20 || s.amendments < 300 || s.rivals < 50 || s.withheld < 5 || s.moved < 10 || s.texts < 100 {
		t.Fatalf("the amendments have lost what they are for: %+v", all)
	}
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		in := install(t, b)
		in.process()
		in.importFacts(disorder(7, events))
		in.postFacts(disorder(8, events)) // and all of it again, by the other door
		in.wait()
		c := &comparison{}
		answers := in.console()
		for _, truth := range truths {
			c.compareTruth(t, answers, truth)
		}
		t.Logf("%d events of %d subscribers, %+v: %s", len(events), len(truths), all, c)
	})
}

func (s *shape) add(o shape) {
	s.originals += o.originals
	s.missing += o.missing
	s.amendments += o.amendments
	s.texts += o.texts
	s.withheld += o.withheld
	s.rivals += o.rivals
	s.moved += o.moved
	s.amended += o.amended
}
