package snapshot

import (
	"strings"
	"testing"

	"switchboard/internal/event"
	"switchboard/internal/snapshot"
)

// TestTriggers: by events, by time, by a full buffer and at the end; each snapshot is the fold of the facts before it, the next
// snapshotter goes on behind it, and verify finds nothing wrong.
//
//fault:s5 each snapshot is the fold of the facts before it
func TestTriggers(t *testing.T) {
	t.Parallel()
	each(t, func(s *site) {
		reader := s.snapshots()
		facts := random(1, 6000, 80)
		take := func(n int) (part []event.Event) { part, facts = facts[:n], facts[n:]; return part }

		s.Add(take(1500)...)
		a := s.run("SWITCHBOARD_SNAPSHOT_EVERY_EVENTS=200")
		s.Until("snapshots by events", func() bool { return a.made("events") >= 2 && s.caughtUp(a) })
		s.Add(take(1000)...)
		s.Until("the rest", func() bool { return s.caughtUp(a) })
		a.Stop()
		s.check(reader)
		for n, m := range s.newest(reader) {
			if end := s.end(int32(n)); m.Next != end {
				t.Errorf("the snapshot at the end of the process is at %d, want the end of the log, %d", m.Next, end)
			}
		}

		b := s.run("SWITCHBOARD_SNAPSHOT_EVERY=300ms")
		s.Add(take(1000)...)
		s.Until("snapshots by time", func() bool { return b.made("time") >= 2 && s.caughtUp(b) })
		b.Stop()
		s.check(reader)

		c := s.run("SWITCHBOARD_SNAPSHOT_MAX_TAIL_BYTES=8MiB")
		for range 3 {
			s.Add(take(500)...)
		}
		s.Until("the rest", func() bool { return s.caughtUp(c) })
		if c.made("time")+c.made("events")+c.made("buffer") > 0 {
			t.Error("snapshots without a reason")
		}
		s.Add(long(take(1000))...)
		s.Until("snapshots by a full buffer", func() bool { return c.made("buffer") >= 2 && s.caughtUp(c) })
		c.Stop()
		s.check(reader)
		for n := range int32(partitions) {
			v, err := reader.Verify(s.Context(), s.partition(n))
			if err != nil || len(v.Problems) > 0 || v.Step != "equal" || v.Fold != "equal" || v.Hash != s.fold(n, v.Newest) {
				t.Errorf("Verify = %+v, %v", v, err)
			}
		}
	})
}

// long is facts that take 16 KiB each: what is no content makes no difference to what they fold to.
func long(list []event.Event) []event.Event {
	for _, e := range list {
		e.Envelope().Reason = strings.Repeat("long ", 16<<10/5)
	}
	return list
}

// TestTornAndZombie (S6): chunks without a manifest are nothing; a manifest of a lower position that comes later, with a later clock, does not win;
// two snapshotters share the partitions, and hand them over.
//
//fault:s1 chunks without a manifest are nothing
//fault:s6 two snapshotters, and a manifest of a zombie
func TestTornAndZombie(t *testing.T) {
	t.Parallel()
	each(t, func(s *site) {
		reader := s.snapshots()
		facts := random(2, 3000, 60)
		s.Add(facts[:1000]...)
		a := s.run("SWITCHBOARD_SNAPSHOT_EVERY=200ms")
		s.Until("a first snapshot", func() bool { return a.made("time") >= partitions && s.caughtUp(a) })
		b := s.run("SWITCHBOARD_SNAPSHOT_EVERY=200ms")
		s.Until("one partition of each topic each", func() bool { return len(a.Lanes()) == partitions/2 && len(b.Lanes()) == partitions/2 })
		s.Add(facts[1000:2000]...)
		s.Until("both caught up", func() bool { return s.caughtUp(a, b) })
		old := s.newest(reader)
		a.Stop()
		s.Until("the other has all", func() bool { return len(b.Lanes()) == partitions })
		s.Add(facts[2000:]...)
		s.Until("caught up", func() bool { return s.caughtUp(b) })
		b.Stop()
		s.check(reader)

		// A zombie: a manifest of an older position, written last.
		zombie := *old[0]
		zombie.CreatedMs += 1_000_000_000
		before := s.newest(reader)
		s.republish(0, &zombie)
		if after := s.newest(reader); after[0].Next != before[0].Next || after[0].Offset != before[0].Offset {
			t.Errorf("newest is the snapshot at %d, want the one at %d", after[0].Next, before[0].Next)
		}
		// Torn: everything of the newest is there but its manifest.
		s.tombstone(0, before[0].Key())
		torn := s.newest(reader)
		if torn[0].Next >= before[0].Next {
			t.Fatalf("newest is the snapshot at %d, which has no manifest", torn[0].Next)
		}
		s.checkOne(reader, 0, torn[0])
		c := s.run()
		s.Until("caught up again", func() bool { return s.caughtUp(c) })
		c.Stop()
		s.check(reader)
	})
}

