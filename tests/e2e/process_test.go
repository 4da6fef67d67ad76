package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/tests/backend"
)

// process is a role that runs.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	log  *buffer
	dead chan struct{}
}

// start starts a role; it is killed when the test ends.
func start(t testing.TB, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(program(t, name), args...), log: &buffer{}, dead: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env, p.cmd.Dir = p.log, p.log, environ(env), t.TempDir()
	if err := backend.Start(p.cmd, syscall.SIGKILL); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.dead)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.dead
		if t.Failed() {
			text := p.log.String()
			t.Logf("%s (exit code %d) said:\n%s", name, p.cmd.ProcessState.ExitCode(), text[max(0, len(text)-4000):])
		}
	})
	return p
}

func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.dead:
	default:
		_ = p.cmd.Process.Signal(s)
	}
}

// exit waits for its end.
func (p *process) exit(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.dead:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		p.t.Fatalf("%s has not ended within %s", p.name, limit)
		return -1
	}
}

// says waits for a line and gives the first group of the expression.
func (p *process) says(expression string) string {
	p.t.Helper()
	re := regexp.MustCompile(expression)
	var found string
	eventually(p.t, p.name+" says "+expression, func() string {
		text := p.log.String()
		if m := re.FindStringSubmatch(text); m != nil {
			found = m[len(m)-1]
			return ""
		}
		select {
		case <-p.dead:
			p.t.Fatalf("%s has ended (exit code %d) and never said %s:\n%s", p.name, p.cmd.ProcessState.ExitCode(), expression, text)
		default:
		}
		return "..." + text[max(0, len(text)-300):]
	})
	return found
}

// observability is the address of its probes.
func (p *process) observability() string { return p.says(`observability=(http://\S+)`) }

// reports is where an ingest takes reports.
func (p *process) reports() string { return p.says(`url=(http://\S+)`) }

// get asks one of its probes.
func (p *process) get(path string) (int, string) {
	p.t.Helper()
	resp, err := http.Get(p.observability() + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

// ready waits until it is.
func (p *process) ready() *process {
	p.t.Helper()
	eventually(p.t, p.name+" is ready", func() string {
		if code, body := p.get("/readyz"); code != http.StatusOK {
			return body
		}
		return ""
	})
	return p
}

// readiness is what /readyz says, check by check.
func (p *process) readiness() (status int, reasons map[string]string) {
	p.t.Helper()
	status, body := p.get("/readyz?format=json")
	var answer struct {
		Checks []struct{ Role, Check, Status, Reason string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		p.t.Fatalf("/readyz said %q: %v", body, err)
	}
	reasons = map[string]string{}
	for _, c := range answer.Checks {
		reasons[c.Role+"/"+c.Check] = strings.TrimSpace(c.Status + " " + c.Reason)
	}
	return status, reasons
}

// metric is the sum of the samples whose line begins with name and holds every label.
func (p *process) metric(name string, labels ...string) float64 {
	p.t.Helper()
	_, text := p.get("/metrics")
	sum := 0.0
lines:
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(rest, l) {
				continue lines
			}
		}
		var v float64
		if _, err := fmt.Sscan(rest[strings.LastIndexByte(rest, ' ')+1:], &v); err != nil {
			p.t.Fatalf("metric %q: %v", line, err)
		}
		sum += v
	}
	return sum
}

// peak watches a process to its end and gives the most bytes that it had resident, 0 where the system does not tell. The
// kernel's own answer after the end (ru_maxrss) would be that of this process, from which the other was forked.
func (p *process) peak() (bytes int64) {
	p.t.Helper()
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
		if _, rest, ok := strings.Cut(string(status), "VmHWM:"); err == nil && ok {
			var kib int64
			if _, err := fmt.Sscan(rest, &kib); err == nil {
				bytes = max(bytes, kib<<10)
			}
		}
		select {
		case <-p.dead:
			return bytes
		case <-time.After(20 * time.Millisecond):
		case <-p.t.Context().Done():
			return bytes
		}
	}
}
