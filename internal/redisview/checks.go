package redisview

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// CheckOptions say what is asked of Redis.
type CheckOptions struct {
	// Embedded: nothing is asked, since miniredis does not answer such questions.
	Embedded bool
	// AllowVolatile passes a Redis that writes nothing to disk: an advice then, not a problem.
	AllowVolatile bool
}

// Finding is what a check found on one server.
type Finding struct {
	Check string // eviction, persistence, version, role, loading, replicas, memory, or skipped
	Where string // host:port
	Found string // what is the case
	Hint  string // what to do
	Fatal bool   // the read models are not safe: do not write
}

// String is one line for people.
func (f Finding) String() string {
	s := fmt.Sprintf("Redis %s: %s: %s", f.Where, f.Check, f.Found)
	if f.Hint != "" {
		s += ": " + f.Hint
	}
	return s
}

// Findings is what the checks found; nothing found is what one wants.
type Findings []Finding

// Err is nil, or every fatal finding in one error.
func (list Findings) Err() error {
	var lines []string
	for _, f := range list {
		if f.Fatal {
			lines = append(lines, f.String())
		}
	}
	if lines == nil {
		return nil
	}
	return &UnsafeRedis{lines}
}

// UnsafeRedis is a Redis in which the read models would not be safe.
type UnsafeRedis struct{ Problems []string }

func (e *UnsafeRedis) Error() string { return strings.Join(e.Problems, "; ") }

// Check asks the server, or every master of the cluster, what the read models rely on: that nothing is evicted, that it keeps
// its data, that it is a primary of a version that knows our commands. It needs INFO alone, no CONFIG right,
// and costs one trip a server: cheap enough for every minute. An error is a server that does not answer; what it answers
// is in the findings.
func (c *Client) Check(ctx context.Context, o CheckOptions) (Findings, error) {
	if o.Embedded {
		return Findings{{
			Check: "skipped", Where: c.options.Addrs[0],
			Found: "embedded Redis (redis.kind: embedded): eviction, persistence, version and replicas were not checked",
			Hint:  "it is for trying; nothing is kept on disk, the read models are folded again from the log after a restart",
		}}, nil
	}
	var list Findings
	one := func(ctx context.Context, node *redis.Client) error {
		found, err := checkNode(ctx, node, o)
		list = append(list, found...)
		return err
	}
	cluster, ok := c.shared.(*redis.ClusterClient)
	if !ok {
		err := one(ctx, c.shared.(*redis.Client))
		return list, err
	}
	addrs, err := masters(ctx, cluster)
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		node := redis.NewClient(c.nodeOptions(addr))
		err := one(ctx, node)
		_ = node.Close()
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

// masters are the addresses of a cluster's masters, ascending.
func masters(ctx context.Context, cluster *redis.ClusterClient) ([]string, error) {
	var mu sync.Mutex // ForEachMaster asks them at one time
	var list []string
	err := cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, node.Options().Addr)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask the Redis cluster for its nodes: %w", err)
	}
	slices.Sort(list)
	return list, nil
}

// info is what INFO says, by field.
type info map[string]string

func parseInfo(text string) info {
	fields := info{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

func checkNode(ctx context.Context, node *redis.Client, o CheckOptions) (Findings, error) {
	where := node.Options().Addr
	text, err := node.Info(ctx).Result() // one section alone only since 7.0 with several names
	if err != nil {
		return nil, fmt.Errorf("ask Redis at %s what it is (INFO): %w", where, err)
	}
	i := parseInfo(text)
	var list Findings
	for _, check := range []func(info, CheckOptions) (Finding, bool){
		checkLoading, checkEviction, checkRole, checkPersistence, checkVersion, checkWriting, checkReplicas, checkMemory,
	} {
		if f, found := check(i, o); found {
			f.Where = where
			list = append(list, f)
		}
	}
	return list, nil
}

func checkLoading(i info, _ CheckOptions) (Finding, bool) {
	return Finding{Check: "loading", Found: "it is still loading its data", Hint: "wait", Fatal: true}, i["loading"] == "1"
}

func checkEviction(i info, _ CheckOptions) (Finding, bool) {
	policy := i["maxmemory_policy"]
	f := Finding{Check: "eviction", Fatal: true}
	switch policy {
	case "noeviction":
		return f, false
	case "":
		f.Found = "INFO does not tell maxmemory_policy"
		f.Hint = "use a Redis that does, or the right to call INFO"
	default:
		f.Found = "maxmemory-policy is " + policy + ": read models would vanish while their position stays"
		f.Hint = "set maxmemory-policy noeviction"
	}
	return f, true
}

func checkRole(i info, _ CheckOptions) (Finding, bool) {
	return Finding{
		Check: "role", Found: "it is a replica of " + i["master_host"] + ":" + i["master_port"],
		Hint: "let redis.addrs name the primary", Fatal: true,
	}, i["role"] == "slave"
}

func checkPersistence(i info, o CheckOptions) (Finding, bool) {
	f := Finding{
		Check: "persistence",
		Found: "appendonly is off: after a restart it comes back empty or old, and its replicas with it",
		Hint:  "set appendonly yes (appendfsync everysec is enough: what is lost is folded again)",
		Fatal: !o.AllowVolatile,
	}
	if o.AllowVolatile {
		f.Hint = "allowed here; whatever is lost is folded again from the log"
	}
	return f, i["aof_enabled"] != "1"
}

const leastVersion = "6.2"

func checkVersion(i info, _ CheckOptions) (Finding, bool) {
	version := i["redis_version"]
	return Finding{
		Check: "version", Found: fmt.Sprintf("version %q is older than %s, which is the least that knows our commands", version, leastVersion),
		Hint: "upgrade: everything is tested with 7.0", Fatal: true,
	}, older(version, leastVersion)
}

// older compares dotted numbers; what is no number counts as 0.
func older(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for k := range max(len(x), len(y)) {
		var m, n int
		if k < len(x) {
			m, _ = strconv.Atoi(x[k])
		}
		if k < len(y) {
			n, _ = strconv.Atoi(y[k])
		}
		if m != n {
			return m < n
		}
	}
	return false
}

// checkWriting tells of a disk that refuses: Redis then refuses writes, so that nothing is lost, but everything waits.
func checkWriting(i info, _ CheckOptions) (Finding, bool) {
	bad := i["aof_last_write_status"] == "err" || i["rdb_last_bgsave_status"] == "err"
	return Finding{
		Check: "disk", Found: "it could not write to its disk lately, and refuses writes until it can",
		Hint: "look at its log, and at the space of its disk",
	}, bad
}

func checkReplicas(i info, _ CheckOptions) (Finding, bool) {
	f := Finding{Check: "replicas"}
	switch good, watched := i["min_slaves_good_slaves"]; {
	case i["role"] == "slave":
		return f, false
	case i["connected_slaves"] == "0":
		f.Found, f.Hint = "it has no replica", "fine for one machine; else nothing takes over when it fails"
		return f, true
	case !watched:
		f.Found = "min-replicas-to-write is 0: cut off from its replicas it goes on taking writes that are lost at the failover"
		f.Hint = "set min-replicas-to-write 1 and min-replicas-max-lag 10; they are folded again in any case"
		return f, true
	case good == "0":
		f.Found, f.Hint = "none of its replicas follows: it refuses writes", "look at the replicas"
		return f, true
	}
	return f, false
}

func checkMemory(i info, _ CheckOptions) (Finding, bool) {
	return Finding{
		Check: "memory", Found: "maxmemory is 0: it grows until the system ends it",
		Hint: "set maxmemory to 60 or 70 % of the memory",
	}, i["maxmemory"] == "0"
}
