// Package chaos breaks everything at once: three processors, two ingests and two snapshotters as processes, on three real brokers and a real Redis with a
// replica, behind proxies, while producers send by HTTP, by the inbox and from files. What breaks, and when, is a plan made from a
// seed. At the end the read models must be the fold of the log, and the log must hold what was acknowledged.
//
//	CHAOS_SEED=n         that one
//	CHAOS_SEEDS=n        1 to n, without those that stand in CHAOS_RESULTS already
//	CHAOS_MINUTES=m      of faults; else 45 s
//	CHAOS_RESULTS=file   a line for each seed is appended
//	CHAOS_LOGS=dir       what the processes of a failed run said is kept there, else in the folder for temporary files
package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/tests/backend"
	"switchboard/tests/site"
)

func TestMain(m *testing.M) { backend.Main(m, site.Remove) }

const (
	processors = 3 // they stand first among the roles
	session    = "3s"
	// healed bounds the time between the end of the last fault and a lag of 0, on two cores that others use as well.
	healed = 90 * time.Second
)

func TestChaos(t *testing.T) {
	length := 45 * time.Second
	if m, err := strconv.ParseFloat(os.Getenv("CHAOS_MINUTES"), 64); err == nil {
		length = time.Duration(m * float64(time.Minute))
	}
	first, last := uint64(1), uint64(1)
	if n, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64); err == nil {
		first, last = n, n
	} else if n, err := strconv.ParseUint(os.Getenv("CHAOS_SEEDS"), 10, 64); err == nil {
		last = n
	}
	all := openResults(t)
	ports := backend.FreePorts(t, 3)
	kafka := backend.OwnKafkaBehind(t, 3, ports) // of all seeds: each has topics of its own
	for seed := first; seed <= last; seed++ {
		if first != last && all.done(seed, length) {
			continue
		}
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			r := newRun(t, seed, length, kafka, ports)
			defer func() { all.append(r, t.Failed()) }()
			r.everything()
		})
	}
}

// run is one seed.
type run struct {
	*site.Site
	seed   uint64
	length time.Duration
	began  time.Time
	ledger *site.Ledger

	kafka            *backend.KafkaServers
	brokers          []*wire // to kafka's brokers, in their order
	primary, replica *backend.RedisServer
	redis            []*wire // to the primary: one for each processor, and the last for everybody else

	roles      []*slot
	guests     []*site.Process // of a rebalance storm
	overtaken  atomic.Int32    // times that lateWrites did what it should
	background sync.WaitGroup

	mu      sync.Mutex
	counts  map[string]int
	settled time.Duration
	records int
	facts   int
	diary   *os.File // in the folder of the logs: faults as they happened, and what producers met
}

func newRun(t *testing.T, seed uint64, length time.Duration, kafka *backend.KafkaServers, ports int) *run {
	logs, err := os.MkdirTemp(os.Getenv("CHAOS_LOGS"), fmt.Sprintf("switchboard-chaos-seed%d-", seed))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d failed: logs in %s", seed, logs)
		} else {
			os.RemoveAll(logs)
		}
	})
	r := &run{seed: seed, length: length, kafka: kafka, ledger: site.NewLedger(), counts: map[string]int{}}
	if r.diary, err = os.Create(filepath.Join(logs, "diary.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.diary.Close() })
	kafka.Start(t) // what a failed run has left dead
	var brokers []string
	for i, to := range r.kafka.Behind {
		r.brokers = append(r.brokers, newWire(t, fmt.Sprintf("127.0.0.1:%d", ports+i), to))
		brokers = append(brokers, r.brokers[i].addr())
	}
	r.primary, r.replica = backend.RealRedis(t), backend.RealRedis(t)
	// No port that the kernel gives to somebody else while a wire is cut.
	first := backend.FreePorts(t, 4)
	for i := range 4 {
		r.redis = append(r.redis, newWire(t, fmt.Sprintf("127.0.0.1:%d", first+i), r.primary.Addr))
	}
	r.Site = site.New(t, site.Options{Brokers: brokers, Direct: r.kafka.Brokers, Redis: []string{r.redis[3].addr()}, Replicas: 3, Logs: logs, Env: []string{
		"SWITCHBOARD_PROCESSOR_SESSION_TIMEOUT=" + session, "SWITCHBOARD_SNAPSHOT_SESSION_TIMEOUT=" + session, "SWITCHBOARD_INGEST_INBOX_SESSION_TIMEOUT=" + session,
		"SWITCHBOARD_PROCESSOR_REBALANCE_TIMEOUT=10s", "SWITCHBOARD_SNAPSHOT_REBALANCE_TIMEOUT=10s", "SWITCHBOARD_PROCESSOR_CHUNK_DEADLINE=4s",
		"SWITCHBOARD_SNAPSHOT_EVERY=3s", "SWITCHBOARD_SNAPSHOT_BUCKETS=4",
	}})
	t.Cleanup(func() {
		// Without t.Context, which has ended.
		if topics, err := r.Admin.ListTopics(context.Background()); err == nil {
			topics.FilterInternal()
			_, _ = r.Admin.DeleteTopics(context.Background(), topics.Names()...)
		}
	})
	r.follow()
	return r
}

func (r *run) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what]++
	r.write(what)
}

