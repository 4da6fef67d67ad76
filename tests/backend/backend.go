// Package backend gives tests a Kafka and a Redis: embedded ones (kfake and miniredis, in this
// process) and real ones (a stock Apache Kafka, redis-server processes), by the same code.
//
//	func TestLog(t *testing.T) {
//		backend.Each(t, func(t *testing.T, b backend.Backend) {
//			topic := b.Prefix + "calls.reports"
//			...
//		})
//	}
//
// Topics, roles and read models on a backend are tests/site/local's.
//
// Every real Redis belongs to one test alone. The real Kafka is shared, by all packages under
// `make test` and else by the tests of one process, so topics and groups begin with Prefix.
//
// Where a real server cannot be had, a test fails with CI=true or SWITCHBOARD_REQUIRE_REAL=1, and
// is skipped otherwise; `make test` then says so in its last line.
package backend

import (
	"crypto/rand"
	"encoding/hex"
	"testing"
)

// Backend is one Kafka and one Redis to test against. It is gone when the test ends.
type Backend struct {
	Name    string   // "embedded", "real" or "real-cluster"
	Brokers []string // seed brokers, host:port
	Redis   []string // one address, or the three masters of a cluster
	Cluster bool     // Redis is a cluster

	// Prefix begins every topic and group of the test, such as "t3f9a01bc.": no two calls get
	// the same one.
	Prefix string

	// Server is the redis-server process behind Redis[0], to kill and start again. Nil unless
	// Name is "real".
	Server *RedisServer
}

// Each runs f on the embedded servers and on the real ones, as subtests of those names.
func Each(t *testing.T, f func(t *testing.T, b Backend)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { f(t, Embedded(t)) })
	t.Run("real", func(t *testing.T) { f(t, Real(t)) })
}

// Embedded is kfake and miniredis.
func Embedded(t testing.TB) Backend {
	t.Helper()
	return Backend{
		Name:    "embedded",
		Brokers: EmbeddedKafka(t),
		Redis:   []string{EmbeddedRedis(t)},
		Prefix:  Prefix(),
	}
}

// Real is the shared real Kafka and a redis-server of this test alone.
func Real(t testing.TB) Backend {
	t.Helper()
	server := RealRedis(t)
	return Backend{
		Name:    "real",
		Brokers: RealKafka(t),
		Redis:   []string{server.Addr},
		Prefix:  Prefix(),
		Server:  server,
	}
}

// RealCluster is Real with a Redis Cluster of three masters.
func RealCluster(t testing.TB) Backend {
	t.Helper()
	return Backend{
		Name:    "real-cluster",
		Brokers: RealKafka(t),
		Redis:   RealRedisCluster(t).Addrs,
		Cluster: true,
		Prefix:  Prefix(),
	}
}

// Prefix is a fresh one, for tests that put their servers together themselves. Four random
// bytes: hundreds of suites share a broker, and two bytes would let some of them meet.
func Prefix() string {
	var random [4]byte
	rand.Read(random[:])
	return "t" + hex.EncodeToString(random[:]) + "."
}

// Main is for a TestMain of packages that use real servers: it runs the tests, calls after, and then stops the
// broker that this process may have started, before the process ends. Without it the broker
// stops just after.
func Main(m *testing.M, after ...func()) {
	code := m.Run()
	for _, f := range after {
		f()
	}
	stopSharedKafka()
	exit(code)
}
