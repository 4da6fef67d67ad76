package scale

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"switchboard/tests/backend"
	"switchboard/tests/site"
)

// TestKilled: a snapshotter is killed (-9) again and again while it writes, and the next one goes on. No snapshot that can be found is half of one.
//
//fault:s1 the process killed while it writes
func TestKilled(t *testing.T) {
	t.Parallel()
	b := backend.Backend{Name: "real", Brokers: backend.RealKafka(t), Redis: []string{backend.RealRedis(t).Addr}}
	s := site.New(t, site.Options{Brokers: b.Brokers, Redis: b.Redis, Replicas: 1, Env: []string{
		"SWITCHBOARD_SNAPSHOT_SESSION_TIMEOUT=6s", "SWITCHBOARD_SNAPSHOT_EVERY=100ms", "SWITCHBOARD_SNAPSHOT_EVERY_EVENTS=20", "SWITCHBOARD_SNAPSHOT_BUCKETS=64",
	}})
	items, err := site.NewItems(3, 200, 30)
	if err != nil {
		t.Fatal(err)
	}
	door, n := s.Import(), uint64(0)
	more := func() {
		t.Helper()
		var list []site.Item
		for range 400 {
			list = append(list, items.At(n))
			n++
		}
		if _, err := door(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 3 {
		p := s.Start("snapshotter").Ready()
		s.Shared("switchboard_snapshotter_position", 9, p) // it has waited for the session of the one before
		more()
		time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond) // the moment of the kill is what is tried
		p.Kill()
	}
	p := s.Start("snapshotter").Ready()
	s.Shared("switchboard_snapshotter_position", 9, p)
	more()
	site.Eventually(t, patience, "snapshots of everything", func() string { return behind(s) })
	p.Stop()
	var all []struct {
		Partition, Step, Fold string
		Snapshots             int
		Problems              []string
	}
	if err := json.Unmarshal([]byte(s.CLI("snapshot", "verify", "--format", "json")), &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.Snapshots < 2 || v.Step != "equal" || v.Fold != "equal" || len(v.Problems) > 0 {
			t.Errorf("%+v", v)
		}
	}
}

// behind says which partition has no snapshot of its whole log.
func behind(s *site.Site) string {
	var list []struct {
		Partition string
		Position  int64
	}
	if err := json.Unmarshal([]byte(s.CLI("snapshot", "list", "--format", "json")), &list); err != nil {
		return err.Error()
	}
	at := map[string]int64{}
	for _, l := range list {
		at[l.Partition] = max(at[l.Partition], l.Position)
	}
	ends, err := s.Admin.ListEndOffsets(s.Context(), s.Topics.Reports, s.Topics.Devices)
	if err != nil {
		return err.Error()
	}
	missing := ""
	ends.Each(func(o kadm.ListedOffset) {
		if p := fmt.Sprintf("%s/%d", o.Topic, o.Partition); at[p] != o.Offset {
			missing = fmt.Sprintf("%s: the newest is at %d of %d", p, at[p], o.Offset)
		}
	})
	return missing
}
