package chaos

import (
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/redisview"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
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

// position is what the serving generation of a partition says of its owner.
type position struct {
	owner         string
	next, checked int64
}

// positions are those that can be read.
func (r *run) positions(of []event.Partition) map[event.Partition]position {
	rdb := redis.NewClient(&redis.Options{Addr: r.primary.Addr, Protocol: 2})
	defer rdb.Close()
	found := map[event.Partition]position{}
	for _, p := range of {
		pos, err := rdb.HGetAll(r.Context(), redisview.PosKey(reference.Serving(r.Context(), rdb, p))).Result()
		next, bad := strconv.ParseInt(pos["next"], 10, 64)
		if err != nil || bad != nil {
			continue
		}
		checked, _ := strconv.ParseInt(pos["checked_ms"], 10, 64)
		found[p] = position{pos["owner"], next, checked}
	}
	return found
}

// await asks for so long, and tells whether it came.
func (r *run) await(most time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(most); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}
