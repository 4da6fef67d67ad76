package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/fixture"
)

// redisUsers is the ACL file as deploy/redis/hash-passwords makes it, and the passwords by user.
func redisUsers(t *testing.T) (aclFile string, passwords map[string]string) {
	t.Helper()
	dir := t.TempDir()
	secrets := filepath.Join(dir, "secrets")
	out, err := exec.Command(file("redis/hash-passwords"), secrets).Output()
	if err != nil {
		t.Fatalf("hash-passwords: %v", err)
	}
	aclFile = filepath.Join(dir, "users.acl")
	write(t, aclFile, string(out))
	passwords = map[string]string{}
	for _, user := range []string{"processor", "console", "operator", "replica", "admin"} {
		text, err := os.ReadFile(filepath.Join(secrets, user))
		if err != nil || len(text) != 64 {
			t.Fatalf("password of %s: %q, %v", user, text, err)
		}
		passwords[user] = string(text)
	}
	again, err := exec.Command(file("redis/hash-passwords"), secrets).Output()
	if err != nil || string(again) != string(out) {
		t.Errorf("hash-passwords made other hashes of the same passwords (%v)", err)
	}
	return aclFile, passwords
}

// TestRedisUsersSingle: the file is loaded as aclfile, and every user can do its work and nothing else.
func TestRedisUsersSingle(t *testing.T) {
	aclFile, passwords := redisUsers(t)
	server := backend.RealRedis(t, "--aclfile", aclFile)
	tryUsers(t, []string{server.Addr}, passwords)
}

// TestRedisUsersCluster: the same on three masters, with what go-redis asks a cluster besides.
func TestRedisUsersCluster(t *testing.T) {
	made, passwords := redisUsers(t)
	text, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	used := filepath.Join(t.TempDir(), "users.acl")
	write(t, used, "") // whoever makes the cluster is no user of ours
	cluster := backend.RealRedisCluster(t, "--aclfile", used)
	write(t, used, string(text))
	for _, addr := range cluster.Addrs {
		c := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2})
		if err := c.Do(t.Context(), "ACL", "LOAD").Err(); err != nil && !strings.Contains(err.Error(), "EOF") { // it closes connections of users that are off
			t.Fatal(err)
		}
		c.Close()
	}
	tryUsers(t, cluster.Addrs, passwords)
}

func tryUsers(t *testing.T, addrs []string, passwords map[string]string) {
	as := func(user string) *redisview.Client {
		c, err := redisview.New(redisview.Options{Addrs: addrs, Cluster: len(addrs) > 1, Username: user, Password: passwords[user]})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.Ping(t.Context()); err != nil {
			t.Fatalf("%s: %v", user, err)
		}
		return c
	}
	processorWorks(t, as("processor"))
	readerWorks(t, as("console"), false)
	operatorWorks(t, as("operator"))
	t.Run("deletes", func(t *testing.T) {
		if err := as("processor").Delete(t.Context(), event.Partition{Topic: fixture.Topic}, "g2"); err != nil {
			t.Error(err)
		}
	})
	t.Run("denied", func(t *testing.T) { denied(t, addrs, passwords) })
}

