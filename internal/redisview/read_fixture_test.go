package redisview

import (
	"testing"

	"switchboard/tests/backend"
)

func TestMain(m *testing.M) { backend.Main(m) }

// servers runs a test on miniredis and on a real redis-server.
func servers(t *testing.T, f func(t *testing.T, c *Client)) {
	t.Run("embedded", func(t *testing.T) { f(t, connect(t, backend.EmbeddedRedis(t))) })
	t.Run("real", func(t *testing.T) { f(t, connect(t, backend.RealRedis(t).Addr)) })
}

func connect(t testing.TB, addrs ...string) *Client {
	t.Helper()
	c, err := New(Options{Addrs: addrs, Cluster: len(addrs) > 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
