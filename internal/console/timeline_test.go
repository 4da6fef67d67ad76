package console_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/internal/console"
	"switchboard/internal/event"
	folding "switchboard/internal/fold"
	"switchboard/internal/indicator"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/fixture"
)

const (
	hourMs = int64(time.Hour / time.Millisecond)
	weekMs = 7 * 24 * hourMs
)

// counting is a console that counts the reports it reads.
func counting(t *testing.T, addr string) (c *console.Console, l *fixture.Lane, read *int) {
	t.Helper()
	_, client := open(t, addr, 1)
	reader := client.Reader(fixture.Topic, 1)
	p, read := ports(reader), new(int)
	p.Timeline = func(ctx context.Context, id event.Subject, choose func([]view.WeekCount) []view.WeekCount, each func(folding.EntryID, *folding.Entry) error, again func()) (view.Reading, error) {
		return reader.Timeline(ctx, id, choose, func(id folding.EntryID, e *folding.Entry) error {
			*read++
			return each(id, e)
		}, again)
	}
	return console.New(p), lane(t, client, 0, 1, "g"), read
}

// callAt is a call at a local time.
func callAt(startMs int64, offsetS int32, counterpart string) event.Event {
	e := fixture.Call("alice", counterpart, 0, 1).(*event.CallReported)
	e.OccurredAt, e.UTCOffsetS = startMs, offsetS
	e.ID = event.IDOf(e)
	return e
}

// TestLastReports: with a limit the answer is the end of the one without, whatever the period, the offsets and the limit; and it is
// read from fewer reports. Half of the reports and bounds are within a day of a border of weeks.
func TestLastReports(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c, l, read := counting(t, backend.EmbeddedRedis(t))
			r := rand.New(rand.NewPCG(seed, 1))
			const weeks = 9
			instant := func() int64 {
				if r.IntN(2) == 0 {
					return fixture.Monday + r.Int64N(weeks*weekMs)
				}
				return fixture.Monday + r.Int64N(weeks+1)*weekMs + []int64{0, -1, 1, r.Int64N(49*hourMs) - 24*hourMs}[r.IntN(4)]
			}
			var list []event.Event
			for i := range []int{40, 400, 7000}[seed] { // 7000: a long timeline
				list = append(list, callAt(instant(), int32(r.IntN(2*18*3600+1)-18*3600), fmt.Sprint("c", i)))
			}
			fold(l, list)
			bound := func() string {
				at := time.UnixMilli(instant()).UTC()
				return []string{"", at.Format(time.DateOnly), at.Format(time.RFC3339Nano)}[r.IntN(3)]
			}
			readAll, readLast := 0, 0
			for range []int{60, 60, 15}[seed] {
				p, err := indicator.ParsePeriod(bound(), bound())
				if err != nil {
					continue // is empty
				}
				q := console.Query{Subject: "alice", Period: p}
				*read = 0
				all, err := c.Timeline(t.Context(), q)
				if err != nil || all.Total != len(all.Reports) {
					t.Fatalf("%s: %d reports of %d (%v)", p, len(all.Reports), all.Total, err)
				}
				whole := *read
				for _, limit := range []int{1, 1 + r.IntN(20), 1 + r.IntN(len(list)), max(all.Total, 1), all.Total + 1} {
					q.Limit, *read = limit, 0
					last, err := c.Timeline(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					if want := all.Reports[max(0, all.Total-limit):]; last.Total != all.Total || !reflect.DeepEqual(last.Reports, want) {
						t.Errorf("the last %d of %s: %d of %d, want %d of %d", limit, p, len(last.Reports), last.Total, len(want), all.Total)
					}
					if *read > whole {
						t.Errorf("the last %d of %s: %d reports read, %d without a limit", limit, p, *read, whole)
					}
					readAll, readLast = readAll+whole, readLast+*read
				}
			}
			t.Logf("%d reports read, %d without a limit", readLast, readAll)
		})
	}
}

