package site

import (
	"fmt"
	"math/rand/v2"

	"switchboard/internal/event"
	"switchboard/internal/intake"
)

// Item is what a producer sends: one of the two.
type Item struct {
	Report *event.Submitted
	Device *event.DeviceSubmitted
	Fact   event.Event // what intake makes of it
}

// ID is that of the fact.
func (i *Item) ID() event.ID { return i.Fact.Envelope().ID }

// Items are endless and say the same each time: an item depends on the seed and its number alone, so that whoever wants to send it
// again, or to amend it, makes it again.
type Items struct {
	Seed        uint64
	Subscribers int
	DeviceCount int

	intake *intake.Intake
}

// NewItems are about so many subscribers and devices.
func NewItems(seed uint64, subscribers, devices int) (*Items, error) {
	in, err := intake.New(intake.Options{})
	return &Items{seed, subscribers, devices, in}, err
}

// At is item number n: of twenty, three amend a report, which may come later or never, and four are about devices.
func (g *Items) At(n uint64) Item {
	r := rand.New(rand.NewPCG(g.Seed, n))
	var i Item
	var err error
	switch {
	case n%20 == 3 || n%20 == 8 || n%20 == 13:
		of := r.Uint64N(n + 20)
		for !original(of) {
			of++
		}
		i.Report = g.report(of)
		amended := g.At(of)
		i.Report.Amends, i.Report.Revision = amended.ID().String(), int32(1+r.IntN(4))
		i.Report.DurationS, i.Report.Outcome = duration(r, i.Report.Kind), "answered"
	case n%5 == 0:
		i.Device = g.device(r, n)
	default:
		i.Report = g.report(n)
	}
	if i.Report != nil {
		i.Fact, err = g.intake.Accept(*i.Report)
	} else {
		i.Fact, err = g.intake.AcceptDevice(*i.Device)
	}
	if err != nil {
		panic(fmt.Sprintf("item %d of seed %d: %v", n, g.Seed, err))
	}
	return i
}

func original(n uint64) bool { return n%5 != 0 && n%20 != 3 && n%20 != 8 && n%20 != 13 }

var utc = int32(0)

// began is 2024-03-04T00:00:00Z.
const began = 1_709_510_400_000

func (g *Items) report(n uint64) *event.Submitted {
	r := rand.New(rand.NewPCG(g.Seed+1<<32, n))
	s := &event.Submitted{
		Kind: []string{"call", "call", "text"}[r.IntN(3)], Direction: []string{"in", "out"}[r.IntN(2)], UTCOffsetS: &utc,
		Subscriber: phone(r.IntN(g.Subscribers)), Counterpart: phone(r.IntN(3 * g.Subscribers)), StartedAt: began + r.Int64N(70*86_400)*1000,
		AntennaID: fmt.Sprint("a", r.IntN(20)), NativeID: fmt.Sprint(n),
	}
	if r.IntN(20) == 0 {
		s.Withheld, s.Counterpart = true, ""
	}
	s.DurationS = duration(r, s.Kind)
	return s
}

func duration(r *rand.Rand, kind string) int32 {
	if kind == "text" {
		return 0
	}
	return int32(r.IntN(1800))
}

func phone(n int) string { return fmt.Sprintf("+4477009%05d", n) }

func (g *Items) device(r *rand.Rand, n uint64) *event.DeviceSubmitted {
	name := func(k int) string { return fmt.Sprint("lamp-", k) }
	self := r.IntN(g.DeviceCount)
	seq := r.Int64N(50)
	d := &event.DeviceSubmitted{Device: name(self), OccurredAt: began + r.Int64N(70*86_400)*1000, UTCOffsetS: &utc, NativeID: fmt.Sprint(n)}
	switch r.IntN(5) {
	case 0:
		d.Kind, d.SessionID, d.SessionSeq, d.Model, d.Firmware = "connected", fmt.Sprint("session-", seq), &seq, fmt.Sprint("m", r.IntN(3)), fmt.Sprint(r.IntN(9))
	case 1:
		d.Kind, d.SessionID, d.SessionSeq, d.DisconnectReason = "disconnected", fmt.Sprint("session-", seq), &seq, "connection_lost"
	case 2:
		d.Kind, d.NewName = "renamed", fmt.Sprint("name ", r.IntN(30))
	case 3:
		d.Kind, d.OtherDeviceID = "linked", name(self+1+r.IntN(g.DeviceCount-1))
	default:
		d.Kind, d.OtherDeviceID = "unlinked", name(self+1+r.IntN(g.DeviceCount-1))
	}
	return d
}
