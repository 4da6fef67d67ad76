package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrDegraded marks a reason that does not take the process out of service: it answers, and says that
// something is not as it should be.
var ErrDegraded = errors.New("degraded")

var errStarting = errors.New("starting")

// Ready is a check that its role sets.
type Ready struct{ reason atomic.Pointer[error] }

// Set is nil when ready, else the reason why not; one that wraps ErrDegraded is ready with a reason.
func (r *Ready) Set(reason error) { r.reason.Store(&reason) }

func (r *Ready) get() error { return *r.reason.Load() }

// health is every check of a process, of all its roles.
type health struct {
	draining atomic.Bool

	mu     sync.Mutex // guards checks; not held while one is asked
	checks []check
}

type check struct {
	role, name string
	ask        func() error
}

func (h *health) add(role, name string, ask func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, check{role: role, name: name, ask: ask})
}

func (h *health) drain() { h.draining.Store(true) }

// Answer is what /readyz says.
type answer struct {
	Status string   `json:"status"` // ready, degraded, not ready
	Checks []result `json:"checks"`
}

type result struct {
	Role   string `json:"role"`
	Check  string `json:"check"`
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

const (
	statusReady    = "ready"
	statusDegraded = "degraded"
	statusNotReady = "not ready"
)

// ask asks every check, in the order in which they were registered.
func (h *health) ask() answer {
	h.mu.Lock()
	checks := slices.Clone(h.checks)
	h.mu.Unlock()
	a := answer{Status: statusReady, Checks: []result{}}
	record := func(role, name string, err error) {
		r := result{Role: role, Check: name, Status: statusReady}
		switch {
		case err == nil:
		case errors.Is(err, ErrDegraded):
			r.Status, r.Reason = statusDegraded, scrubbed(err)
			if a.Status == statusReady {
				a.Status = statusDegraded
			}
		default:
			r.Status, r.Reason = statusNotReady, scrubbed(err)
			a.Status = statusNotReady
		}
		a.Checks = append(a.Checks, r)
	}
	switch {
	case h.draining.Load():
		record("process", "draining", ErrDraining)
	case len(checks) == 0:
		record("process", "starting", errStarting)
	}
	for _, c := range checks {
		record(c.role, c.name, c.ask())
	}
	return a
}

// readyz answers 200 when ready or degraded, else 503; as text, or as JSON if the client prefers it.
func (h *health) readyz(w http.ResponseWriter, r *http.Request) {
	a := h.ask()
	code := http.StatusOK
	if a.Status == statusNotReady {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Query().Get("format") == "json" || strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(a)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, a.text())
}

// text is the status, and a line for each check.
func (a answer) text() string {
	var b strings.Builder
	b.WriteString(a.Status + "\n")
	for _, c := range a.Checks {
		fmt.Fprintf(&b, "%s/%s: %s", c.Role, c.Check, c.Status)
		if c.Reason != "" {
			b.WriteString(": " + c.Reason)
		}
		b.WriteString("\n")
	}
	return b.String()
}

var readyDesc = prometheus.NewDesc("switchboard_ready", "1 if the check is ready or degraded, else 0.", []string{"role", "check"}, nil)

// Describe is of prometheus.Collector.
func (h *health) Describe(into chan<- *prometheus.Desc) { into <- readyDesc }

// Collect is of prometheus.Collector.
func (h *health) Collect(into chan<- prometheus.Metric) {
	seen := map[[2]string]bool{}
	for _, c := range h.ask().Checks {
		if key := [2]string{c.Role, c.Check}; !seen[key] {
			seen[key] = true
			value := 1.0
			if c.Status == statusNotReady {
				value = 0
			}
			into <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, value, c.Role, c.Check)
		}
	}
}
