// Package scale runs several processes of each role on three brokers and a Redis Cluster of three masters; they join and leave while
// everything comes in by every door.
package scale

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"switchboard/tests/backend"
	"switchboard/tests/site"
)

func TestMain(m *testing.M) { backend.Main(m, site.Remove) }

const patience = 2 * time.Minute // for what must happen, on two cores that others use as well

// fleet is the processes of a site that take part now.
type fleet struct {
	*site.Site
	mu   sync.Mutex
	now  map[string][]*site.Process
	gone []*site.Process
}

func (f *fleet) join(role string) {
	f.Helper()
	p := f.Start(role).Ready()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now[role] = append(f.now[role], p)
}

// leave stops the process of a role that came first.
func (f *fleet) leave(role string) {
	f.Helper()
	f.mu.Lock()
	p := f.now[role][0]
	f.now[role], f.gone = f.now[role][1:], append(f.gone, p)
	f.mu.Unlock()
	p.Stop()
}

func (f *fleet) urls() (list []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.now["ingest"] {
		list = append(list, p.URL())
	}
	return list
}

// shares are the metrics of which each partition of a role has one sample, and how many there are.
var shares = []struct {
	role, metric string
	partitions   int
}{
	{"processor", "switchboard_processor_lane_state", 9},
	{"ingest", "switchboard_ingest_inbox_position", 6},
	{"snapshotter", "switchboard_snapshotter_position", 9},
}

func (f *fleet) shared() {
	f.Helper()
	for _, s := range shares {
		f.Shared(s.metric, s.partitions, f.now[s.role]...)
	}
}

// TestJoinAndLeave: two ingests, three processors and two snapshotters, of which each role loses one and gets another, while producers send by HTTP,
// by the inbox and from files. Nothing is lost, nothing counts twice, nobody logs an error.
//
//fault:p7 three processors of which one leaves and another joins, under load, on real servers
//fault:h5 the same of each role: nothing lost, nothing twice, no error logged
func TestJoinAndLeave(t *testing.T) {
	kafka := backend.OwnKafka(t, 3)
	redis := backend.RealRedisCluster(t)
	s := site.New(t, site.Options{Brokers: kafka.Brokers, Redis: redis.Addrs, Cluster: true, Replicas: 3, Env: []string{
		"SWITCHBOARD_PROCESSOR_SESSION_TIMEOUT=6s", "SWITCHBOARD_SNAPSHOT_SESSION_TIMEOUT=6s", "SWITCHBOARD_SNAPSHOT_EVERY=2s", "SWITCHBOARD_SNAPSHOT_BUCKETS=4",
	}})
	replicated(s)
	f := &fleet{Site: s, now: map[string][]*site.Process{}}
	for _, role := range []string{"ingest", "ingest", "processor", "processor", "processor", "snapshotter", "snapshotter"} {
		f.join(role)
	}
	f.shared()

	items, err := site.NewItems(1, 300, 40)
	if err != nil {
		t.Fatal(err)
	}
	ledger := site.NewLedger()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	stop := make(chan struct{})
	var producers sync.WaitGroup
	for i, p := range []site.Producer{
		{Name: "http", Door: site.HTTP(f.urls), Batch: 40, Pause: 20 * time.Millisecond},
		{Name: "http", Door: site.HTTP(f.urls), Batch: 40, Pause: 20 * time.Millisecond},
		{Name: "inbox", Door: s.Inbox(), Batch: 60, Pause: 20 * time.Millisecond},
		{Name: "import", Door: s.Import(), Batch: 200, Pause: 500 * time.Millisecond},
	} {
		p.Items, p.Ledger, p.Every, p.Share, p.Says = items, ledger, 4, uint64(i), t.Logf
		producers.Go(func() {
			if err := p.Run(ctx, stop); err != nil {
				t.Error(err)
			}
		})
	}
	// more waits until so much more was taken in: something goes on between any two changes.
	more := func(n int) {
		t.Helper()
		from := ledger.Acks()
		site.Eventually(t, time.Minute, "more is acknowledged", func() string {
			if ledger.Acks() < from+n {
				return "too little"
			}
			return ""
		})
	}
	more(500)
	for _, role := range []string{"processor", "ingest", "snapshotter"} {
		f.join(role)
		more(150)
		f.leave(role)
		more(150)
	}
	f.join("processor") // two at once
	f.leave("processor")
	f.leave("processor")
	more(500)
	f.shared()
	close(stop)
	producers.Wait()
	took := s.Settled(time.Minute)

	log := s.ReadLog()
	s.Holds(ledger, log)
	var all []*site.Process
	for _, role := range []string{"ingest", "processor", "snapshotter"} {
		for len(f.now[role]) > 0 {
			f.leave(role)
		}
	}
	all = append(all, f.gone...)
	snapshotsHold(s)
	s.Holds(ledger, log) // whoever ends writes nothing more
	for _, p := range all {
		for _, line := range p.Errors() {
			t.Error(line)
		}
	}
	records, facts := log.Records()
	if records == facts {
		t.Error("nothing stands twice in the log: the producers have lost what they are for")
	}
	t.Logf("acknowledged %v; %d records, %d facts in the log; folded %s after the last one", ledger.Doors(), records, facts, took.Round(time.Millisecond))
}

// replicated checks that the topics are what the topology asks for on three brokers.
func replicated(s *site.Site) {
	s.Helper()
	topics, err := s.Admin.ListTopics(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	n := 0
	for _, topic := range topics {
		for _, p := range topic.Partitions {
			if len(p.Replicas) != 3 {
				s.Errorf("%s/%d has the replicas %v, want three", p.Topic, p.Partition, p.Replicas)
			}
			n++
		}
	}
	if n == 0 {
		s.Error("there are no topics")
	}
	configs, err := s.Admin.DescribeTopicConfigs(s.Context(), s.Topics.Reports, s.Topics.Devices)
	if err != nil {
		s.Fatal(err)
	}
	for _, c := range configs {
		at := slices.IndexFunc(c.Configs, func(c kadm.Config) bool { return c.Key == "min.insync.replicas" })
		if at < 0 || c.Configs[at].MaybeValue() != "2" {
			s.Errorf("%s: min.insync.replicas is not 2", c.Name)
		}
	}
}

// snapshotsHold: each partition has snapshots, and the newest is the fold of the log from its start.
func snapshotsHold(s *site.Site) {
	s.Helper()
	var all []struct {
		Partition, Fold string
		Snapshots       int
		Problems        []string
	}
	if err := json.Unmarshal([]byte(s.CLI("snapshot", "verify", "--format", "json")), &all); err != nil {
		s.Fatal(err)
	}
	for _, v := range all {
		if v.Snapshots == 0 || v.Fold != "equal" || len(v.Problems) > 0 {
			s.Errorf("snapshots: %+v", v)
		}
	}
	if len(all) != 9 {
		s.Errorf("snapshots of %d partitions, want 9", len(all))
	}
}
