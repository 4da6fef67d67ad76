// Package soak runs every role for a long time at half load, and looks at what its processes hold: memory, goroutines, file descriptors.
//
//	SOAK_MINUTES=m       as long; without it nothing is run (make soak)
package soak

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/tests/backend"
	"switchboard/tests/site"
)

func TestMain(m *testing.M) { backend.Main(m, site.Remove) }

// calibration is how long producers send as fast as they can, to find out what half of it is.
const calibration = 20 * time.Second

// TestSoak fails when what a process holds in the last third is more than a bound above the middle third. The first third is for caches.
func TestSoak(t *testing.T) {
	minutes, err := strconv.ParseFloat(os.Getenv("SOAK_MINUTES"), 64)
	if err != nil {
		t.Skip("make soak MINUTES=20")
	}
	length := time.Duration(minutes * float64(time.Minute))
	kafka := backend.OwnKafka(t, 1)
	s := site.New(t, site.Options{Brokers: kafka.Brokers, Redis: []string{backend.RealRedis(t).Addr}, Replicas: 1, Env: []string{
		// Caches of which the bounds are reached in the first third.
		"SWITCHBOARD_PROCESSOR_CACHE_BYTES=16MiB", "SWITCHBOARD_SNAPSHOT_MAX_TAIL_BYTES=8MiB", "SWITCHBOARD_SNAPSHOT_EVERY=20s",
		"SWITCHBOARD_SNAPSHOT_BUCKETS=16", "SWITCHBOARD_SNAPSHOT_KEEP_HOURLY=0", "SWITCHBOARD_SNAPSHOT_KEEP_DAILY=0", "SWITCHBOARD_SNAPSHOT_GRACE=1m",
	}})
	var roles []*site.Process
	for _, role := range []string{"ingest", "ingest", "processor", "processor", "snapshotter"} {
		roles = append(roles, s.Start(role).Ready())
	}
	urls := func() []string { return []string{roles[0].URL(), roles[1].URL()} }

	items, err := site.NewItems(1, 20_000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	ledger := site.NewLedger()
	l := &load{s: s, items: items, ledger: ledger, urls: urls}
	full := l.run(calibration, 0)
	pause := l.pauseFor(full / 2)
	t.Logf("at full speed %.0f events/s were acknowledged; half of it for %s", full, length)

	samples := newSamples(roles)
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var sampling sync.WaitGroup
	sampling.Go(func() { samples.every(ctx, min(10*time.Second, length/12)) })
	half := l.run(length, pause)
	sampling.Wait()
	s.Settled(2 * time.Minute)
	s.Holds(ledger, s.ReadLog())
	t.Logf("%.0f events/s\n%s", half, samples.table())
	for _, p := range roles {
		for _, line := range p.Errors() {
			t.Error(line)
		}
	}
	for _, problem := range samples.judge() {
		t.Error(problem)
	}
}

const (
	producers = 3
	batch     = 50
)

// load is producers that go on where they stopped.
type load struct {
	s      *site.Site
	items  *site.Items
	ledger *site.Ledger
	urls   func() []string
	runs   uint64
}

// pauseFor is between two batches of a producer, so that all of them together come to a rate.
func (l *load) pauseFor(perSecond float64) time.Duration {
	return time.Duration(producers * batch / perSecond * float64(time.Second))
}

// run sends for so long and gives the rate of what was acknowledged.
func (l *load) run(length, pause time.Duration) (perSecond float64) {
	stop := make(chan struct{})
	time.AfterFunc(length, func() { close(stop) })
	from, began := l.ledger.Acks(), time.Now()
	l.runs++
	var all sync.WaitGroup
	for i, door := range []site.Door{site.HTTP(l.urls), site.HTTP(l.urls), l.s.Inbox()} {
		p := site.Producer{
			Name: fmt.Sprint("producer ", i), Door: door, Batch: batch, Pause: pause, Items: l.items, Ledger: l.ledger,
			Every: producers, Share: l.runs*producers*1_000_000_000 + uint64(i), Says: l.s.Logf,
		}
		all.Go(func() {
			if err := p.Run(l.s.Context(), stop); err != nil {
				l.s.Error(err)
			}
		})
	}
	all.Wait()
	return float64(l.ledger.Acks()-from) / time.Since(began).Seconds()
}

// resident is the memory of a process, in bytes.
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kib float64
	_, err = fmt.Sscan(rest, &kib)
	return kib * 1024, err
}

// descriptors is how many files and sockets a process has open.
func descriptors(pid int) (float64, error) {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return float64(len(list)), err
}