// TestLastReportsReadFewWeeks: of ten weeks of ten reports only those are read that have the last ones, and those that the period cuts.
func TestLastReportsReadFewWeeks(t *testing.T) {
	c, l, read := counting(t, backend.EmbeddedRedis(t))
	var list []event.Event
	for i := range int64(100) {
		list = append(list, callAt(fixture.Monday+i/10*weekMs+i%10*16*hourMs, 0, "bob"))
	}
	fold(l, list)
	for _, of := range []struct {
		from, to          string
		limit, read, want int
	}{
		{"", "", 1, 10, 100},
		{"", "", 10, 10, 100},
		{"", "", 11, 20, 100},
		{"", "", 1000, 100, 100},
		{"", "", 0, 100, 100},
		{"2024-03-18T00:00:00Z", "", 5, 10, 80},           // nothing is cut
		{"2024-03-18", "", 5, 10 + 2*10, 80},              // W12 is cut by an offset, and so is W11
		{"2024-03-19", "", 5, 10 + 10, 78},                // W12 is cut
		{"", "2024-04-23T00:00:00Z", 5, 10 + 10, 72},      // W17 is cut, W16 is whole
		{"2024-03-19", "2024-04-23", 5, 10 + 10 + 10, 51}, // both
		{"2024-03-19", "2024-03-20T00:00:00Z", 5, 10, 1},  // nothing is whole
	} {
		*read = 0
		a, err := c.Timeline(t.Context(), console.Query{Subject: "alice", Period: period(t, of.from, of.to), Limit: of.limit})
		if err != nil || *read != of.read || a.Total != of.want {
			t.Errorf("the last %d from %q to %q: %d reports read, want %d; total %d, want %d (%v)", of.limit, of.from, of.to, *read, of.read, a.Total, of.want, err)
		}
	}
}

// TestLastReportsOfAMovingSubject: while reports come, later ones and earlier ones, an answer that names one position is that of it.
func TestLastReportsOfAMovingSubject(t *testing.T) {
	_, client := open(t, backend.EmbeddedRedis(t), 1)
	c := console.New(ports(client.Reader(fixture.Topic, 1)))
	l := lane(t, client, 0, 1, "g")
	// The report at an offset: by turns the latest and the earliest of all.
	startMs := func(offset int) int64 {
		return fixture.Monday + int64(offset)*[]int64{1, -1}[offset%2]*5*hourMs
	}
	l.Fold(callAt(startMs(0), 0, "bob"))
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; !stop.Load(); i++ {
			l.Fold(callAt(startMs(i), 0, "bob"))
		}
	}()
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		a, err := c.Timeline(t.Context(), console.Query{Subject: "alice", Limit: 3})
		if err != nil {
			t.Error(err)
			break
		}
		latest := int(a.At) - int(a.At)%2
		if a.AtEnd == nil && (a.Total != int(a.At)+1 || a.Reports[len(a.Reports)-1].StartMs != startMs(latest)) {
			t.Errorf("at %d: %d reports, the last of %d, want %d", a.At, a.Total, a.Reports[len(a.Reports)-1].StartMs, startMs(latest))
			break
		}
	}
	stop.Store(true)
	<-done
}

// TestLastReportsSayThatTheyMoved: a long answer about a subject that never stands still names both positions, at the third attempt, and
// counts the weeks that it passed over as they were at the first of them.
func TestLastReportsSayThatTheyMoved(t *testing.T) {
	_, client := open(t, backend.EmbeddedRedis(t), 1)
	reader := client.Reader(fixture.Topic, 1)
	l := lane(t, client, 0, 1, "g")
	var list []event.Event
	for i := range int64(9000) {
		list = append(list, callAt(fixture.Monday+i/3000*weekMs+i%3000*1000, 0, "bob"))
	}
	fold(l, list)
	p, attempts, delivered := ports(reader), 1, 0
	p.Timeline = func(ctx context.Context, id event.Subject, choose func([]view.WeekCount) []view.WeekCount, each func(folding.EntryID, *folding.Entry) error, again func()) (view.Reading, error) {
		return reader.Timeline(ctx, id, choose, func(id folding.EntryID, e *folding.Entry) error {
			if delivered++; delivered == 1 {
				l.Fold(callAt(fixture.Monday+int64(attempts)*1000+500, 0, "bob")) // in the first week
			}
			return each(id, e)
		}, func() { attempts, delivered = attempts+1, 0; again() })
	}
	a, err := console.New(p).Timeline(t.Context(), console.Query{Subject: "alice", Limit: 4000})
	if err != nil || attempts != 3 || delivered != 6000 || len(a.Reports) != 4000 {
		t.Fatalf("%d attempts, %d reports read (%v)", attempts, delivered, err)
	}
	if a.At != 9001 || a.AtEnd == nil || *a.AtEnd != 9002 || a.Total != 9002 {
		t.Errorf("%d reports, at %d to %v", a.Total, a.At, a.AtEnd)
	}
}
