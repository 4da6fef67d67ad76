package backend

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// A child is a process that ends with this one, however this one ends: killed by a time-out of go
// test, too.
type child struct {
	cmd    *exec.Cmd
	output *bytes.Buffer // stderr; read it when dead is closed
	dead   chan struct{}
	err    error // of Wait; read it when dead is closed
}

// startChild starts cmd in a process group of its own, so that a Ctrl-C leaves it to us and a
// signal from us reaches what it forked. atOurDeath is the signal it gets when we die.
func startChild(cmd *exec.Cmd, atOurDeath syscall.Signal) (*child, error) {
	c := &child{cmd: cmd, output: &bytes.Buffer{}, dead: make(chan struct{})}
	cmd.Stderr = c.output
	if err := Start(cmd, atOurDeath); err != nil {
		return nil, err
	}
	go func() {
		c.err = cmd.Wait()
		close(c.dead)
	}()
	return c, nil
}

// Start starts cmd in a process group of its own; it gets the signal atOurDeath when this process ends, however
// it ends. Waiting for it is the caller's.
func Start(cmd *exec.Cmd, atOurDeath syscall.Signal) error {
	cmd.SysProcAttr = childAttributes(atOurDeath)
	started := make(chan error)
	keeper() <- func() { started <- cmd.Start() }
	return <-started
}

// keeper is a goroutine on a thread that never ends. The kernel sends the parent's death signal when the
// *thread* that forked is gone, and Go ends idle threads as it likes (golang/go#27505).
var keeper = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for do := range work {
			do()
		}
	}()
	return work
})

func (c *child) signal(sig syscall.Signal) {
	select {
	case <-c.dead: // the number may belong to somebody else by now
	default:
		syscall.Kill(-c.cmd.Process.Pid, sig)
	}
}

// freePort is one below the range from which the kernel takes the ports of outgoing connections:
// inside it, a client that keeps dialling a killed server can be connected to itself.
// Redis Cluster's bus, 10,000 above, is free too.
func freePort() int {
	for range 1000 {
		port := 11000 + rand.IntN(9000)
		if portFree(port) && portFree(port+10000) {
			return port
		}
	}
	panic("no free port between 11000 and 20000")
}

func portFree(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	listener.Close()
	return true
}

// exit is os.Exit, which no deferred function survives: Main alone uses it.
var exit = os.Exit
