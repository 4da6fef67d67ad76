package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/event"
	"switchboard/tests/backend"
)

// accepted is what the door answers.
type accepted struct {
	Items []struct {
		Index   int
		Status  string
		EventID string `json:"event_id"`
		Field   string
		Reason  string
	}
	Token string
}

// post sends a body of JSON and gives the answer; headers are name, value, ...
func post(ctx context.Context, url string, body []byte, headers ...string) (*http.Response, accepted, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, accepted{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, accepted{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp, accepted{}, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	var a accepted
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		err = json.Unmarshal(text, &a)
	}
	return resp, a, err
}

// TestSideBySide runs two of each role on one machine, with the same ports configured: who comes second takes others and says so.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := builtSite(t, b)
		taken := func() string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return l.Addr().String()
		}
		observability, reports := taken(), taken()
		env := s.with("SWITCHBOARD_OBSERVABILITY_LISTEN="+observability, "SWITCHBOARD_INGEST_LISTEN="+reports)
		var all []*process
		for _, role := range []string{"ingest", "ingest", "processor", "processor"} {
			all = append(all, start(t, env, role))
		}
		addresses := map[string]bool{observability: true, reports: true}
		own := func(p *process, url string) {
			if !strings.HasPrefix(url, "http://127.0.0.1:") || addresses[url[len("http://"):]] {
				t.Errorf("%s listens at %s, which is taken or not of this machine alone", p.name, url)
			}
			addresses[url[len("http://"):]] = true
		}
		for _, p := range all {
			p.ready()
			own(p, p.observability())
			p.says("observability port is taken, using a free one")
			if p.name == "ingest" {
				own(p, p.reports())
				p.says("port_was_taken=(true)")
			}
			for path, want := range map[string]string{
				"/healthz": "ok", "/readyz": "ready\n", "/metrics": "switchboard_build_info", "/debug/pprof/goroutine?debug=1": "goroutine profile", "/": "/metrics",
			} {
				// Eventually: while a second member joins, partitions are being claimed.
				eventually(t, path+" of "+p.name, func() string {
					if code, body := p.get(path); code != http.StatusOK || !strings.Contains(body, want) {
						return fmt.Sprintf("%d, without %q:\n%.500s", code, want, body)
					}
					return ""
				})
			}
			for _, path := range []string{"/debug/pprof/cmdline", "/v1/reports", "/nothing"} {
				if code, body := p.get(path); path == "/debug/pprof/cmdline" && strings.Contains(body, programs.dir) || path != "/debug/pprof/cmdline" && code != http.StatusNotFound {
					t.Errorf("%s of %s: %d %.200s", path, p.name, code, body)
				}
			}
		}
		// Both doors take reports, and the two processors share the partitions and fold them all.
		for i, p := range all[:2] {
			resp, a, err := post(t.Context(), p.reports(), []byte("["+marshal(call("+447700900001", "+447700900002", i))+"]"))
			if err != nil || resp.StatusCode != http.StatusAccepted || a.Token == "" {
				t.Fatalf("POST: %v %v", resp, err)
			}
		}
		eventually(t, "two processors share the partitions", func() string {
			first, second := all[2].metric("switchboard_processor_lane_state", "calls.reports/"), all[3].metric("switchboard_processor_lane_state", "calls.reports/")
			if first+second != partitions || first == 0 || second == 0 {
				return fmt.Sprintf("they have %v and %v", first, second)
			}
			return ""
		})
		s.folded()
		for _, p := range all {
			p.signal(syscall.SIGTERM)
		}
		for _, p := range all {
			if code := p.exit(patience); code != 0 {
				t.Errorf("%s ended with %d after SIGTERM", p.name, code)
			}
		}
	})
}

