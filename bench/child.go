package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/intake"
)

// Roles run as processes of their own, so that their CPU time, memory and garbage collection are their own. A child is this program
// again; it tells what happens as lines of JSON, and ends when its standard input does.
const childVariable = "BENCH_CHILD"

// spec is what a child is to do.
type spec struct {
	Role    string
	Ends    []int64 `json:",omitempty"` // of a processor or, of its snapshots, a snapshotter: when these positions are reached, it says so
	Record  string  `json:",omitempty"` // folder for what is sent to Redis
	File    string  `json:",omitempty"` // of import
	Profile string  `json:",omitempty"` // prefix of profiles
}

// news is one line of a child. CPU, memory and what it counts are as of then.
type news struct {
	What      string        // claimed, written, reached, listening, ended
	At        time.Time     //
	Addr      string        `json:",omitempty"`
	CPU       time.Duration // user and system
	PeakBytes int64         // resident
	Allocs    uint64        // objects allocated
	Allocated uint64        // bytes of them
	GC        time.Duration // CPU time of the garbage collector, as the runtime estimates it
	Mutations int64         `json:",omitempty"`
	Chunks    int64         `json:",omitempty"`
	Batches   int64         `json:",omitempty"`
	Commit    time.Duration `json:",omitempty"` // waited for chunks, sum over lanes
}

func takeNews(what string) news {
	n := news{What: what, At: time.Now()}
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		n.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	n.PeakBytes = (&process{"/proc/self"}).peakBytes()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	n.Allocs, n.Allocated = m.Mallocs, m.TotalAlloc
	n.GC = time.Duration(m.GCCPUFraction * float64(n.CPU))
	return n
}

// child is a role that runs.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	news  chan news
	began time.Time
}

func (t *site) start(ctx context.Context, s spec, environ ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = t.childEnviron(append(environ, childVariable+"="+string(text))...)
	return startChild(cmd)
}

// startChild starts a program that tells lines of news, and ends when its standard input does.
func startChild(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, news: make(chan news, 100), began: time.Now()}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.news)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var n news
			if json.Unmarshal(lines.Bytes(), &n) == nil {
				c.news <- n
			}
		}
	}()
	return c, nil
}

// process is the child as its CPU time and memory can be read from outside.
func (c *child) process() *process {
	return &process{filepath.Join("/proc", strconv.Itoa(c.cmd.Process.Pid))}
}

// await is the next line of a kind.
func (c *child) await(ctx context.Context, what string) (news, error) {
	limit := time.NewTimer(5 * time.Minute)
	defer limit.Stop()
	for {
		select {
		case n, ok := <-c.news:
			if !ok {
				return n, fmt.Errorf("the role ended before it was %q: %v", what, c.cmd.Wait())
			}
			if n.What == what {
				return n, nil
			}
		case <-ctx.Done():
			return news{}, ctx.Err()
		case <-limit.C:
			return news{}, fmt.Errorf("the role was not %q within 5 minutes", what)
		}
	}
}

// end lets it drain, and tells what it used.
func (c *child) end(ctx context.Context) (news, error) {
	c.stdin.Close()
	n, err := c.await(ctx, "ended")
	if err != nil {
		return n, err
	}
	return n, c.cmd.Wait()
}

// kill ends it whatever it does, if it has not ended.
func (c *child) kill() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}

// childMain is the program of a child; it returns the exit code.
func childMain(text string) int {
	var s spec
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		ctx, stop := context.WithCancel(context.Background())
		go func() {
			io.Copy(io.Discard, os.Stdin)
			stop()
		}()
		err = s.run(ctx)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(os.Stderr, "bench: role %s: %v\n", s.Role, err)
		return 1
	}
	return 0
}

func tell(n news) {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func (s *spec) run(ctx context.Context) error {
	cfg, err := config.Load(config.Options{Environ: os.Environ(), Roles: []config.Role{config.RoleProcessor, config.RoleIngest, config.RoleSnapshotter, config.RoleImport}})
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	stop, err := s.startProfile()
	if err != nil {
		return err
	}
	switch s.Role {
	case "processor":
		err = s.processor(ctx, cfg, log)
	case "snapshotter":
		app.BoundMemory(cfg.Snapshot.MemoryLimit)
		sn := &app.Snapshotter{Config: cfg, Logger: log}
		go s.watchSnapshots(ctx, sn)
		err = sn.Run(ctx)
	case "ingest":
		app.BoundMemory(cfg.Ingest.MemoryLimit)
		in := &app.Ingest{Config: cfg, Logger: log, Listening: func(addr string) {
			n := takeNews("listening")
			n.Addr = addr
			tell(n)
		}}
		err = in.Run(ctx)
	case "import":
		im := &app.Importer{Config: cfg, Logger: log, File: s.File, Options: intake.FileOptions{Format: "ndjson"}}
		tell(takeNews("importing"))
		if _, err = im.Run(ctx); err == nil {
			tell(takeNews("imported"))
			<-ctx.Done()
		}
	case "bare-ingest":
		err = bareIngest(ctx, cfg)
	default:
		err = fmt.Errorf("no such role")
	}
	n := takeNews("ended")
	stop()
	tell(n)
	return err
}

func (s *spec) processor(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	app.BoundMemory(cfg.Processor.MemoryLimit)
	p := &app.Processor{Config: cfg, Logger: log, Version: "bench"}
	if s.Record != "" {
		p.RedisDial = recorder{folder: s.Record}.dial
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go s.watch(watching, p)
	return p.Run(ctx)
}

// watch tells what the lanes have come to.
func (s *spec) watch(ctx context.Context, p *app.Processor) {
	claimed, written := false, false
	for ctx.Err() == nil {
		time.Sleep(2 * time.Millisecond)
		var n news
		known, reached := 0, len(s.Ends) > 0
		for partition, l := range p.Lanes() {
			if !strings.HasSuffix(partition.Topic, "calls.reports") {
				continue // nothing is measured there
			}
			known++
			n.Mutations += l.Mutations
			n.Chunks += l.Commits["applied"]
			n.Batches += l.Batches
			n.Commit += l.CommitTime
			claimed2 := l.Claims["applied"] > 0
			if claimed2 && !claimed {
				claimed = true
				tell(takeNews("claimed"))
			}
			reached = reached && l.Next >= s.Ends[partition.Number]
		}
		if n.Mutations > 0 && !written {
			written = true
			tell(takeNews("written"))
		}
		if reached && known == len(s.Ends) {
			at := takeNews("reached")
			at.Mutations, at.Chunks, at.Batches, at.Commit = n.Mutations, n.Chunks, n.Batches, n.Commit
			tell(at)
			return
		}
	}
}

// watchSnapshots tells when the snapshots have come to the ends.
func (s *spec) watchSnapshots(ctx context.Context, sn *app.Snapshotter) {
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		lanes, reached := sn.Lanes(), 0
		for partition, l := range lanes {
			if !strings.HasSuffix(partition.Topic, "calls.reports") {
				continue // nothing is measured there
			}
			if l.Snapshot >= s.Ends[partition.Number] || s.Ends[partition.Number] == 0 {
				reached++
			}
		}
		if reached == len(s.Ends) {
			tell(takeNews("reached"))
			return
		}
	}
}

func (s *spec) startProfile() (stop func(), err error) {
	if s.Profile == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(filepath.Dir(s.Profile), 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(s.Profile + ".cpu.pprof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
		if f, err := os.Create(s.Profile + ".allocs.pprof"); err == nil {
			_ = pprof.Lookup("allocs").WriteTo(f, 0)
			f.Close()
		}
	}, nil
}
