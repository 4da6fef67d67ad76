package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// get asks once, on a connection of its own.
func get(t *testing.T, method, url, accept string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func serve(t *testing.T, p *Process, addr string) string {
	t.Helper()
	s, err := p.Serve(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return "http://" + s.Addr().String()
}

func TestReadyz(t *testing.T) {
	p := NewProcess("dev", quiet())
	url := serve(t, p, "127.0.0.1:0")
	expect := func(code int, body string) {
		t.Helper()
		if gotCode, got := get(t, "GET", url+"/readyz", "*/*"); gotCode != code || got != body {
			t.Errorf("/readyz = %d\n%swant %d\n%s", gotCode, got, code, body)
		}
	}
	expect(503, "not ready\nprocess/starting: not ready: starting\n")

	redis := p.Role("processor").Ready("redis")
	var kafka error
	p.Role("ingest").Check("kafka", func() error { return kafka })
	expect(503, "not ready\nprocessor/redis: not ready: starting\ningest/kafka: ready\n")

	redis.Set(fmt.Errorf("calls.reports/7@123456789 for +41791234567: %w", ErrDegraded))
	expect(200, "degraded\nprocessor/redis: degraded: calls.reports/7@123456789 for [number]: degraded\ningest/kafka: ready\n")

	redis.Set(nil)
	expect(200, "ready\nprocessor/redis: ready\ningest/kafka: ready\n")

	kafka = errors.New("no broker\nat all")
	expect(503, "not ready\nprocessor/redis: ready\ningest/kafka: not ready: no broker; at all\n")
	var asJSON answer
	code, body := get(t, "GET", url+"/readyz", "application/json")
	if err := json.Unmarshal([]byte(body), &asJSON); err != nil || code != 503 || asJSON.Status != "not ready" || asJSON.Checks[1] != (result{"ingest", "kafka", "not ready", "no broker; at all"}) {
		t.Errorf("/readyz as JSON = %d %s, %v", code, body, err)
	}
	_, metrics := get(t, "GET", url+"/metrics", "")
	for _, want := range []string{`switchboard_ready{check="kafka",role="ingest"} 0`, `switchboard_ready{check="redis",role="processor"} 1`, "switchboard_build_info{", "go_goroutines", "process_open_fds"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}

	kafka = nil
	p.health.drain()
	expect(503, "not ready\nprocess/draining: not ready: draining\nprocessor/redis: ready\ningest/kafka: ready\n")
	if code, body := get(t, "GET", url+"/healthz", ""); code != 200 || body != "ok\n" {
		t.Errorf("/healthz while draining = %d %s", code, body)
	}
}

func TestRolesShareTheRegistry(t *testing.T) {
	p := NewProcess("dev", quiet())
	for _, role := range []string{"ingest", "processor"} {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "switchboard_events_total", Help: "x"})
		p.Role(role).Registerer.MustRegister(c)
		c.Inc()
	}
	_, metrics := get(t, "GET", serve(t, p, "127.0.0.1:0")+"/metrics", "")
	for _, role := range []string{"ingest", "processor"} {
		if want := `switchboard_events_total{role="` + role + `"} 1`; !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

func TestPages(t *testing.T) {
	url := serve(t, NewProcess("role", quiet()), "127.0.0.1:0")
	for _, test := range []struct {
		method, path string
		code         int
		says         string
	}{
		{"GET", "/", 200, "/debug/pprof/"},
		{"GET", "/debug/pprof/", 200, "goroutine"},
		{"GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		{"GET", "/debug/pprof/cmdline", 404, ""},
		{"GET", "/debug/pprof/trace?seconds=0.01", 200, ""},
		{"GET", "/none", 404, ""},
		{"POST", "/readyz", 405, ""},
		{"POST", "/debug/pprof/profile", 405, ""},
	} {
		if code, body := get(t, test.method, url+test.path, ""); code != test.code || !strings.Contains(body, test.says) {
			t.Errorf("%s %s = %d, want %d and %q in it:\n%.300s", test.method, test.path, code, test.code, test.says, body)
		}
	}
}

func TestTakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o, _, log := options(nil)
	o.Run = func(_ context.Context, p *Process) error {
		p.Ready("work").Set(nil)
		_, rest, _ := strings.Cut(log.String(), "observability=")
		address, _, _ := strings.Cut(rest, "\n")
		if code, body := get(t, "GET", address+"/readyz", ""); code != 200 {
			t.Errorf("/readyz on %s = %d %s", address, code, body)
		}
		return nil
	}
	o.Listen = taken.Addr().String()
	if code := Run(t.Context(), o); code != 0 || !strings.Contains(log.String(), "port is taken") {
		t.Errorf("exit code %d\n%s", code, log)
	}
	o.Listen = "127.0.0.1:x"
	if code := Run(t.Context(), o); code != 1 || !strings.Contains(log.String(), "listen for observability") {
		t.Errorf("a bad address: exit code %d\n%s", code, log)
	}
}

// TestReadyzWhileDraining asks from outside, while the role finishes.
func TestReadyzWhileDraining(t *testing.T) {
	o, signals, log := options(nil)
	o.Listen = "127.0.0.1:0"
	o.Run = func(ctx context.Context, p *Process) error {
		p.Ready("work").Set(nil)
		signals <- syscall.SIGTERM
		<-ctx.Done()
		_, rest, _ := strings.Cut(log.String(), "observability=")
		address, _, _ := strings.Cut(rest, "\n")
		address, _, _ = strings.Cut(address, " ")
		if code, body := get(t, "GET", address+"/readyz", ""); code != 503 || !strings.Contains(body, "draining") {
			t.Errorf("/readyz = %d %s", code, body)
		}
		return nil
	}
	if code := Run(t.Context(), o); code != 0 {
		t.Errorf("exit code %d\n%s", code, log)
	}
}