// says writes into the diary.
func (r *run) says(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(fmt.Sprintf(format, args...))
}

func (r *run) write(line string) {
	fmt.Fprintf(r.diary, "%s %s\n", time.Now().UTC().Format("15:04:05.000"), line)
}

func (r *run) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *run) everything() {
	p := plan(r.seed, r.length)
	r.Logf("seed %d, %s of faults; again: make chaos SEED=%d MINUTES=%g%s", r.seed, r.length, r.seed, r.length.Minutes(), printed(p))
	for i := range processors {
		r.roles = append(r.roles, newSlot(r, "processor", "SWITCHBOARD_REDIS_ADDRS="+r.redis[i].addr()))
	}
	for _, role := range []string{"ingest", "ingest", "snapshotter", "snapshotter"} {
		r.roles = append(r.roles, newSlot(r, role))
	}
	for _, s := range r.roles {
		s.process().Ready()
	}
	r.following()
	ctx, cancel := context.WithTimeout(r.Context(), r.length+10*time.Minute)
	defer cancel()
	stop := make(chan struct{})
	producers := r.produce(ctx, stop)
	r.strike(p[:len(p)-1])
	r.strike(p[len(p)-1:])
	r.says("all faults have ended")
	last := time.Now()
	close(stop)
	producers.Wait()
	r.Settled(healed - time.Since(last))
	r.settled = time.Since(last)
	r.holds()
}

// strike carries out a plan and returns when everything is healed. On a machine on which a broker takes long to come back, what should have happened meanwhile is
// left out, so that the tracks stay beside each other.
func (r *run) strike(tracks []track) {
	r.began = time.Now()
	does := map[string]func(*run, step){}
	for _, t := range faults {
		for _, f := range t.faults {
			does[f.name] = f.do
		}
	}
	var all sync.WaitGroup
	for _, t := range tracks {
		all.Go(func() {
			for _, s := range t.Steps {
				time.Sleep(time.Until(r.began.Add(s.At))) // the plan's rhythm
				if r.Failed() {
					return
				}
				if late := time.Since(r.began) - s.At; late > 15*time.Second {
					r.says("left out, %s late: %s", late.Round(time.Second), s)
					continue
				}
				r.count(s.Fault)
				does[s.Fault](r, s)
				r.says("healed: %s", s)
			}
		})
	}
	all.Wait()
}

// produce starts the producers.
func (r *run) produce(ctx context.Context, stop <-chan struct{}) *sync.WaitGroup {
	items, err := site.NewItems(r.seed, 300, 40)
	r.must(err)
	var producers sync.WaitGroup
	begin := func(f func() error) {
		producers.Go(func() {
			if err := f(); err != nil {
				r.Error(err)
			}
		})
	}
	for i, p := range []site.Producer{
		{Name: "http", Door: site.HTTP(r.urls), Batch: 40, Pause: 100 * time.Millisecond},
		{Name: "http", Door: site.HTTP(r.urls), Batch: 40, Pause: 100 * time.Millisecond},
		{Name: "inbox", Door: r.Inbox(), Batch: 50, Pause: 100 * time.Millisecond},
		{Name: "import", Door: r.Import(), Batch: 200, Pause: 2 * time.Second},
	} {
		p.Items, p.Ledger, p.Every, p.Share, p.Says = items, r.ledger, 4, uint64(i), r.says
		begin(func() error { return p.Run(ctx, stop) })
	}
	begin(func() error { return r.importOracles(ctx) })
	return &producers
}

func (r *run) urls() (list []string) {
	for _, s := range r.roles {
		if s.role == "ingest" {
			if url := s.process().URL(); url != "" {
				list = append(list, url)
			}
		}
	}
	return list
}

// holds is what must be true when everything has healed.
func (r *run) holds() {
	r.Helper()
	log := r.ReadLog()
	r.records, r.facts = log.Records()
	r.Holds(r.ledger, log)
	r.oraclesHold()
	deadLettersHold(r.Site)
	for _, s := range r.roles {
		s.end()
	}
	for _, p := range r.guests {
		<-p.Dead()
	}
	r.background.Wait()
	r.Holds(r.ledger, log) // whoever ends writes nothing more
	r.Logf("seed %d: acknowledged %v; %d records, %d facts; a lag of 0 within %s of the last fault; late writes overtaken %d times; %v", r.seed, r.ledger.Doors(), r.records, r.facts, r.settled.Round(100*time.Millisecond), r.overtaken.Load(), r.counts)
}
