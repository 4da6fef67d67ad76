package snapshot

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/snapshot"
)

func (s *site) put(n int32, key string, value []byte) {
	s.Helper()
	s.Write(&kgo.Record{Topic: s.On.Prefix + "snapshots", Partition: n, Key: []byte(key), Value: value})
}

// republish writes a manifest again.
func (s *site) republish(n int32, m *snapshot.Manifest) { s.put(n, m.Key().String(), m.Encode()) }

// publish writes a manifest that change has spoilt.
func (s *site) publish(n int32, m *snapshot.Manifest, change func(m *snapshot.Manifest, raw []byte) []byte) {
	key, raw := m.Key().String(), m.Encode()
	if change != nil {
		raw = change(m, raw)
	}
	s.put(n, key, raw)
}

func (s *site) tombstone(n int32, key snapshot.Key) { s.put(n, key.String(), nil) }

// deleteBefore ends the history of a partition.
func (s *site) deleteBefore(n int32, offset int64) {
	s.Helper()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: s.partition(n).Topic, Partition: s.partition(n).Number, At: offset})
	resp, err := s.Admin.DeleteRecords(s.Context(), offsets)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		s.Fatal(err)
	}
}

// count is how many parts of chunks and how many tombstones a partition of snapshots holds.
func (s *site) count(n int32) (parts, tombstones int) {
	s.Helper()
	for _, r := range s.Read(s.On.Prefix + "snapshots") {
		k, err := snapshot.ParseKey(string(r.Key))
		switch {
		case r.Partition != n:
		case err != nil:
			s.Errorf("a record with key %q", r.Key)
		case r.Value == nil:
			tombstones++
		case k.Kind == snapshot.PartKind:
			parts++
		}
	}
	return parts, tombstones
}

// gone is how many records a partition of snapshots has no more: its offsets have holes where a broker has compacted.
func (s *site) gone(n int32) int {
	s.Helper()
	topic := s.On.Prefix + "snapshots"
	records := 0
	for _, r := range s.Read(topic) {
		if r.Partition == n {
			records++
		}
	}
	return int(s.EndsOf(topic)[n]) - records
}

// TestKept: the last three stay, chunks that nothing names go when their time is over, and what a real broker compacts away is nothing that a
// kept manifest needs.
//
//fault:s6 what a broker compacts away is nothing that a kept manifest needs
func TestKept(t *testing.T) {
	t.Parallel()
	each(t, func(s *site) {
		reader := s.snapshots()
		keep := []string{
			"SWITCHBOARD_SNAPSHOT_KEEP_LAST=3", "SWITCHBOARD_SNAPSHOT_KEEP_HOURLY=0", "SWITCHBOARD_SNAPSHOT_KEEP_DAILY=0",
			"SWITCHBOARD_SNAPSHOT_GRACE=1s", "SWITCHBOARD_SNAPSHOT_EVERY=100ms",
		}
		facts := random(5, 4000, 60)
		a := s.run(keep...)
		for i := 0; i < len(facts); i += 200 {
			s.Add(facts[i:min(len(facts), i+200)]...)
			s.Until("caught up", func() bool { return s.caughtUp(a) })
		}
		last := time.Now()
		s.Until("chunks of every partition removed, when the grace is over", func() bool {
			if time.Since(last) > time.Second { // a snapshot is made, and cleaned up after, only when something came
				s.Add(facts[:100]...)
				last = time.Now()
			}
			cleaned := 0
			for _, seen := range a.Lanes() {
				if seen.RemovedChunks > 0 {
					cleaned++
				}
			}
			return cleaned == partitions
		})
		s.Until("caught up", func() bool { return s.caughtUp(a) })
		a.Stop()
		s.check(reader)
		removed := 0
		for n := range int32(partitions) {
			list, unreadable, err := reader.List(s.Context(), s.partition(n))
			if err != nil || len(unreadable) > 0 || len(list) < 3 || len(list) > 4 { // the one at the end is made when nothing is cleaned any more
				t.Errorf("List = %d snapshots, %v, %v, want three", len(list), unreadable, err)
			}
			for _, l := range list {
				s.checkOne(reader, n, l.Manifest)
			}
		}
		for n := range int32(ofEach) {
			_, tombstones := s.count(n)
			removed += tombstones + s.gone(n)
		}
		if removed == 0 {
			t.Error("nothing was removed")
		}
		if s.Config.Kafka.Kind == "server" {
			s.Until("the broker has compacted something", func() bool {
				s.put(0, s.On.Prefix+"calls.reports/0/manifest/999999999", nil) // a broker closes a segment when the next record comes
				return s.gone(0) > 0
			})
		}
		for n := range int32(partitions) {
			v, err := reader.Verify(s.Context(), s.partition(n))
			if err != nil || len(v.Problems) > 0 || v.Snapshots < 3 || v.Fold != "equal" {
				t.Errorf("Verify = %+v, %v", v, err)
			}
		}
	}, "segment: 1s", "min_compaction_lag: 1ms", "max_compaction_lag: 1s", "delete_retention: 1ms", `settings: {min.cleanable.dirty.ratio: "0.001"}`)
}
