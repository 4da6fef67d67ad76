package chaos

import (
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/tests/backend"
	"switchboard/tests/site"
)

// command sends a command to a Redis and gives what it says.
func (r *run) command(to *backend.RedisServer, args ...any) string {
	r.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: to.Addr, Protocol: 2})
	defer rdb.Close()
	answer, err := rdb.Do(r.Context(), args...).Text()
	if err != nil {
		r.Errorf("%v: %v", args, err)
	}
	return answer
}

// follow makes the replica one of the primary.
func (r *run) follow() {
	host, port, _ := strings.Cut(r.primary.Addr, ":")
	r.command(r.replica, "REPLICAOF", host, port)
}

// following waits until the replica has caught up once.
func (r *run) following() {
	site.Eventually(r, 30*time.Second, "the replica follows", func() string {
		if info := r.command(r.replica, "INFO", "replication"); !strings.Contains(info, "master_link_status:up") {
			return info
		}
		return ""
	})
}
