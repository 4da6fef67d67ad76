package scale

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/tests/backend"
	"switchboard/tests/site"
)

// nextFold is the processor as it will be when the meaning of facts has changed: built from these sources with another fold.Version.
func nextFold(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	path, err := filepath.Abs("../../internal/fold/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	next := strings.Replace(string(text), "const Version = 1", "const Version = 2", 1)
	if next == string(text) {
		t.Fatal("internal/fold/doc.go does not say what this test changes: const Version = 1")
	}
	changed := filepath.Join(dir, "doc.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{changed: []byte(next), filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", dir+"/processor", "switchboard/cmd/processor").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir + "/processor"
}

// TestRule6: a rolling update to a program of another fold. The new one builds beside what serves, and turns all partitions of a topic in one write; the
// old one, started again by mistake, leaves the read models alone and says why.
func TestRule6(t *testing.T) {
	t.Parallel()
	next := nextFold(t)
	server := backend.RealRedis(t)
	s := site.New(t, site.Options{Brokers: backend.RealKafka(t), Redis: []string{server.Addr}, Replicas: 1, Env: []string{
		"SWITCHBOARD_PROCESSOR_SESSION_TIMEOUT=6s", "SWITCHBOARD_PROCESSOR_TICK=100ms",
	}})
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr, Protocol: 2})
	defer rdb.Close()
	items, err := site.NewItems(6, 200, 30)
	if err != nil {
		t.Fatal(err)
	}
	var list []site.Item
	for n := range uint64(1000) {
		list = append(list, items.At(n))
	}
	old := []*site.Process{s.Start("processor").Ready(), s.Start("processor").Ready()}
	if _, err := s.Import()(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	s.Settled(patience)
	before, err := s.Hash(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	was := rdb.HGetAll(t.Context(), "v:serving").Val()

	// Every write of v:serving from now on, as Redis executes it.
	seen := make(chan string, 100)
	watching, cancel := context.WithCancel(t.Context())
	defer cancel()
	commands := make(chan string, 10_000)
	monitor := redis.NewClient(&redis.Options{Addr: server.Addr, Protocol: 2, ReadTimeout: -1})
	defer monitor.Close()
	m := monitor.Monitor(watching, commands)
	m.Start()
	defer m.Stop()
	go func() {
		for {
			select {
			case <-watching.Done():
				return
			case c := <-commands:
				if strings.Contains(strings.ToUpper(c), `"HSET" "V:SERVING"`) {
					seen <- c
				}
			}
		}
	}()
	for _, p := range old {
		p.Stop()
	}
	fresh := []*site.Process{s.StartProgram(next, "processor"), s.StartProgram(next, "processor")}
	var writes []string
	for range 2 { // one for each topic
		select {
		case w := <-seen:
			writes = append(writes, w)
		case <-time.After(patience):
			t.Fatalf("%d writes of v:serving, want one for each topic", len(writes))
		}
	}
	fields := func(w string) (names []string) {
		for _, part := range strings.Split(w, `"`) {
			if strings.HasPrefix(part, s.Prefix) {
				names = append(names, part)
			}
		}
		slices.Sort(names)
		return names
	}
	sizes := []int{len(fields(writes[0])), len(fields(writes[1]))}
	slices.Sort(sizes)
	if !slices.Equal(sizes, []int{3, 6}) {
		t.Errorf("v:serving was written as %v, want the 3 partitions of one topic and the 6 of the other", writes)
	}
	s.Settled(patience)
	now := rdb.HGetAll(t.Context(), "v:serving").Val()
	for p, g := range was {
		if now[p] == g || now[p] == "" {
			t.Errorf("%s is served by %q as before", p, now[p])
			continue
		}
		if v := rdb.HGet(t.Context(), "v:{"+p+"}:g"+now[p]+":pos", "fold").Val(); v != "2" {
			t.Errorf("%s is of fold %s, want 2", p, v)
		}
		// Whoever turned it: the lane of each partition notes what serves, and since when the other does not.
		site.Eventually(t, patience, p+" has its lines", func() string {
			lines := rdb.HGetAll(t.Context(), "v:{"+p+"}:generations").Val()
			if !strings.HasPrefix(lines[now[p]], "served ") || !strings.HasPrefix(lines[g], "served ") {
				return lines[now[p]] + "; " + lines[g]
			}
			return ""
		})
	}
	after, err := s.Hash(t.Context())
	if err != nil || after.Hash != before.Hash {
		t.Errorf("the hash is %s, want %s: this fold means the same; %v", after.Hash, before.Hash, err)
	}
	for _, p := range fresh {
		p.Ready()
		if errs := p.Errors(); len(errs) > 0 {
			t.Error(errs)
		}
		p.Stop()
	}
	late := s.Start("processor")
	site.Eventually(t, patience, "the old program says that a newer one owns the read models", func() string {
		_, body, err := late.Get("/readyz")
		if err == nil && strings.Contains(body, "this program is version 1") {
			return ""
		}
		return body
	})
	if v := rdb.HGetAll(t.Context(), "v:serving").Val(); len(v) != len(now) || v[fields(writes[0])[0]] != now[fields(writes[0])[0]] {
		t.Errorf("v:serving changed from %v to %v", now, v)
	}
}
