package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// options of a process that is served nowhere and gets its signals from the channel.
func options(run func(context.Context, *Process) error) (Options, chan os.Signal, *buffer) {
	signals := make(chan os.Signal, 2)
	log := &buffer{}
	return Options{
		Name: "role", Run: run, LogLevel: "info", LogFormat: "text",
		DrainDeadline: 10 * time.Second, Stderr: log, signals: signals,
	}, signals, log
}

type coded int

func (coded) Error() string   { return "coded" }
func (c coded) ExitCode() int { return int(c) }

type detailed struct{}

func (detailed) Error() string   { return "differs:\nanything" }
func (detailed) Details() string { return "~ retention.ms 604800000 -> 34560000000" }

func TestExitCodes(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		format string
		code   int
		says   []string
	}{
		"ends by itself":  {nil, "text", 0, []string{"msg=started", "version=", "kafka=k:1", "msg=stopped"}},
		"fails":           {errors.New("no broker"), "text", 1, []string{`msg=failed`, `err="no broker"`}},
		"config":          {fmt.Errorf("x: %w", coded(2)), "text", 2, []string{`err="x: coded"`}},
		"is cancelled":    {context.Canceled, "text", 1, []string{`err="context canceled"`}}, // nobody asked it to stop
		"lines":           {errors.New("two:\ncall +41 79 123 45 67"), "text", 1, []string{"err=two:\ncall [number]\n"}},
		"details":         {fmt.Errorf("start: %w", detailed{}), "text", 1, []string{"err=\"start: differs:\"\n~ retention.ms 604800000 -> 34560000000\n"}},
		"details in JSON": {detailed{}, "json", 1, []string{`"details":"~ retention.ms 604800000 -> 34560000000"`}},
	} {
		t.Run(name, func(t *testing.T) {
			o, _, log := options(func(context.Context, *Process) error { return test.err })
			o.LogFormat = test.format
			o.Facts = []slog.Attr{slog.String("kafka", "k:1")}
			if code := Run(t.Context(), o); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, want := range test.says {
				if !strings.Contains(log.String(), want) {
					t.Errorf("log lacks %q:\n%s", want, log)
				}
			}
		})
	}
	o, _, log := options(nil)
	o.LogFormat = "xml"
	if code := Run(t.Context(), o); code != 1 || !strings.Contains(log.String(), `role: log format "xml"`) {
		t.Errorf("a bad log format: exit code %d, %s", code, log)
	}
}

func TestDrain(t *testing.T) {
	for name, test := range map[string]struct {
		work    time.Duration // what the role needs after its context has ended; negative: for ever
		second  time.Duration // when a second signal comes; 0: never
		delay   time.Duration
		code    int
		took    time.Duration
		lastLog string
	}{
		"in time":                    {work: 3 * time.Second, took: 3 * time.Second, lastLog: "msg=stopped"},
		"at once":                    {lastLog: "msg=stopped"},
		"too late":                   {work: -1, code: 1, took: 10 * time.Second, lastLog: "reason=deadline"},
		"second signal":              {work: -1, second: 4 * time.Second, code: 1, took: 4 * time.Second, lastLog: "second signal: terminated"},
		"after the load balancer":    {delay: 5 * time.Second, work: time.Second, took: 6 * time.Second, lastLog: "msg=stopped"},
		"deadline after the delay":   {delay: 5 * time.Second, work: -1, code: 1, took: 15 * time.Second, lastLog: "reason=deadline"},
		"second signal in the delay": {delay: 5 * time.Second, second: time.Second, work: -1, code: 1, took: time.Second, lastLog: "second signal"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				var notReady, ended time.Duration
				start := time.Now()
				var signals chan os.Signal
				var o Options
				var log *buffer
				o, signals, log = options(func(ctx context.Context, p *Process) error {
					p.Ready("work").Set(nil)
					if status := p.health.ask().Status; status != statusReady {
						t.Errorf("before the signal: %s", status)
					}
					signals <- syscall.SIGTERM
					signalled := make(chan struct{})
					go func() {
						defer close(signalled)
						for p.health.ask().Status == statusReady {
							time.Sleep(time.Millisecond)
						}
						notReady = time.Since(start)
					}()
					select {
					case <-ctx.Done():
					case <-release:
					}
					<-signalled
					ended = time.Since(start)
					if ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrDraining) {
						t.Errorf("cause = %v", context.Cause(ctx))
					}
					if test.work < 0 {
						<-release
						return nil
					}
					time.Sleep(test.work)
					return ctx.Err()
				})
				o.ReadyDelay = test.delay
				if test.second > 0 {
					time.AfterFunc(test.second, func() { signals <- syscall.SIGTERM })
				}
				code := Run(t.Context(), o)
				took := time.Since(start)
				close(release)
				synctest.Wait()
				if code != test.code || took.Round(100*time.Millisecond) != test.took {
					t.Errorf("exit code %d after %s, want %d after %s", code, took, test.code, test.took)
				}
				if test.second == 0 && (notReady > 10*time.Millisecond || ended.Round(100*time.Millisecond) != test.delay) {
					t.Errorf("not ready after %s, context ended after %s, want at once and %s", notReady, ended, test.delay)
				}
				if !strings.Contains(log.String(), test.lastLog) {
					t.Errorf("log lacks %q:\n%s", test.lastLog, log)
				}
			})
		})
	}
}

func TestParentContextIsASignal(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	o, _, log := options(func(ctx context.Context, _ *Process) error {
		cancel(errors.New("the test is over"))
		<-ctx.Done()
		return ctx.Err()
	})
	if code := Run(ctx, o); code != 0 || !strings.Contains(log.String(), `reason="the test is over"`) {
		t.Errorf("exit code %d\n%s", code, log)
	}
}

func TestRealSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		o, _, log := options(func(ctx context.Context, _ *Process) error {
			if err := syscall.Kill(os.Getpid(), signal); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		})
		o.signals = nil
		if code := Run(t.Context(), o); code != 0 || !strings.Contains(log.String(), "reason="+signal.String()) {
			t.Errorf("%s: exit code %d\n%s", signal, code, log)
		}
	}
}
