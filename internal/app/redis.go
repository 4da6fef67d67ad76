package app

import (
	"context"
	"log/slog"

	"switchboard/config"
	"switchboard/internal/redisview"
)

// newRedis prepares the client of the read models; nothing is dialled yet.
func newRedis(cfg *config.Config, dial Dialer) (*redisview.Client, error) {
	secure, err := newTLS("redis.tls", cfg.Redis.TLS)
	if err != nil {
		return nil, err
	}
	return redisview.New(redisview.Options{
		Addrs: cfg.Redis.Addrs, Cluster: cfg.Redis.Kind == config.RedisCluster, Username: cfg.Redis.Username, Password: cfg.Redis.Password.Reveal(),
		DB: cfg.Redis.DB, TLS: secure, Dial: dial,
	})
}

// connectRedis is a client of a Redis that answers and is fit to be written to.
func connectRedis(ctx context.Context, cfg *config.Config, dial Dialer, log *slog.Logger) (*redisview.Client, error) {
	c, err := newRedis(cfg, dial)
	if err != nil {
		return nil, err
	}
	if err := c.Ping(ctx); err != nil {
		c.Close()
		return nil, err
	}
	if cfg.Redis.Kind == config.RedisEmbedded {
		log.Info("embedded Redis: eviction policy and persistence are not checked")
		return c, nil
	}
	return c, nil
}
