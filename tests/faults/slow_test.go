package faults

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/internal/pipeline"
	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

// slowly is a network on which each write takes a while.
type slowly struct{ by atomic.Int64 }

type slowConn struct {
	net.Conn
	net *slowly
}

func (s *slowly) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	return &slowConn{conn, s}, err
}

func (c *slowConn) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(c.net.by.Load())) // the latency itself; nothing is waited for
	return c.Conn.Write(b)
}

// TestSlowRedis: each trip to Redis takes longer than the session of the group. Folding goes on, slowly, and nobody is put out of the group.
//
//fault:p24 every trip takes 700 ms, longer than a session: no claim is lost, what waits is bounded, exact
//fault:p8 batches that take longer than a session, whose heartbeats go on
func TestSlowRedis(t *testing.T) {
	t.Parallel()
	b := backend.Embedded(t)
	s := newSite(t, b, local.Options{Env: []string{
		"SWITCHBOARD_PROCESSOR_SESSION_TIMEOUT=6s", "SWITCHBOARD_PROCESSOR_BATCH_LIVE_EVENTS=50", "SWITCHBOARD_PROCESSOR_BATCH_CATCHUP_EVENTS=200", "SWITCHBOARD_PROCESSOR_QUEUE_BYTES=1MiB",
	}})
	var slow slowly
	s.RedisDial = slow.dial
	s.Append(200)
	s.Start()
	s.CaughtUp()
	var claims [partitions]int64
	for p := range claims {
		claims[p] = s.Lane(int32(p)).Claims[pipeline.Applied.String()]
	}
	slow.by.Store(int64(700 * time.Millisecond))
	s.Append(2000)
	began := s.Next(0)
	s.Until("it moves all the same", func() bool { return s.Next(0) > began+200 })
	slow.by.Store(0)
	s.CaughtUp()
	s.Exact()
	s.noLetters()
	for p, n := range claims {
		if now := s.Lane(int32(p)).Claims[pipeline.Applied.String()]; now != n {
			t.Errorf("partition %d was claimed %d times, then %d", p, n, now)
		}
	}
	s.Halt()
}