// TestReadyzSaysWhyNot takes Redis away from a processor, and Kafka's consent from an ingest.
//
//fault:p24 Redis gone: not ready, and ready again
func TestReadyzSaysWhyNot(t *testing.T) {
	t.Parallel()
	b, broker := faulty(t)
	s := builtSite(t, b)
	t.Run("a processor without Redis", func(t *testing.T) {
		p := start(t, s.Env, "processor").ready()
		s.On.Server.Kill()
		eventually(t, "not ready", func() string {
			if status, reasons := p.readiness(); status != http.StatusServiceUnavailable || !strings.Contains(reasons["processor/lanes"], s.Reports+"/") {
				return fmt.Sprint(status, reasons)
			}
			return ""
		})
		if code, _ := p.get("/healthz"); code != http.StatusOK {
			t.Errorf("/healthz: %d: it would be restarted, which heals nothing", code)
		}
		if v := p.metric("switchboard_ready", `check="lanes"`); v != 0 {
			t.Errorf("switchboard_ready is %v", v)
		}
		s.On.Server.Start()
		p.ready()
	})
	t.Run("a processor that starts without Redis", func(t *testing.T) {
		s.On.Server.Pause()
		defer s.On.Server.Resume()
		p := start(t, s.Env, "processor")
		eventually(t, "says that it starts", func() string {
			if status, reasons := p.readiness(); status != http.StatusServiceUnavailable || !strings.Contains(reasons["processor/lanes"], "starting") {
				return fmt.Sprint(status, reasons)
			}
			return ""
		})
	})
	t.Run("an ingest without consent", func(t *testing.T) {
		p := start(t, s.with("SWITCHBOARD_INGEST_MAX_BUFFERED_RECORDS=10", "SWITCHBOARD_INGEST_MAX_EVENTS=10", "SWITCHBOARD_INGEST_REQUEST_DEADLINE=300ms"), "ingest").ready()
		fault := broker.Fault(noReplicas(s.Reports))
		var list []event.Submitted
		for i := range 9 {
			list = append(list, call("+447700900001", "+447700900002", i))
		}
		resp, a, err := post(t.Context(), p.reports(), []byte(marshal(list)))
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || a.Items[0].Status != "unknown" {
			t.Errorf("unresolved: %v %+v %v, want 503 with Retry-After and unknown for each item", resp, a, err)
		}
		status, reasons := p.readiness()
		if status != http.StatusServiceUnavailable || !strings.Contains(reasons["ingest/kafka"], "9 records") {
			t.Errorf("/readyz: %d %v", status, reasons)
		}
		resp, a, err = post(t.Context(), p.reports(), []byte(marshal(list[:3])))
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("overloaded: %v %+v %v, want 503 with Retry-After", resp, a, err)
		}
		fault.Remove()
		p.ready() // what waited is appended by itself
		resp, a, err = post(t.Context(), p.reports(), []byte(marshal(list)))
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Errorf("sent again: %v %+v %v", resp, a, err)
		}
	})
	start(t, s.Env, "processor").ready()
	s.folded()
	if n := s.Redis.HGet(t.Context(), s.cardKey("+447700900001"), "calls_out").Val(); n != "9" {
		t.Errorf("%s calls of 9, some of them sent three times", n)
	}
}

// load posts reports from several clients until the context ends, and remembers what was acknowledged and sent.
type load struct {
	mu    sync.Mutex
	acked map[string]bool
	sent  map[string]bool // ids as the answers gave them, whatever the status
	last  accepted
}

func (l *load) run(ctx context.Context, url string, clients int, perRequest int, count *atomic.Int64) {
	l.mu.Lock()
	if l.acked == nil {
		l.acked, l.sent = map[string]bool{}, map[string]bool{}
	}
	l.mu.Unlock()
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				var list []event.Submitted
				for i := range perRequest {
					list = append(list, call(fmt.Sprintf("+4477009%05d", client*1000+n%500), fmt.Sprintf("+4477009%05d", (n*7+i)%99999), n*perRequest+i))
				}
				resp, a, err := post(context.Background(), url, []byte(marshal(list)))
				l.mu.Lock()
				for _, item := range a.Items {
					l.sent[item.EventID] = true
					if item.Status == "accepted" && err == nil && resp.StatusCode == http.StatusAccepted {
						l.acked[item.EventID] = true
						l.last = a
					}
				}
				l.mu.Unlock()
				if errors.Is(err, syscall.ECONNREFUSED) {
					return
				}
				count.Add(1)
			}
		})
	}
	wait.Wait()
}

// TestDrainIngest ends an ingest under load: everything that was answered 202 stands in the log, once or more, and nothing that
// was never sent.
//
//fault:h4 every 202 is in the log
func TestDrainIngest(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := builtSite(t, b)
		p := start(t, s.with("SWITCHBOARD_SHUTDOWN_READY_DELAY=100ms"), "ingest").ready()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var l load
		var count atomic.Int64
		done := make(chan struct{})
		go func() { defer close(done); l.run(ctx, p.reports(), 8, 20, &count) }()
		eventually(t, "load", func() string {
			if n := count.Load(); n < 100 {
				return fmt.Sprint(n, " requests answered")
			}
			return ""
		})
		p.signal(syscall.SIGTERM)
		if code := p.exit(30 * time.Second); code != 0 {
			t.Errorf("exit code %d", code)
		}
		<-done
		inLog := map[string]bool{}
		for _, r := range s.Read(s.Reports) {
			inLog[event.ID(r.Key).String()] = true
		}
		for id := range l.acked {
			if !inLog[id] {
				t.Errorf("%s was acknowledged and is not in the log", id)
			}
		}
		if len(l.acked) < 2000 {
			t.Errorf("only %d reports were acknowledged", len(l.acked))
		}
		t.Logf("%d acknowledged, %d in the log", len(l.acked), len(inLog))
	})
}

