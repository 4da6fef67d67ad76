package console_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/fixture"
)

const viewsPage = "../../VIEWS.md"

// TestViewsPage runs the commands of VIEWS.md against a redis-server with the sample in it, and compares what they print with what
// the page says. GOLDEN=1 rewrites the page.
func TestViewsPage(t *testing.T) {
	server := backend.RealRedis(t)
	_, client := open(t, server.Addr, 12)
	l := fixture.Open(t, client, event.PartitionOf("sample_user", 12), 12, "1k7dq2x8fa")
	l.Progress.CheckedMs, l.Progress.AppliedAppendMs, l.Progress.LeaderEpoch = checkedMs, checkedMs-700, 3
	fold(l, sample(t, "bandicoot_sample_user.csv", "sample_user"))
	dressUp(t, server.Addr, l)
	lamp(t, client)

	page, err := os.ReadFile(viewsPage)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(server.Addr, ":")
	var got bytes.Buffer
	inside := false
	for line := range strings.Lines(string(page)) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.HasPrefix(line, "```console")
		case inside && strings.HasPrefix(line, "$ "):
			got.WriteString(line)
			command := strings.Replace(line[2:], "redis-cli", "redis-cli -p "+port, 1)
			out, err := exec.Command("sh", "-c", command).CombinedOutput()
			if err != nil || len(out) == 0 {
				t.Fatalf("%s: %v: %s", line, err, out)
			}
			for l := range strings.Lines(string(out)) {
				got.WriteString(strings.TrimRight(l, "\n\t") + "\n")
			}
			continue
		case inside:
			continue // what was printed last time
		}
		got.WriteString(line)
	}
	if bytes.Equal(got.Bytes(), page) {
		return
	}
	if os.Getenv("GOLDEN") == "" {
		t.Fatalf("VIEWS.md should be\n%s", got.Bytes())
	}
	if err := os.WriteFile(viewsPage, got.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// lamp folds what the page tells about a device.
func lamp(t *testing.T, client *redisview.Client) {
	t.Helper()
	const id = "lamp-7f3a"
	l := fixture.Open(t, client, event.PartitionOf(id, 12), 12, "1k7dq2x9qz", view.DeviceNames()...)
	for _, e := range []event.Event{
		&event.DeviceConnected{Common: device(id, 0), Session: event.Session{SessionID: "8b76421b", SessionSeq: 2},
			Description: event.Description{ViaDeviceID: "gateway-1", Transport: "zigbee", Firmware: "2.4.1", Model: "LED1545G12", Manufacturer: "IKEA"}},
		&event.DeviceRenamed{Common: device(id, 30), Rename: event.Rename{NewName: "kitchen lamp"}},
		&event.DeviceLinked{Common: device(id, 40), Link: event.Link{OtherDeviceID: "switch-2", LinkKind: "controls"}},
		&event.DeviceUnlinked{Common: device(id, 50), Link: event.Link{OtherDeviceID: "switch-1"}},
		&event.DeviceConnected{Common: device(id, 60), Session: event.Session{SessionID: "c01d7a55", SessionSeq: 3}, Description: event.Description{ViaDeviceID: "gateway-1", Firmware: "2.5.0"}},
	} {
		e.Envelope().ID = event.IDOf(e)
		l.Fold(e)
	}
}

// dressUp gives the position the names that a real one has, and a time that does not change.
func dressUp(t *testing.T, addr string, l *fixture.Lane) {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer rdb.Close()
	tag := "v:{" + l.ID.Partition.String() + "}:"
	pipe := rdb.Pipeline()
	pipe.HSet(t.Context(), tag+"g1k7dq2x8fa:pos",
		"owner", "3Q7ZK2MNB4VAY5TWXGDH6CJ2LE.14", "topic_id", "mN3v0cXzTpKJ5kq0Vb7r2A", "cluster_id", "5L6g3nShT-eMCtK--X86sw", "rebuild_to", 1200)
	pipe.HSet(t.Context(), tag+"generations", "1k7dq2x8fa", fmt.Sprintf("served %d -1 - nothing served", int64(checkedMs-86_400_000)))
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestViewsPageNamesEverything: a field that is added must be explained.
func TestViewsPageNamesEverything(t *testing.T) {
	page, err := os.ReadFile(viewsPage)
	if err != nil {
		t.Fatal(err)
	}
	names := append(view.CardFields(), view.AtField)
	names = append(append(names, view.Names()...), view.DeviceNames()...)
	names = append(names, view.DeviceFields()...)
	for _, state := range view.DeviceStates() {
		names = append(names, view.DevicesKey(state))
	}
	for _, top := range view.TopNames() {
		names = append(names, view.TopKey(top))
	}
	for _, name := range append(names, strings.Join(view.TotalsFields(), " ")) {
		if !strings.Contains(string(page), "`"+name+"`") && !strings.Contains(string(page), "## "+name+"\n") {
			t.Errorf("VIEWS.md does not explain %s", name)
		}
	}
}
