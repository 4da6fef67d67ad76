package attack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// faultnet is the network of one process, as it dials Kafka and Redis. It can lose what is sent, lose the replies, deliver late (after
// the process has given up), stand still (the process is a zombie to everybody else), and be cut (the process was killed).
type faultnet struct {
	mu     sync.Mutex
	rand   *rand.Rand
	cut    bool
	thawed chan struct{} // open while the network stands still; nil when it does not
	conns  map[*faultconn]bool
	counts map[string]int
	trap   *trap

	// Faults of one write in a million; only on the way to Redis.
	drop, loseReply, late int
	maxLate               time.Duration
}

// step is a trip of a lane to Redis, as what is written shows it.
type step string

const (
	opening  step = "open"       // WATCH and HGETALL of the position
	claiming step = "claim"      // writes the token
	loading  step = "load"       // of totals or subjects
	within   step = "in a chunk" // a part of a chunk that is too long for one write
	chunk    step = "chunk"      // any but the last of its batch
	last     step = "last chunk" // moves the position
	making   step = "make"       // a generation, or v:serving
	other    step = ""           // whatever else the process asks
)

var steps = []step{opening, claiming, loading, within, chunk, last, making}

// stepOf tells what is written to a connection on which a transaction is open or not.
func stepOf(b []byte, open bool) step {
	has := func(word string) bool { return bytes.Contains(b, []byte("\r\n"+word+"\r\n")) }
	switch {
	case has("EXEC") && has("high_watermark"):
		return last
	case has("EXEC") && has("ahead"):
		return chunk
	case has("EXEC") && has("hmget"):
		return claiming
	case has("EXEC"), has("exec"):
		return making
	case open, has("MULTI"):
		return within
	case has("WATCH") && has("hgetall") && bytes.Contains(b, []byte(":pos\r\n")):
		return opening
	case has("hmget"):
		return loading
	}
	return other
}

// trap springs at the next write of a step, before it is sent or when it has been.
type trap struct {
	at     step
	after  bool
	spring func() // once; it may call the faultnet
	sprung chan struct{}
}

// set lays a trap. It is taken away by calling the function that it returns, which is false when it had sprung.
func (n *faultnet) set(t *trap) (remove func() bool) {
	t.sprung = make(chan struct{})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.trap = t
	return func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		had := n.trap == t
		if had {
			n.trap = nil
		}
		return had
	}
}

// walk springs the trap that a step falls into, if there is one.
func (n *faultnet) walk(at step, after bool) {
	n.mu.Lock()
	t := n.trap
	if t == nil || t.after != after || t.at != at {
		n.mu.Unlock()
		return
	}
	n.trap = nil
	n.mu.Unlock()
	t.spring()
	close(t.sprung)
}

func newFaultnet(seed uint64) *faultnet {
	return &faultnet{rand: rand.New(rand.NewPCG(seed, 99)), conns: map[*faultconn]bool{}, counts: map[string]int{}}
}

// patience is how long an answer of a broker may take: more than any of them needs, and less than a client waits for one that never comes.
const patience = session + 300*time.Millisecond

var errCut = errors.New("faultnet: cut")

// dial reaches a server through the faults; steady leaves the random ones out.
func (n *faultnet) dial(steady bool) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if err := n.wait(ctx); err != nil {
			return nil, err
		}
		var d net.Dialer
		inner, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c := &faultconn{Conn: inner, net: n, steady: steady, gone: make(chan struct{})}
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.cut {
			inner.Close()
			return nil, errCut
		}
		n.conns[c] = true
		return c, nil
	}
}

