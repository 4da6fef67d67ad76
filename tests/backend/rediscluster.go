package backend

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// RedisCluster is three masters of one test, no replicas.
type RedisCluster struct {
	Addrs   []string
	Servers []*RedisServer // in the order of Addrs and of the slots
}

// RealRedisCluster starts one; the arguments count for each node, as in RealRedis.
func RealRedisCluster(t testing.TB, args ...string) *RedisCluster {
	t.Helper()
	args = append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "5000"}, args...)
	cluster := &RedisCluster{}
	for range 3 {
		server := newRedis(t, args)
		cluster.Servers = append(cluster.Servers, server)
		cluster.Addrs = append(cluster.Addrs, server.Addr)
	}
	create := append([]string{"--cluster", "create"}, cluster.Addrs...)
	if out, err := exec.Command("redis-cli", append(create, "--cluster-yes")...).CombinedOutput(); err != nil {
		t.Fatalf("create the Redis cluster: %v\n%s", err, out)
	}
	// The creator returns when the first node agrees; a client may ask any of them.
	deadline := time.Now().Add(patience)
	for _, server := range cluster.Servers {
		for !server.inCluster() {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not in the Redis cluster after %v:\n%s", server.Addr, patience, server.Log())
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	note(t, "real redis", redisVersion()+" cluster")
	return cluster
}

func (s *RedisServer) inCluster() bool {
	host, port, _ := strings.Cut(s.Addr, ":")
	out, _ := exec.Command("redis-cli", "-h", host, "-p", port, "cluster", "info").Output()
	return strings.Contains(string(out), "cluster_state:ok") &&
		strings.Contains(string(out), "cluster_known_nodes:3")
}
