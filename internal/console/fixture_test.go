package console_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/indicator"
	"switchboard/internal/intake"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
	"switchboard/tests/fixture"
)

func TestMain(m *testing.M) { backend.Main(m) }

// now is the clock of the answers: one and a half seconds after the end of the log was asked for.
var now = time.Date(2026, 3, 1, 12, 0, 1, 500_000_000, time.UTC)

const checkedMs = 1_772_366_400_000 // 2026-03-01T12:00:00Z

// open is a console over read models that nobody else uses.
func open(t testing.TB, addr string, partitions int32) (*console.Console, *redisview.Client) {
	t.Helper()
	client, err := redisview.New(redisview.Options{Addrs: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return console.New(ports(client.Reader(fixture.Topic, partitions))), client
}

func ports(r *redisview.Reader) console.Ports {
	return console.Ports{
		Partition: r.PartitionOf, Card: r.Card, Contacts: r.Contacts, Timeline: r.Timeline, Top: r.Top, Reach: r.Reach, Totals: r.Totals,
		Devices: console.DevicePorts{Where: r.WhereDevice}, Where: r.Where, Hash: r.VerifyHash, Wait: r.Wait, Now: func() time.Time { return now },
	}
}

// lane is a fixture whose positions do not depend on the clock.
func lane(t testing.TB, client *redisview.Client, partition, partitions int32, generation string) *fixture.Lane {
	t.Helper()
	l := fixture.Open(t, client, partition, partitions, generation)
	l.Progress.CheckedMs, l.Progress.AppliedAppendMs = checkedMs, checkedMs-1000
	return l
}

// fold folds events in batches of 500, and says that the log ends there.
func fold(l *fixture.Lane, events []event.Event) {
	l.Progress.HighWatermark = l.Next + int64(len(events))
	for len(events) > 0 {
		batch := events[:min(500, len(events))]
		l.Fold(batch...)
		events = events[len(batch):]
	}
}

// sample is bandicoot's sample user, as import would have it.
func sample(t testing.TB, name, subscriber string) []event.Event {
	t.Helper()
	in, err := intake.New(intake.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	file, err := in.Open(filepath.Join("../../tests/data", name), intake.FileOptions{Format: "bandicoot", Subscriber: subscriber})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var list []event.Event
	for {
		e, reject, err := file.Next()
		switch {
		case errors.Is(err, io.EOF):
			return list
		case err != nil:
			t.Fatal(err)
		case reject != nil:
			t.Fatal(reject)
		}
		list = append(list, e)
	}
}

// golden compares with a file of testdata; GOLDEN=1 rewrites it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("GOLDEN") != "" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is\n%s\ninstead of\n%s", name, got, want)
	}
}

func period(t testing.TB, from, to string) indicator.Period {
	t.Helper()
	p, err := indicator.ParsePeriod(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// text is an answer as a terminal shows it.
func text(t *testing.T, a console.Answer, err error, s console.Style) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := console.Write(&b, a, "table", s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jsonOf(t *testing.T, a console.Answer) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := console.Write(&b, a, "json", console.Style{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
