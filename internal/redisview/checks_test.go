package redisview

import (
	"strings"
	"testing"

	"switchboard/tests/backend"
)

//fault:p16 without persistence: fatal, unless it is allowed
//fault:p18 an eviction policy: fatal
func TestChecks(t *testing.T) {
	server := backend.RealRedis(t)
	c := connect(t, server.Addr)
	found := func(t *testing.T, o CheckOptions) Findings {
		t.Helper()
		list, err := c.Check(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if list := found(t, CheckOptions{}); list.Err() != nil {
		t.Errorf("as the project starts it: %v", list.Err())
	}
	set := func(name, value string) {
		t.Helper()
		if err := c.shared.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("maxmemory-policy", "allkeys-lru")
	err := found(t, CheckOptions{}).Err()
	if err == nil || !strings.Contains(err.Error(), server.Addr+": eviction: maxmemory-policy is allkeys-lru") || !strings.Contains(err.Error(), "set maxmemory-policy noeviction") {
		t.Errorf("eviction: %v", err)
	}
	set("maxmemory-policy", "noeviction")
	set("appendonly", "no")
	if err := found(t, CheckOptions{}).Err(); err == nil || !strings.Contains(err.Error(), "persistence: appendonly is off") {
		t.Errorf("persistence: %v", err)
	}
	list := found(t, CheckOptions{AllowVolatile: true})
	if err := list.Err(); err != nil {
		t.Errorf("allowed to be volatile: %v", err)
	}
	var text []string
	for _, f := range list {
		text = append(text, f.String())
	}
	for _, part := range []string{"persistence: appendonly is off", "replicas: it has no replica", "memory: maxmemory is 0"} {
		if !strings.Contains(strings.Join(text, "\n"), part) {
			t.Errorf("no advice %q in %q", part, text)
		}
	}
	set("appendonly", "yes")
	if err := c.shared.SlaveOf(t.Context(), "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := found(t, CheckOptions{}).Err(); err == nil || !strings.Contains(err.Error(), "role: it is a replica of 127.0.0.1:1") {
		t.Errorf("replica: %v", err)
	}
}

func TestChecksWithoutAnswerAndEmbedded(t *testing.T) {
	server, err := StartEmbedded("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, server.Addr())
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	list, err := c.Check(t.Context(), CheckOptions{Embedded: true})
	if err != nil || list.Err() != nil || len(list) != 1 || !strings.Contains(list[0].String(), "skipped: embedded Redis") {
		t.Errorf("%v (%v)", list, err)
	}
	if _, err := StartEmbedded(server.Addr()); err == nil || !strings.Contains(err.Error(), "port 0") {
		t.Errorf("a port that is taken: %v", err)
	}
	server.Close()
	if _, err := c.Check(t.Context(), CheckOptions{}); err == nil || !strings.Contains(err.Error(), "ask Redis at") {
		t.Errorf("nobody answers: %v", err)
	}
}

func TestOlder(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"6.0.16", "6.2", true}, {"6.2.0", "6.2", false}, {"7.0.15", "6.2", false}, {"10.1", "6.2", false}, {"", "6.2", true}, {"6.2", "6.2", false}} {
		if got := older(test.a, test.b); got != test.want {
			t.Errorf("older(%q, %q) is %v", test.a, test.b, got)
		}
	}
}
