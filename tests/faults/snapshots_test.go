package faults

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

// TestSnapshotsRefused: while the topic of snapshots takes nothing, folding goes on; then a snapshot is made by itself.
//
//fault:s7 the topic of snapshots takes nothing: the processor does not notice, no snapshot appears, and one does when it takes them again
func TestSnapshotsRefused(t *testing.T) {
	t.Parallel()
	b, broker := backend.Faulty(t)
	s := newSite(t, b, local.Options{Env: []string{"SWITCHBOARD_SNAPSHOT_EVERY=200ms", "SWITCHBOARD_SNAPSHOT_BUCKETS=4"}})
	fault := broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.Prefix + "snapshots", Err: kerr.KafkaStorageError, Count: -1})
	snapshotter := s.Snapshotter(s.Config)
	s.Append(300)
	s.Start()
	s.CaughtUp()
	s.Until("the broker has refused chunks", func() bool { return fault.Hits() > 0 })
	s.Append(200)
	s.CaughtUp()
	s.Exact()
	for p, seen := range snapshotter.Lanes() {
		if seen.Snapshot >= 0 {
			t.Errorf("%s: a snapshot at %d", p, seen.Snapshot)
		}
	}
	fault.Remove()
	ends := s.Ends()
	s.Until("a snapshot of everything", func() bool {
		for p := range int32(partitions) {
			if snapshotter.Lanes()[s.Partition(p)].Snapshot != ends[p] {
				return false
			}
		}
		return true
	})
	snapshotter.Stop()
	s.Halt()
}
