package chaos

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// wire is a proxy between clients and one server. One goroutine uses it.
type wire struct {
	t     testing.TB
	proxy *toxiproxy.Proxy
}

var wires = toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())

func newWire(t testing.TB, listen, to string) *wire {
	t.Helper()
	w := &wire{t, toxiproxy.NewProxy(wires, "wire", listen, to)}
	if err := w.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.proxy.Stop)
	return w
}

func (w *wire) addr() string { return w.proxy.Listen }

// cut ends all connections and refuses new ones.
func (w *wire) cut() { w.proxy.Stop() }

// silence lets bytes through to the server and none back, on connections that stay.
func (w *wire) silence() {
	w.toxic(`{"name":"silence","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`)
}

// delay delays what the server answers.
func (w *wire) delay(d time.Duration) {
	w.toxic(fmt.Sprintf(`{"name":"delay","type":"latency","stream":"downstream","attributes":{"latency":%d}}`, d.Milliseconds()))
}

// hold lets everything through but transactions that write subjects, and what a connection sends behind one, until restore.
func (w *wire) hold() {
	w.toxic(fmt.Sprintf(`{"name":"hold","type":"hold","stream":"upstream","attributes":{"of":%q}}`, w.addr()))
}

// held is how many transactions were held.
func (w *wire) held() int { return int(holds(w.addr()).Load()) }

// subject is a key of the read models, which a tick does not write.
var subject = regexp.MustCompile(`:(card|device):`)

// transactions is the toxic of hold.
type transactions struct {
	Of string `json:"of"` // address of the wire
}

var allHolds sync.Map

func holds(addr string) *atomic.Int64 {
	n, _ := allHolds.LoadOrStore(addr, new(atomic.Int64))
	return n.(*atomic.Int64)
}

func init() { toxics.Register("hold", new(transactions)) }

func (t *transactions) Pipe(link *toxics.ToxicStub) {
	for {
		select {
		case <-link.Interrupt:
			return
		case c := <-link.Input:
			if c == nil {
				link.Close()
				return
			}
			if bytes.Contains(c.Data, []byte("\r\nMULTI\r\n")) && subject.Match(c.Data) {
				holds(t.Of).Add(1)
				<-link.Interrupt
				link.Output <- c
				return
			}
			link.Output <- c
		}
	}
}

// GetBufferSize is how many chunks fit behind the one that is held.
func (*transactions) GetBufferSize() int { return 1024 }

func (w *wire) toxic(text string) {
	if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		w.t.Error(err)
	}
}

// restore undoes all of it. What was swallowed meanwhile never comes.
func (w *wire) restore() {
	w.proxy.Toxics.ResetToxics(context.Background())
	w.lead(w.proxy.Upstream)
}

// lead leads to a server from now on; connections to another one end.
func (w *wire) lead(to string) {
	if err := w.proxy.Update(&toxiproxy.Proxy{Listen: w.proxy.Listen, Upstream: to, Enabled: true}); err != nil {
		w.t.Error(err)
	}
}
