package daemon

import (
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Process is what a role gets from the process it runs in.
type Process struct {
	Name string
	// Logger writes what the role has to say, with its name on each line. Texts that look like phone
	// numbers are taken out, but that is a backstop: log no personal data.
	Logger *slog.Logger
	// Registerer takes the role's metrics; each gets the label role. No personal data in labels.
	Registerer prometheus.Registerer

	health   *health
	registry *prometheus.Registry
}

// NewProcess is a process of its own: its registry has the Go runtime, the process, the build and the checks.
func NewProcess(name string, log *slog.Logger) *Process {
	registry := prometheus.NewRegistry()
	h := &health{}
	b := ReadBuild()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		h,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "switchboard_build_info", Help: "Always 1; the labels say which build runs.",
			ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "go": b.Go},
		}, func() float64 { return 1 }),
	)
	p := &Process{health: h, registry: registry}
	return p.role(name, log)
}

// Role is another role in the same process: its own name in logs, metrics and checks; the same port. Name
// each role once.
func (p *Process) Role(name string) *Process { return p.role(name, p.Logger) }

func (p *Process) role(name string, log *slog.Logger) *Process {
	return &Process{
		Name:       name,
		Logger:     log.With("role", name),
		Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"role": name}, p.registry),
		health:     p.health,
		registry:   p.registry,
	}
}

// Check registers what readiness depends on. ask is called for every /readyz and scrape, from any goroutine: it must
// answer at once, from what is known. nil is ready; an error is the reason why not; one that
// wraps ErrDegraded is ready with a reason. A process without any check is not ready.
func (p *Process) Check(name string, ask func() error) {
	p.health.add(p.Name, name, ask)
}

// Ready registers a check that the role sets itself. It is not ready ("starting") until Set says so.
func (p *Process) Ready(name string) *Ready {
	r := &Ready{}
	r.Set(errStarting)
	p.Check(name, r.get)
	return r
}

// scrubbed is the text of a reason as others may see it.
func scrubbed(err error) string { return Scrub(strings.ReplaceAll(err.Error(), "\n", "; ")) }