// TestDrainProcessor ends one of two processors under load: it leaves the group at once, so that the other takes over long before the
// session timeout, and nothing is lost or doubled.
//
//fault:h4 the successor takes over long before the session ends
//fault:h5 one of two goes, nothing is lost or doubled
func TestDrainProcessor(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := builtSite(t, b)
		env := s.with("SWITCHBOARD_PROCESSOR_SESSION_TIMEOUT=30s", "SWITCHBOARD_PROCESSOR_BATCH_LIVE_EVENTS=50")
		first, second := start(t, env, "processor").ready(), start(t, env, "processor").ready()
		lanes := func(p *process) float64 { return p.metric("switchboard_processor_lane_state", "calls.reports/") }
		eventually(t, "they share", func() string {
			if a, b := lanes(first), lanes(second); a == 0 || b == 0 || a+b != partitions {
				return fmt.Sprint(a, " and ", b)
			}
			return ""
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		in := start(t, s.Env, "ingest").ready()
		var l load
		var count atomic.Int64
		done := make(chan struct{})
		go func() { defer close(done); l.run(ctx, in.reports(), 4, 20, &count) }()
		eventually(t, "it folds", func() string {
			if n := first.metric("switchboard_processor_records_total"); n < 500 {
				return fmt.Sprint(n, " records")
			}
			return ""
		})
		first.signal(syscall.SIGTERM)
		if code := first.exit(20 * time.Second); code != 0 {
			t.Errorf("exit code %d", code)
		}
		left := time.Now()
		within(t, 15*time.Second, "the other takes over", func() string {
			if n := lanes(second); n != partitions {
				return fmt.Sprint("it has ", n)
			}
			if status, reasons := second.readiness(); status != http.StatusOK {
				return fmt.Sprint(reasons)
			}
			return ""
		})
		t.Logf("taken over %s after the first had ended", time.Since(left).Round(time.Millisecond))
		cancel()
		<-done
		s.folded()
		if n := second.metric("switchboard_processor_redis_rollbacks_total"); n != 0 {
			t.Errorf("%v rollbacks of Redis: the first had told the group more than it had written", n)
		}
		second.signal(syscall.SIGTERM)
		if code := second.exit(20 * time.Second); code != 0 {
			t.Errorf("exit code %d", code)
		}
		// The group's offsets are where the read models are.
		offsets, err := s.Admin.FetchOffsets(t.Context(), s.On.Prefix+"switchboard-processor")
		if err != nil {
			t.Fatal(err)
		}
		for p := range int32(partitions) {
			if o, ok := offsets.Lookup(s.Reports, p); !ok || o.At != s.Next(p) || !strings.HasPrefix(o.Metadata, "v1|") {
				t.Errorf("%s/%d: the group is at %d with %q, the read models at %d", s.Reports, p, o.At, o.Metadata, s.Next(p))
			}
		}
	})
}

// TestSecondSignal: who is told twice ends at once, and says with 1 that he had not finished.
//
//fault:h4 told twice: ends at once, with 1
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	b, broker := faulty(t)
	s := builtSite(t, b)
	t.Run("ingest", func(t *testing.T) {
		p := start(t, s.with("SWITCHBOARD_INGEST_REQUEST_DEADLINE=25s", "SWITCHBOARD_SHUTDOWN_DRAIN_DEADLINE=50s"), "ingest").ready()
		fault := broker.Fault(noReplicas(s.Reports))
		defer fault.Remove()
		go post(t.Context(), p.reports(), []byte("["+marshal(call("+447700900001", "", 1))+"]"))
		eventually(t, "a request waits", func() string {
			_, text := p.get("/debug/pprof/goroutine?debug=2")
			if !strings.Contains(text, "kafkalog.(*Appender).Append(") {
				return "none"
			}
			return ""
		})
		p.signal(syscall.SIGTERM)
		p.says("draining")
		if status, reasons := p.readiness(); status != http.StatusServiceUnavailable || !strings.Contains(reasons["process/draining"], "draining") {
			t.Errorf("/readyz while draining: %d %v", status, reasons)
		}
		p.signal(syscall.SIGTERM)
		if code := p.exit(5 * time.Second); code != 1 {
			t.Errorf("exit code %d", code)
		}
		p.says("second signal")
	})
	t.Run("processor", func(t *testing.T) {
		p := start(t, s.with("SWITCHBOARD_SHUTDOWN_READY_DELAY=1m"), "processor").ready()
		p.signal(syscall.SIGINT)
		p.says("draining")
		p.signal(syscall.SIGTERM)
		if code := p.exit(5 * time.Second); code != 1 {
			t.Errorf("exit code %d", code)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		p := start(t, s.with("SWITCHBOARD_SHUTDOWN_DRAIN_DEADLINE=300ms"), "processor").ready()
		// A chunk that is in flight when Redis freezes is waited for, no longer than the deadline.
		eventually(t, "the lanes are there", func() string {
			if n := p.metric("switchboard_processor_lane_state", `state="live"`, "calls.reports/"); n != partitions {
				return fmt.Sprint(n)
			}
			return ""
		})
		s.On.Server.Pause()
		defer s.On.Server.Resume()
		s.Write(&kgo.Record{Topic: s.Reports, Partition: 0, Key: []byte("k"), Value: []byte("poison: it needs a commit, and no read")})
		eventually(t, "a chunk is in flight", func() string {
			if _, text := p.get("/debug/pprof/goroutine?debug=2"); !strings.Contains(text, "pipeline.(*tenure).land(") {
				return "none"
			}
			return ""
		})
		p.signal(syscall.SIGTERM)
		if code := p.exit(5 * time.Second); code != 1 {
			t.Errorf("exit code %d", code)
		}
		p.says("reason=deadline")
	})
}
