// Package redisview keeps the read models in Redis: the only home of go-redis. How a partition moves forward is COMMIT.md;
// each method of Lane is one of its trips. What a key holds is documented in VIEWS.md.
package redisview

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Options say where Redis is and how to reach it.
type Options struct {
	Addrs    []string
	Cluster  bool // Redis Cluster; else the first address is the server
	Username string
	Password string
	DB       int // of a server; a cluster has only 0
	// Timeout bounds a trip for which the caller's context sets no earlier deadline.
	Timeout time.Duration
	// Dial replaces the dialer: with TLS, or with faults of a test. nil is the ordinary network, without TLS.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client reaches the read models. It is safe for concurrent use.
type Client struct {
	options Options
	shared  redis.UniversalClient // for reading and for whatever needs no fence
}

// silence keeps go-redis from writing to stderr past every logger, in a format of its own and unscrubbed. What matters comes as an error.
var silence = sync.OnceFunc(logging.Disable)

// New prepares a client; nothing is dialled before the first use.
func New(o Options) (*Client, error) {
	silence()
	if len(o.Addrs) == 0 {
		return nil, errors.New("redis.addrs: no address is configured")
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}).DialContext
	}
	c := &Client{options: o}
	if o.Cluster {
		c.shared = redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: o.Addrs, Username: o.Username, Password: o.Password, Dialer: o.Dial, Protocol: 2, DisableIdentity: true,
			ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, ContextTimeoutEnabled: true,
		})
		return c, nil
	}
	node := c.nodeOptions(o.Addrs[0])
	node.MaxRetries = 3
	c.shared = redis.NewClient(node)
	return c, nil
}

func (c *Client) nodeOptions(addr string) *redis.Options {
	o := &c.options
	return &redis.Options{
		Addr: addr, Username: o.Username, Password: o.Password, DB: o.DB, Dialer: o.Dial, Protocol: 2, DisableIdentity: true,
		ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, ContextTimeoutEnabled: true, MaxRetries: -1,
	}
}

// Close closes the shared connections; lanes close their own.
func (c *Client) Close() error { return c.shared.Close() }

// Ping asks whether Redis answers.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.shared.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("no Redis answers at %v: check redis.addrs: %w", c.options.Addrs, err)
	}
	return nil
}

// errUsed is what a dedicated connection says when go-redis would replace it: a new one has no WATCH.
var errUsed = errors.New("the connection was lost")

// dedicated dials a connection to the node of a key that serves one owner, is never retried, never replaced by another
// one, and closed instead of being given back: a connection in a pool keeps its WATCH.
func (c *Client) dedicated(ctx context.Context, key string) (*redis.Client, *redis.Conn, error) {
	addr := c.options.Addrs[0]
	if cluster, ok := c.shared.(*redis.ClusterClient); ok {
		node, err := cluster.MasterForKey(ctx, key)
		if err != nil {
			return nil, nil, fmt.Errorf("find the node of %s: %w", key, err)
		}
		addr = node.Options().Addr
	}
	o := c.nodeOptions(addr)
	o.PoolSize = 1
	o.DialerRetries = 1 // go-redis dials five times, 100 ms apart: from the second time on it would hear errUsed, and report that
	var used atomic.Bool
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, errUsed
		}
		return c.options.Dial(ctx, network, addr)
	}
	client := redis.NewClient(o)
	return client, client.Conn(), nil
}

// findNodes asks a cluster where its slots are, without waiting for the answer. go-redis sees to that itself where it is answered MOVED, but not
// on a dedicated connection: a lane whose slot had moved looked for it at the old node for a minute.
func (c *Client) findNodes(ctx context.Context) {
	if cluster, ok := c.shared.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
}