// wait holds the caller while the network stands still.
func (n *faultnet) wait(ctx context.Context) error {
	for {
		n.mu.Lock()
		thawed, cut := n.thawed, n.cut
		n.mu.Unlock()
		if cut {
			return errCut
		}
		if thawed == nil {
			return nil
		}
		select {
		case <-thawed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (n *faultnet) freeze() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.thawed == nil {
		n.thawed = make(chan struct{})
	}
}

func (n *faultnet) thaw() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.thawed != nil {
		close(n.thawed)
		n.thawed = nil
	}
}

// kill cuts every connection, for ever. What was written is delivered all the same.
func (n *faultnet) kill() {
	n.mu.Lock()
	n.cut = true
	conns := n.conns
	n.conns = map[*faultconn]bool{}
	n.mu.Unlock()
	n.thaw()
	for c := range conns {
		c.lose()
	}
}

func (n *faultnet) calm() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drop, n.loseReply, n.late = 0, 0, 0
}

// draw decides the fate of one write.
func (n *faultnet) draw() (fate string, delay time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	const million = 1_000_000
	switch x := n.rand.IntN(million); {
	case x < n.drop:
		fate = "drop"
	case x < n.drop+n.loseReply:
		fate = "lost reply"
	case x < n.drop+n.loseReply+n.late:
		fate, delay = "late", time.Duration(n.rand.Int64N(int64(n.maxLate)))
	default:
		return "", 0
	}
	n.counts[fate]++
	return fate, delay
}

// faultconn is one connection through a faultnet.
type faultconn struct {
	net.Conn
	net    *faultnet
	steady bool
	once   sync.Once
	gone   chan struct{} // closed: for the process the connection is dead
	open   bool          // a transaction has been written in part; of the writing goroutine

	mu   sync.Mutex
	held []byte // written after the connection began to be late
	late bool
}

func (c *faultconn) Write(b []byte) (int, error) {
	if err := c.net.wait(context.Background()); err != nil {
		return 0, err
	}
	if !c.steady {
		at := stepOf(b, c.open)
		c.open = at == within
		c.net.walk(at, false)
		if err := c.net.wait(context.Background()); err != nil { // it may be cut or stand still by now
			return 0, err
		}
		defer c.net.walk(at, true)
	}
	return c.send(b)
}

func (c *faultconn) send(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.late {
		c.held = append(c.held, b...)
		return len(b), nil
	}
	select {
	case <-c.gone:
		return 0, io.ErrClosedPipe
	default:
	}
	if c.steady {
		return c.Conn.Write(b)
	}
	switch fate, delay := c.net.draw(); fate {
	case "drop":
		c.lose()
		return 0, io.ErrClosedPipe
	case "lost reply":
		n, err := c.Conn.Write(b)
		c.lose()
		return n, err
	case "late":
		c.late, c.held = true, append(c.held, b...)
		go c.deliver(delay)
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// deliver sends what was held back, when the process has long given up.
func (c *faultconn) deliver(delay time.Duration) {
	time.Sleep(min(delay, 20*time.Millisecond)) // the rest of the same pipeline is written meanwhile
	c.lose()
	time.Sleep(delay)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.Conn.Write(c.held)
}

// lose makes the connection dead to the process. The server is let finish what it has received: closing at once could reset it.
func (c *faultconn) lose() {
	c.once.Do(func() {
		close(c.gone)
		_ = c.Conn.SetReadDeadline(time.Now())
		time.AfterFunc(2*time.Second, func() { _ = c.Conn.Close() })
	})
}

func (c *faultconn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if e := c.net.wait(context.Background()); e != nil {
		return 0, e
	}
	select {
	case <-c.gone:
		return 0, io.EOF
	default:
		return n, err
	}
}

func (c *faultconn) SetReadDeadline(t time.Time) error {
	select {
	case <-c.gone:
		return nil
	default:
	}
	if soon := time.Now().Add(patience); c.steady && t.After(soon) {
		t = soon
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *faultconn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.Conn.SetWriteDeadline(t)
}

func (c *faultconn) Close() error {
	c.net.mu.Lock()
	delete(c.net.conns, c)
	c.net.mu.Unlock()
	c.mu.Lock()
	late := c.late
	c.mu.Unlock()
	if late {
		c.lose() // what is held must still arrive
		return nil
	}
	c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}

func (n *faultnet) isCut() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut
}
