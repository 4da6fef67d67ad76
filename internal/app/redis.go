package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"switchboard/config"
	"switchboard/internal/redisview"
)

// newRedis prepares the client of the read models; nothing is dialled yet.
func newRedis(cfg *config.Config, dial Dialer, log *slog.Logger) (*redisview.Client, error) {
	secure, err := tlsDialer("redis.tls", cfg.Redis.TLS, log)
	if err != nil {
		return nil, err
	}
	if dial == nil {
		dial = secure
	}
	return redisview.New(redisview.Options{
		Addrs: cfg.Redis.Addrs, Cluster: cfg.Redis.Kind == config.RedisCluster, Username: cfg.Redis.Username, Password: cfg.Redis.Password.Reveal(),
		DB: cfg.Redis.DB, Dial: dial,
	})
}

// connectRedis is a client of a Redis that answers and in which the read models are safe.
func connectRedis(ctx context.Context, cfg *config.Config, dial Dialer, log *slog.Logger) (*redisview.Client, error) {
	c, err := newRedis(cfg, dial, log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	err = c.Ping(ctx)
	if err == nil {
		err = checkRedis(ctx, c, cfg, log)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// checkRedis fails when the read models would not be safe, and logs what could be better.
func checkRedis(ctx context.Context, c *redisview.Client, cfg *config.Config, log *slog.Logger) error {
	findings, err := c.Check(ctx, redisview.CheckOptions{Embedded: cfg.Redis.Kind == config.RedisEmbedded, AllowVolatile: cfg.Redis.AllowVolatile})
	if err != nil {
		return err
	}
	for _, f := range findings {
		if !f.Fatal {
			log.Info("redis check", "check", f.Check, "where", f.Where, "found", f.Found, "hint", f.Hint)
		}
	}
	return findings.Err()
}

// keepChecking asks again and again what connectRedis asked, and calls fail when the answer has become dangerous: an eviction policy can be
// changed under a running program. That Redis does not answer is the lanes' business.
func keepChecking(ctx context.Context, every time.Duration, c *redisview.Client, cfg *config.Config, fail func(error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		findings, err := c.Check(ctx, redisview.CheckOptions{Embedded: cfg.Redis.Kind == config.RedisEmbedded, AllowVolatile: cfg.Redis.AllowVolatile})
		if err == nil {
			err = findings.Err()
		}
		var unsafe *redisview.UnsafeRedis
		if errors.As(err, &unsafe) {
			fail(unsafe)
			return
		}
	}
}
