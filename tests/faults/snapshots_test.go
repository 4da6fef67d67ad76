package faults

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/app"
	"switchboard/tests/backend"
)

// TestSnapshotsRefused: while the topic of snapshots takes nothing, folding goes on; then a snapshot is made by itself.
//
//fault:s7 the topic of snapshots takes nothing: the processor does not notice, no snapshot appears, and one does when it takes them again
func TestSnapshotsRefused(t *testing.T) {
	t.Parallel()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	b := backend.Backend{Name: "embedded", Brokers: broker.ListenAddrs(), Redis: []string{backend.EmbeddedRedis(t)}, Prefix: backend.Prefix()}
	s := newSite(t, b, options{environ: []string{"SWITCHBOARD_SNAPSHOT_EVERY=200ms", "SWITCHBOARD_SNAPSHOT_BUCKETS=4"}})
	fault := broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.Prefix + "snapshots", Err: kerr.KafkaStorageError, Count: -1})
	ctx, stop := context.WithCancel(context.Background())
	snapshotter := &app.Snapshotter{Config: s.config, Logger: s.logger()}
	done := make(chan error, 1)
	go func() { done <- snapshotter.Run(ctx) }()
	t.Cleanup(stop)
	s.append(300)
	s.start()
	s.caughtUp()
	s.until("the broker has refused chunks", func() bool { return fault.Hits() > 0 })
	s.append(200)
	s.caughtUp()
	s.exact()
	for p, seen := range snapshotter.Lanes() {
		if seen.Snapshot >= 0 {
			t.Errorf("%s: a snapshot at %d", p, seen.Snapshot)
		}
	}
	fault.Remove()
	ends := s.ends()
	s.until("a snapshot of everything", func() bool {
		for p := range int32(partitions) {
			if snapshotter.Lanes()[s.partition(p)].Snapshot != ends[p] {
				return false
			}
		}
		return true
	})
	stop()
	if err := <-done; err != nil {
		t.Errorf("the snapshotter ended with %v", err)
	}
	s.halt()
}