// TestRefused: what cannot be used is refused one by one for the next older, with its reason, and the snapshotter goes on from there.
//
//fault:s1 manifests cut off, a bit flipped, a chunk that is another
//fault:s2 a newer format, another fold
//fault:s4 beyond the log, of another topic
func TestRefused(t *testing.T) {
	t.Parallel()
	each(t, func(s *site) {
		reader := s.snapshots()
		facts := random(3, 3000, 60)
		for i := range 3 {
			s.Add(facts[i*900 : (i+1)*900]...)
			a := s.run()
			s.Until("caught up", func() bool { return s.caughtUp(a) })
			a.Stop()
		}
		good := s.newest(reader)[0]
		list, _, err := reader.List(s.Context(), s.partition(0))
		if err != nil || len(list) != 3 {
			t.Fatalf("List = %d snapshots, %v, want 3", len(list), err)
		}
		end := s.end(0)
		publish := func(next int64, change func(m *snapshot.Manifest, raw []byte) []byte) {
			m := *good
			m.Next = next
			s.publish(0, &m, change)
		}
		publish(end+100_000, nil)                                                                                // beyond the log
		publish(end+2, func(_ *snapshot.Manifest, raw []byte) []byte { return raw[:len(raw)/2] })                // cut off
		publish(end+3, func(_ *snapshot.Manifest, raw []byte) []byte { raw[len(raw)/2] ^= 1; return raw })       // a bit flipped
		publish(end+4, func(m *snapshot.Manifest, _ []byte) []byte { m.TopicID[0] ^= 1; return m.Encode() })     // of another topic
		publish(end+5, func(m *snapshot.Manifest, _ []byte) []byte { m.ClusterID = "other"; return m.Encode() }) // of another cluster
		publish(end+6, func(m *snapshot.Manifest, _ []byte) []byte { m.Fold++; return m.Encode() })              // of another fold
		publish(end+7, func(m *snapshot.Manifest, _ []byte) []byte { m.Views = "card"; return m.Encode() })      // of other views
		publish(end+8, func(_ *snapshot.Manifest, raw []byte) []byte { return snapshot.Reseal(raw, 2) })         // of a newer format
		m, refused, err := reader.Newest(s.Context(), s.partition(0))
		if err != nil || m == nil || m.Next != good.Next {
			t.Fatalf("Newest = %+v, %v, want the snapshot at %d", m, err, good.Next)
		}
		var reasons []string
		for _, r := range refused {
			reasons = append(reasons, string(r.Reason))
		}
		want := "beyond log, newer format, other views, other fold, foreign, foreign, corrupt, corrupt"
		if got := strings.Join(reasons, ", "); got != want {
			t.Errorf("refused: %s, want %s", got, want)
		}

		// A chunk that is not what its manifest says: found when it is read, and the next older one is used.
		broken := *good
		broken.Next = good.Next
		broken.Chunks = append([]snapshot.Chunk{}, good.Chunks...)
		broken.Chunks[0].Digest[0] ^= 1
		s.republish(0, &broken)
		a := s.run("SWITCHBOARD_SNAPSHOT_EVERY=200ms")
		s.Add(facts[2700:]...)
		s.Until("a snapshot of each", func() bool { return a.made("time") >= partitions && s.caughtUp(a) })
		a.Stop()
		s.check(reader)
		v, err := reader.Verify(s.Context(), s.partition(0))
		if err != nil || len(v.Problems) == 0 || !strings.Contains(strings.Join(v.Problems, "\n"), "chunk") {
			t.Errorf("Verify = %+v, %v, want it to name the chunk", v, err)
		}
	})
}

// TestLogStart (S3, K7): a snapshot below the start of the log is no use; folding begins at the start, and says so.
//
//fault:s3 below the start of the log
//fault:k7 folding begins at the start, and says so
func TestLogStart(t *testing.T) {
	t.Parallel()
	each(t, func(s *site) {
		reader := s.snapshots()
		facts := random(4, 2000, 60)
		s.Add(facts[:1000]...)
		a := s.run()
		s.Until("caught up", func() bool { return s.caughtUp(a) })
		a.Stop()
		old := s.newest(reader)[0]
		s.Add(facts[1000:]...)
		s.deleteBefore(0, old.Next) // the snapshot is exactly where the log begins: usable
		if m := s.newest(reader)[0]; m == nil || m.Next != old.Next {
			t.Errorf("newest is %+v, want the snapshot at the start of the log, %d", m, old.Next)
		}
		s.deleteBefore(0, old.Next+10)
		m, refused, err := reader.Newest(s.Context(), s.partition(0))
		if err != nil || m != nil || len(refused) != 1 || refused[0].Reason != snapshot.BelowLog {
			t.Errorf("Newest = %+v, %v, %v, want none: it lies below the log", m, refused, err)
		}
		b := s.run("SWITCHBOARD_SNAPSHOT_EVERY=200ms")
		s.Until("caught up", func() bool { return s.caughtUp(b) })
		b.Stop()
		if m := s.newest(reader)[0]; m == nil || m.HistoryFrom != old.Next+10 || m.Next != s.end(0) {
			t.Errorf("newest is %+v, want one that says where history begins", m)
		}
	})
}