// processorWorks does everything that a processor asks of Redis: two generations folded, compared, flipped.
func processorWorks(t *testing.T, c *redisview.Client) {
	ctx := t.Context()
	if _, err := c.Check(ctx, redisview.CheckOptions{}); err != nil {
		t.Errorf("processor: the checks at the start: %v", err)
	}
	events := []event.Event{
		fixture.Call("alice", "bob", 0, 10), fixture.Call("alice", "carol", 60, 20), fixture.Call("alice", "bob", 7*24*60+1, 5), fixture.Call("dave", "bob", 1, 1),
	}
	p := event.Partition{Topic: fixture.Topic}
	for _, g := range []string{"g1", "g2"} {
		w := fixture.Open(t, c, 0, 1, g)
		w.Fold(events...)
		w.Progress.CheckedMs, w.Progress.HighWatermark = time.Now().UnixMilli(), w.Next
		w.Commit(w.Next, nil)
	}
	fixture.Open(t, c, 1, 2, "g1").Commit(0, []view.Mutation{ // the commands that few subjects need
		{Op: view.SetFields, Key: "card:x", Args: []string{"a", "1", "b", "2"}}, {Op: view.DropFields, Key: "card:x", Args: []string{"a"}},
		{Op: view.SetScores, Key: "top:in", Args: []string{"1", "x", "2", "y"}}, {Op: view.DropMembers, Key: "top:in", Args: []string{"x"}},
	})
	lines, err := c.List(ctx, p)
	if err != nil || len(lines) != 2 {
		t.Fatalf("processor: List: %v (%v)", lines, err)
	}
	for what, err := range map[string]error{
		"Mark":       c.Mark(ctx, p, lines[0]),
		"Newest":     second(c.Newest(ctx, p)),
		"Adopted":    second(c.Adopted(ctx, p)),
		"Serving":    second(c.Serving(ctx, p)),
		"ServingAll": second(c.ServingAll(ctx)),
	} {
		if err != nil {
			t.Errorf("processor: %s: %v", what, err)
		}
	}
	if found, err := c.Compare(ctx, p, "g1", "g2"); err != nil || found.Subjects != 2 || found.Different+found.Moving != 0 {
		t.Errorf("processor: Compare: %+v (%v)", found, err)
	}
	for _, turn := range [][2]pipeline.Generation{{"g1", "g2"}, {"g2", "g1"}} {
		if ok, err := c.Flip(ctx, p, turn[0], turn[1]); err != nil || !ok {
			t.Errorf("processor: Flip from %s to %s: %v (%v)", turn[0], turn[1], ok, err)
		}
	}
	store, pos, found, err := c.Open(ctx, pipeline.LaneID{Partition: p, Generation: "g2"})
	if err != nil || !found || pos.Next != 4 {
		t.Fatalf("processor: Open: %+v %v (%v)", pos, found, err)
	}
	defer store.Close()
	if err := store.MarkBroken(ctx, "a test"); err != nil {
		t.Errorf("processor: MarkBroken: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// readerWorks asks every question; hash is the one that needs SCAN.
func readerWorks(t *testing.T, c *redisview.Client, hash bool) {
	t.Helper()
	ctx, r := t.Context(), c.Reader(fixture.Topic, 1)
	card, err := r.Card(ctx, "alice")
	if err != nil || card.Card.CallsIn != 3 {
		t.Errorf("Card: %+v (%v)", card, err)
	}
	count := 0
	for what, ask := range map[string]func() error{
		"Contacts": func() error {
			return second(r.Contacts(ctx, "alice", func(string, *fold.Contact) error { count++; return nil }, nil))
		},
		"Timeline": func() error {
			return second(r.Timeline(ctx, "alice", nil, func(fold.EntryID, *fold.Entry) error { count++; return nil }, nil))
		},
		"Top":    func() error { _, _, err := r.Top(ctx, "in", 0, 3); return err },
		"Reach":  func() error { list, _, err := r.Reach(ctx, "bob"); count += len(list); return err },
		"Totals": func() error { _, _, err := r.Totals(ctx); return err },
		"Where":  func() error { return second(r.Where(ctx, "alice")) },
		"Wait": func() error {
			return second(r.Wait(ctx, event.Token{Topic: fixture.TopicID, Next: map[int32]int64{0: 4}}))
		},
	} {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if count != 2+3+2 {
		t.Errorf("%d contacts, reports and reporters, want 7", count)
	}
	_, err = r.VerifyHash(ctx)
	if hash && err != nil || !hash && (err == nil || !strings.Contains(err.Error(), "NOPERM")) {
		t.Errorf("VerifyHash: %v", err)
	}
}

// operatorWorks does what `switchboard query`, `verify` and `replay` do.
func operatorWorks(t *testing.T, c *redisview.Client) {
	readerWorks(t, c, true)
	ctx, p := t.Context(), event.Partition{Topic: fixture.Topic}
	lines, err := c.List(ctx, p)
	if err != nil || len(lines) != 2 {
		t.Fatalf("operator: List: %v (%v)", lines, err)
	}
	for what, err := range map[string]error{
		"Mark":  c.Mark(ctx, p, lines[0]),
		"Adopt": c.Adopt(ctx, []event.Partition{p}, fixture.TopicID),
	} {
		if err != nil {
			t.Errorf("operator: %s: %v", what, err)
		}
	}
	if _, found, err := c.Position(ctx, pipeline.LaneID{Partition: p, Generation: "g1"}); err != nil || !found {
		t.Errorf("operator: Position: %v (%v)", found, err)
	}
}

const (
	servingKey = redisview.ServingKey
	cardKey    = "v:{calls.reports/0}:gg1:card:alice"
)

// denials are commands by the users who must not have them; nobody is somebody without a password.
var denials = map[string][]string{
	"processor": {
		"FLUSHALL", "FLUSHDB", "CONFIG GET maxmemory", "CONFIG SET appendonly no", "EVAL return 0", "EVALSHA x 0", "SCRIPT LOAD x", "FUNCTION LIST", "KEYS *", "DEL " + cardKey,
		"SET v:x 1", "HSET foreign a 1", "HGET foreign a", "SHUTDOWN", "ACL LIST", "ACL SETUSER processor +@all", "MONITOR", "CLIENT LIST", "CLIENT KILL ID 1",
		"REPLICAOF NO ONE", "SAVE", "BGREWRITEAOF", "SWAPDB 0 1", "SUBSCRIBE x", "PUBLISH x y", "RENAME " + cardKey + " v:x", "EXPIRE " + cardKey + " 1", "MIGRATE h 1 k 0 1",
		"CLUSTER RESET", "CLUSTER FAILOVER", "MODULE LIST", "LATENCY RESET", "COPY " + cardKey + " v:x",
	},
	"console": {
		"HSET " + cardKey + " a 1", "HDEL " + cardKey + " a", "ZADD v:{calls.reports/0}:gg1:top:in 1 x", "ZREM v:{calls.reports/0}:gg1:top:in x", "UNLINK " + cardKey, "DEL " + cardKey, "SET v:x 1",
		"SCAN 0", "KEYS *", "RANDOMKEY", "DBSIZE", "FLUSHALL", "FLUSHDB", "CONFIG GET maxmemory", "CONFIG SET appendonly no", "INFO", "ACL LIST", "ACL WHOAMI", "MONITOR", "EVAL return 0", "EVAL_RO return 0",
		"CLIENT LIST", "SUBSCRIBE x", "SHUTDOWN", "WATCH " + cardKey, "HGET foreign a", "EXISTS foreign", "HSET " + servingKey + " calls.reports/0 g2", "REPLICAOF NO ONE",
	},
	"operator": {
		"HSET " + cardKey + " a 1", "HSET " + servingKey + " calls.reports/0 g2", "UNLINK " + cardKey, "HDEL v:{calls.reports/0}:generations g1", "HSET v:{calls.reports/0}:gg1:pos next 9", "ZADD v:{calls.reports/0}:gg1:top:in 1 x",
		"INFO", "FLUSHALL", "FLUSHDB", "CONFIG SET appendonly no", "KEYS *", "EVAL return 0", "ACL LIST", "SHUTDOWN", "MONITOR", "HGET foreign a", "REPLICAOF NO ONE",
	},
	"replica": {"HGET " + cardKey + " a", "HGETALL " + servingKey, "FLUSHALL", "INFO", "SCAN 0"},
	"nobody":  {"PING", "HGET " + cardKey + " a", "INFO", "FLUSHALL", "COMMAND"},
	"admin":   {"PING"}, // off
}

func denied(t *testing.T, addrs []string, passwords map[string]string) {
	for user, commands := range denials {
		for _, addr := range addrs {
			c := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1})
			conn := c.Conn()
			if user != "nobody" {
				err := conn.Do(t.Context(), "AUTH", user, passwords[user]).Err()
				if user == "admin" != (err != nil) {
					t.Errorf("AUTH as %s: %v", user, err)
				}
				if err := conn.Do(t.Context(), "AUTH", user, strings.Repeat("0", 64)).Err(); err == nil {
					t.Errorf("%s: a placeholder is a password", user)
				}
			}
			for _, command := range commands {
				args := []any{}
				for _, word := range strings.Fields(command) {
					args = append(args, word)
				}
				err := conn.Do(t.Context(), args...).Err()
				if err == nil || !slices.ContainsFunc([]string{"NOPERM", "NOAUTH"}, func(code string) bool { return strings.HasPrefix(err.Error(), code) }) {
					t.Errorf("%s may %s: %v", user, command, err)
				}
			}
			conn.Close()
			c.Close()
		}
	}
}
