package site

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"switchboard/tests/backend"
)

var built struct {
	once sync.Once
	dir  string
	err  error
}

// Program is the path of a program of cmd. They are all built on first use; Remove throws them away.
func Program(t testing.TB, name string) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "switchboard-site-"); built.err != nil {
			return
		}
		if out, err := exec.Command("go", "build", "-o", built.dir, "switchboard/cmd/...").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, name)
}

// Remove is for a TestMain: backend.Main(m, site.Remove).
func Remove() {
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
}

// Process is a role that runs, or ran.
type Process struct {
	Role string
	Name string // "processor-2": the second one of its site
	Log  string // file of what it says

	t    testing.TB
	cmd  *exec.Cmd
	dead chan struct{}
}

// Start starts a role with the environment of the site and some more. It is killed when the test ends.
func (s *Site) Start(role string, more ...string) *Process {
	s.Helper()
	return s.StartProgram(Program(s.TB, role), role, more...)
}

// StartProgram starts another build of a role.
func (s *Site) StartProgram(path, role string, more ...string) *Process {
	s.Helper()
	s.mu.Lock()
	s.started[role]++
	name := fmt.Sprint(role, "-", s.started[role])
	s.mu.Unlock()
	p := &Process{Role: role, Name: name, Log: filepath.Join(s.Logs, name+".log"), t: s.TB, dead: make(chan struct{})}
	file, err := os.Create(p.Log)
	if err != nil {
		s.Fatal(err)
	}
	defer file.Close()
	p.cmd = exec.Command(path)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir, p.cmd.Env = file, file, s.Logs, s.environ(more...)
	if err := backend.Start(p.cmd, syscall.SIGKILL); err != nil {
		s.Fatalf("start %s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.dead)
	}()
	s.Cleanup(func() {
		p.Signal(syscall.SIGKILL)
		<-p.dead
		if s.Failed() && !s.kept {
			text := p.said()
			s.Logf("%s (exit code %d) said:\n%s", name, p.cmd.ProcessState.ExitCode(), text[max(0, len(text)-3000):])
		}
	})
	return p
}

// PID is that of the process; a dead one's may be somebody else's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal, unless it has ended.
func (p *Process) Signal(sig syscall.Signal) {
	select {
	case <-p.dead:
	default:
		_ = p.cmd.Process.Signal(sig)
	}
}

// Kill is kill -9, and returns when it is dead.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.dead
}

// Dead is closed when it has ended.
func (p *Process) Dead() <-chan struct{} { return p.dead }

// Stop is SIGTERM; it must end by itself, with 0.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.dead:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			p.t.Errorf("%s ended with %d after SIGTERM", p.Name, code)
		}
	case <-time.After(patience):
		p.t.Fatalf("%s has not ended %s after SIGTERM", p.Name, patience)
	}
}

func (p *Process) said() string {
	text, err := os.ReadFile(p.Log)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// Errors are the lines that it logged at the level ERROR.
func (p *Process) Errors() []string {
	var found []string
	for line := range strings.Lines(p.said()) {
		if strings.Contains(line, "level=ERROR") || strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			found = append(found, p.Name+": "+strings.TrimSpace(line))
		}
	}
	return found
}

var (
	probesAt  = regexp.MustCompile(`observability=(http://\S+)`)
	reportsAt = regexp.MustCompile(`url=(http://\S+)/v1/reports`)
)

// find is the first group of an expression in what it has said so far, "" when that is not there yet.
func (p *Process) find(re *regexp.Regexp) string {
	if m := re.FindStringSubmatch(p.said()); m != nil {
		return m[1]
	}
	return ""
}

// URL is where an ingest takes things, "" before it listens.
func (p *Process) URL() string { return p.find(reportsAt) }

var probing = &http.Client{Timeout: 5 * time.Second}

// Get asks one of its probes.
func (p *Process) Get(path string) (status int, body string, err error) {
	at := p.find(probesAt)
	if at == "" {
		return 0, "", errors.New("it does not listen yet")
	}
	resp, err := probing.Get(at + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// Ready waits until it says so.
func (p *Process) Ready() *Process {
	p.t.Helper()
	Eventually(p.t, patience, p.Name+" is ready", func() string {
		select {
		case <-p.dead:
			p.t.Fatalf("%s has ended (exit code %d):\n%s", p.Name, p.cmd.ProcessState.ExitCode(), p.said())
		default:
		}
		status, body, err := p.Get("/readyz")
		switch {
		case err != nil:
			return err.Error()
		case status != http.StatusOK:
			return body
		}
		return ""
	})
	return p
}

// Series is how many samples a metric has; 0 while the process does not answer.
func (p *Process) Series(name string) (n int) {
	_, text, _ := p.Get("/metrics")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name+"{") {
			n++
		}
	}
	return n
}
