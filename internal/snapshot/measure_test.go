package snapshot

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// TestMeasure prints what snapshots of a partition cost: SNAPSHOT_MEASURE=<subscribers of the partition> go test -v.
func TestMeasure(t *testing.T) {
	subscribers, err := strconv.Atoi(os.Getenv("SNAPSHOT_MEASURE"))
	if err != nil {
		t.Skip("only with SNAPSHOT_MEASURE=<subscribers>")
	}
	const weeks, perWeek, buckets = 3, 5, 7
	log := &synthetic{subscribers: subscribers}
	m := &memory{}
	b := &Builder{Source: m, Append: m.Append, Decode: log.decode, NewSubject: view.NewSubject, Now: time.Now}
	base := Empty(wallet{&event.CallReported{}}.identity(t), 0, buckets)
	for week := range weeks {
		log.week = week
		events := subscribers * perWeek
		tail := NewTail(buckets)
		var v [16]byte
		for i := range events {
			binary.BigEndian.PutUint64(v[:], uint64(base.Next)+uint64(i))
			binary.BigEndian.PutUint64(v[8:], uint64(week))
			id := log.subject(uint64(base.Next) + uint64(i))
			tail.Add(id, base.Next+int64(i), append(v[:], make([]byte, 130)...)) // a fact has about 146 bytes
		}
		stop, peak := make(chan struct{}), make(chan uint64)
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		go func() {
			var s runtime.MemStats
			top := uint64(0)
			for {
				select {
				case <-stop:
					peak <- top
					return
				case <-time.After(20 * time.Millisecond):
					runtime.ReadMemStats(&s)
					top = max(top, s.HeapInuse)
				}
			}
		}()
		began := time.Now()
		already := stored(m)
		next, w, err := b.Build(context.Background(), base, tail, Progress{Next: base.Next + int64(events), LeaderEpoch: -1})
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		close(stop)
		grown := stored(m) - already
		fmt.Printf("snapshot %d: %d events in %s (%.2f us each); wrote %d chunks, kept %d, %.1f MB; holds %.1f MB canonical, %.1f MB packed, manifest %d B; tail %.0f MB; bucket %.1f MB at most; heap +%.0f MB at most (of it %.0f MB the test's topic)\n",
			week+1, events, took.Round(time.Millisecond), float64(took.Microseconds())/float64(events), w.Chunks, w.Kept, mb(w.Bytes), mb(next.Size()), mb(next.Packed()), len(next.Encode()), mb(tail.Bytes()), mb(w.Peak), mb(int64(<-peak)-int64(before.HeapInuse)), mb(grown))
		base = next
	}
	began := time.Now()
	records, fields := 0, 0
	if err := base.Each(context.Background(), m, func(_ string, list []string) error { records++; fields += len(list) / 2; return nil }); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("read back: %d records, %d fields in %s\n", records, fields, time.Since(began).Round(time.Millisecond))
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

func stored(m *memory) (n int64) {
	for _, r := range m.records {
		n += int64(len(r.Value))
	}
	return n
}

// synthetic is a log of random calls that takes no memory.
type synthetic struct{ subscribers, week int }

func (s *synthetic) subject(n uint64) event.Subject {
	return event.Subject(fmt.Sprintf("+44%010d", rand.New(rand.NewPCG(n, 1)).IntN(s.subscribers)))
}

func (s *synthetic) decode(value []byte) (event.Event, error) {
	n, week := binary.BigEndian.Uint64(value), int64(binary.BigEndian.Uint64(value[8:]))
	r := rand.New(rand.NewPCG(n, 2))
	e := &event.CallReported{
		Common: event.Common{Subject: s.subject(n), OccurredAt: 1_700_438_400_000 + (week*7*86400+r.Int64N(7*86400))*1000, UTCOffsetS: 3600},
		Report: event.Report{Counterpart: fmt.Sprintf("+44%010d", r.IntN(s.subscribers)), Direction: event.Direction(1 + r.IntN(2)), Outcome: event.Answered, AntennaID: fmt.Sprint(r.IntN(900))},
	}
	e.DurationS = int32(r.IntN(600))
	e.ID = event.IDOf(e)
	return e, nil
}
