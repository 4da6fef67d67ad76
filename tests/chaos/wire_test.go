package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
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

// hold keeps what clients send for so long before it goes on.
func (w *wire) hold(d time.Duration) {
	w.toxic(fmt.Sprintf(`{"name":"hold","type":"latency","stream":"upstream","attributes":{"latency":%d}}`, d.Milliseconds()))
}

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
