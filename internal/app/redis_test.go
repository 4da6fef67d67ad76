package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/config"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
)

// TestKeepChecking: a Redis that was safe at the start and is made to evict ends the role, with the reason.
//
//fault:p18 the eviction policy set under a running role
func TestKeepChecking(t *testing.T) {
	server := backend.RealRedis(t)
	cfg, err := config.Load(config.Options{Roles: []config.Role{config.RoleProcessor}, Environ: []string{"SWITCHBOARD_REDIS_ADDRS=" + server.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connectRedis(t.Context(), cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		keepChecking(ctx, 10*time.Millisecond, c, cfg, cancel)
	}()
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer rdb.Close()
	server.Pause() // that nobody answers is no reason
	select {
	case <-ctx.Done():
		t.Fatalf("ended by a Redis that does not answer: %v", context.Cause(ctx))
	case <-time.After(100 * time.Millisecond):
	}
	server.Resume()
	if err := rdb.ConfigSet(t.Context(), "maxmemory-policy", "volatile-lru").Err(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody minds")
	}
	var unsafe *redisview.UnsafeRedis
	if err := context.Cause(ctx); !errors.As(err, &unsafe) || !strings.Contains(err.Error(), "volatile-lru") {
		t.Errorf("ended by %v", err)
	}
}
