// Package daemon is the process around a role: signals, the deadline of a drain, logs, health, metrics and
// profiles. It knows nothing of what the role does.
//
// A role is a function of a context and a Process. When it should stop, the context ends, and the function has
// Options.DrainDeadline to finish what is in work and return. Several roles can share one process and
// one observability port: give each its own Process.Role.
package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// ErrDraining is the cause of a role's context when it should finish and return.
var ErrDraining = errors.New("draining")

// Options say how a process runs.
type Options struct {
	Name string // of the role, such as processor
	// Run does the work. It returns nil, or the error of its context, when it has drained.
	Run func(ctx context.Context, p *Process) error

	Listen    string // observability, host:port; empty: nothing is served
	LogLevel  string // debug, info, warn, error
	LogFormat string // text, json

	// ReadyDelay is the time between saying "not ready" and ending Run's context, for load balancers.
	ReadyDelay time.Duration
	// DrainDeadline is what Run has after that.
	DrainDeadline time.Duration

	Facts  []slog.Attr // what the start-up line tells besides version and port: addresses, config files
	Stderr io.Writer   // logs and the last words; nil: os.Stderr

	signals <-chan os.Signal // of tests; nil: those of the process
}

// Run runs the role until it returns, and gives the exit code of the process:
//   - 0: it ended by itself, or drained after SIGTERM, SIGINT or the end of ctx;
//   - 1: it failed, or a second signal or the deadline came before it had drained. It may be running still: exit at once;
//   - what the error says by a method ExitCode() int, such as 2 of a config error.
func Run(ctx context.Context, o Options) int {
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	log, err := NewLogger(o.Stderr, o.LogLevel, o.LogFormat)
	if err != nil {
		_, _ = io.WriteString(o.Stderr, o.Name+": "+err.Error()+"\n")
		return ExitCode(err)
	}
	if o.signals == nil {
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
		defer signal.Stop(signals)
		o.signals = signals
	}
	p := NewProcess(o.Name, log)
	served := "nowhere"
	if o.Listen != "" {
		server, err := p.Serve(o.Listen)
		if err != nil {
			return o.failed(p.Logger, err)
		}
		defer server.Close()
		served = "http://" + server.Addr().String()
	}
	b := ReadBuild()
	line := []slog.Attr{slog.String("version", b.Version), slog.String("revision", b.Revision), slog.String("go", b.Go), slog.Int("pid", os.Getpid()), slog.String("observability", served)}
	p.Logger.LogAttrs(ctx, slog.LevelInfo, "started", append(line, o.Facts...)...)
	return o.supervise(ctx, p)
}

// supervise starts Run and waits for its end, a signal or a deadline.
func (o Options) supervise(ctx context.Context, p *Process) int {
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(ErrDraining)
	done := make(chan error, 1)
	go func() { done <- o.Run(run, p) }()

	var reason string
	select {
	case err := <-done:
		return o.ended(p.Logger, err, false)
	case s := <-o.signals:
		reason = s.String()
	case <-ctx.Done():
		reason = context.Cause(ctx).Error()
	}
	p.health.drain()
	p.Logger.Info("draining", "reason", reason, "ready_delay", o.ReadyDelay, "deadline", o.DrainDeadline)

	// Both waits end with the role, and with a second signal.
	wait := func(limit time.Duration) (code int, over bool) {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		select {
		case err := <-done:
			return o.ended(p.Logger, err, true), true
		case s := <-o.signals:
			p.Logger.Error("stopped before it had drained", "reason", "second signal: "+s.String())
			return 1, true
		case <-timer.C:
			return 0, false
		}
	}
	if o.ReadyDelay > 0 {
		if code, over := wait(o.ReadyDelay); over {
			return code
		}
	}
	cancel(ErrDraining)
	if code, over := wait(o.DrainDeadline); over {
		return code
	}
	p.Logger.Error("stopped before it had drained", "reason", "deadline", "deadline", o.DrainDeadline)
	return 1
}

// ended logs how Run returned and gives the exit code.
func (o Options) ended(log *slog.Logger, err error, drained bool) int {
	if err == nil || drained && (errors.Is(err, context.Canceled) || errors.Is(err, ErrDraining)) {
		attrs := []any{"drained", drained}
		if err != nil {
			attrs = append(attrs, "result", err)
		}
		log.Info("stopped", attrs...)
		return 0
	}
	return o.failed(log, err)
}

// failed says what went wrong: one log line, and in text format what has several lines below it, where people
// can read it. An error with a method Details() string is shown as that says; it must hold nothing of people.
func (o Options) failed(log *slog.Logger, err error) int {
	first, rest, _ := strings.Cut(err.Error(), "\n")
	rest = Scrub(rest)
	var detailed interface{ Details() string }
	if errors.As(err, &detailed) {
		rest = detailed.Details()
	}
	switch {
	case rest == "":
		log.Error("failed", "err", first)
	case o.LogFormat == "json":
		log.Error("failed", "err", first, "details", verbatim(rest))
	default:
		log.Error("failed", "err", first)
		_, _ = io.WriteString(o.Stderr, strings.TrimRight(rest, "\n")+"\n")
	}
	return ExitCode(err)
}

// ExitCode is what a process should end with for an error: 0 for nil, what the error says by a method ExitCode()
// int, else 1.
func ExitCode(err error) int {
	var coded interface{ ExitCode() int }
	switch {
	case err == nil:
		return 0
	case errors.As(err, &coded):
		return coded.ExitCode()
	}
	return 1
}
