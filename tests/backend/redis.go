package backend

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is for servers that start or stop on two cores which others are using too.
const patience = 60 * time.Second

// RedisServer is a redis-server process of one test, with the settings of deploy/local/redis/redis.conf.
// Its folder lives as long as the test: Kill and Start in any order find the data of before.
type RedisServer struct {
	Addr string   // host:port, the same after each Start
	Dir  string   // data (appendonlydir) and redis.log
	Args []string // extra settings; a change counts from the next Start

	t     testing.TB
	port  int
	child *child // nil when it does not run
}

// RealRedis starts a redis-server on a free port. The arguments are settings as on its command
// line, such as "--maxmemory", "64mb".
func RealRedis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	s := newRedis(t, args)
	note(t, "real redis", redisVersion())
	return s
}

func newRedis(t testing.TB, args []string) *RedisServer {
	t.Helper()
	if _, err := redisProgram(); err != nil {
		missing(t, "redis", err)
	}
	s := &RedisServer{Dir: t.TempDir(), Args: args, t: t}
	t.Cleanup(s.Kill) // after TempDir, so before the folder goes
	var err error
	for range 5 {
		// Between choosing a port and binding it somebody else may have been quicker.
		s.port = freePort()
		s.Addr = fmt.Sprintf("127.0.0.1:%d", s.port)
		if err = s.start(); err == nil || !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	if err != nil {
		t.Fatalf("start redis-server: %v", err)
	}
	return s
}

// Start starts it on the same port and folder, and returns when it has loaded them. It must not be running.
func (s *RedisServer) Start() {
	s.t.Helper()
	if s.child != nil {
		s.t.Fatal("start redis-server: it is running")
	}
	if err := s.start(); err != nil {
		s.t.Fatalf("start redis-server again: %v", err)
	}
}

// Kill ends it as kill -9 does. What it had handed to the kernel is kept: that is not a power
// cut. Nothing happens when it does not run.
func (s *RedisServer) Kill() {
	if s.child != nil {
		s.child.signal(syscall.SIGKILL)
		<-s.child.dead
		s.child = nil
	}
}

// Stop asks it to end; all writes are on disk then.
func (s *RedisServer) Stop() {
	s.t.Helper()
	if s.child == nil {
		return
	}
	s.child.signal(syscall.SIGTERM)
	select {
	case <-s.child.dead:
		s.child = nil
	case <-time.After(patience):
		s.Kill()
		s.t.Fatalf("redis-server did not stop within %v:\n%s", patience, s.Log())
	}
}

// Pause freezes it: connections stay open, nothing is answered. Resume thaws it.
func (s *RedisServer) Pause()  { s.child.signal(syscall.SIGSTOP) }
func (s *RedisServer) Resume() { s.child.signal(syscall.SIGCONT) }

// PID is that of the process that runs now, 0 when none does.
func (s *RedisServer) PID() int {
	if s.child == nil {
		return 0
	}
	return s.child.cmd.Process.Pid
}

// Log is what redis-server has written so far, all starts together.
func (s *RedisServer) Log() string {
	text, _ := os.ReadFile(filepath.Join(s.Dir, "redis.log"))
	return string(text)
}

func (s *RedisServer) start() error {
	program, err := redisProgram()
	if err != nil {
		return err
	}
	args := append([]string{
		filepath.Join(repository(), "deploy/local/redis/redis.conf"),
		"--port", fmt.Sprint(s.port), "--dir", s.Dir, "--logfile", "redis.log",
	}, s.Args...)
	before := len(s.Log())
	c, err := startChild(exec.Command(program, args...), syscall.SIGKILL)
	if err != nil {
		return err
	}
	s.child = c
	deadline := time.After(patience)
	for !s.answers() {
		select {
		case <-c.dead:
			s.child = nil
			return fmt.Errorf("it ended at once (%v):\n%s%s", c.err, c.output, s.Log()[before:])
		case <-deadline:
			s.Kill()
			return fmt.Errorf("no answer within %v:\n%s", patience, s.Log()[before:])
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// answers asks the process itself who it is: at a port taken over by somebody else, another
// Redis would answer a PING just as well.
func (s *RedisServer) answers() bool {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprint(conn, "INFO server\r\nPING\r\nQUIT\r\n")
	ours, ready := false, false
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "-NOAUTH"):
			return true // with --requirepass nobody tells a stranger more
		case line == fmt.Sprintf("process_id:%d", s.PID()):
			ours = true
		case line == "+PONG": // while it loads, -LOADING
			ready = true
		}
	}
	return ours && ready
}
