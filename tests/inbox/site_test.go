// Package inbox tries the door for foreign producers: calls.inbox, with producers that nobody here wrote.
package inbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/app"
	"switchboard/internal/event"
	"switchboard/internal/intake"
	"switchboard/internal/pipeline"
	"switchboard/tests/backend"
	"switchboard/tests/site/local"
)

func TestMain(m *testing.M) { backend.Main(m) }

const (
	partitions      = 2 // of the facts
	inboxPartitions = 3
)

// What avro.schema_ids has here.
const (
	reportID = 17 // report_submitted.v1
	factID   = 18 // call_reported.v1
)

// site is an installation whose inbox is written to as foreign producers do.
type site struct {
	*local.Site
	inbox  string
	intake *intake.Intake
}

func newSite(t *testing.T, b backend.Backend) *site {
	t.Helper()
	in, err := intake.New(intake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &site{local.New(t, b, local.Options{
		Partitions: map[string]int{"devices.lifecycle": partitions, "calls.inbox": inboxPartitions},
		Env:        []string{fmt.Sprintf("SWITCHBOARD_AVRO_SCHEMA_IDS=%d:report_submitted.v1,%d:call_reported.v1", reportID, factID)},
	}), b.Prefix + "calls.inbox", in}
}

// report is the n-th report of a producer.
func report(producer string, n int) event.Submitted {
	return event.Submitted{
		Kind: "call", Subscriber: fmt.Sprintf("+4477009%05d", len(producer)*100+n%5), Direction: "out", StartedAt: 1_709_510_400_000 + int64(n)*60_000,
		Counterpart: fmt.Sprintf("+4477009%05d", 90_000+n%3), Outcome: "answered", DurationS: int32(10*len(producer) + n), NativeID: fmt.Sprint(producer, "-", n),
	}
}

func reports(producer string, n int) []event.Submitted {
	list := make([]event.Submitted, n)
	for i := range list {
		list[i] = report(producer, i)
	}
	return list
}

func (s *site) bytes(r event.Submitted) []byte {
	s.Helper()
	value, err := s.Encoder.EncodeSubmitted(nil, &r)
	if err != nil {
		s.Fatal(err)
	}
	return value
}

// send puts values into the inbox, round robin, under keys of no meaning, and gives where they are.
func (s *site) send(values ...[]byte) []*kgo.Record {
	s.Helper()
	var records []*kgo.Record
	for i, v := range values {
		r := &kgo.Record{Topic: s.inbox, Partition: int32(i % inboxPartitions), Value: v}
		if i%2 == 1 {
			r.Key = []byte{0xff, byte(i)}
		}
		records = append(records, r)
	}
	s.Write(records...)
	return records
}

// post sends reports by HTTP.
func (s *site) post(url string, list []event.Submitted) {
	s.Helper()
	body, err := json.Marshal(list)
	if err != nil {
		s.Fatal(err)
	}
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		s.Fatalf("POST: %s", resp.Status)
	}
}

// facts are what intake makes of reports.
func (s *site) facts(list ...event.Submitted) []event.Event {
	s.Helper()
	var facts []event.Event
	for _, r := range list {
		e, err := s.intake.Accept(r)
		if err != nil {
			s.Fatal(err)
		}
		facts = append(facts, e)
	}
	return facts
}

// group is the inbox group's offsets, summed.
func (s *site) group() int64 {
	offsets, err := s.Admin.FetchOffsets(s.Context(), s.On.Prefix+"switchboard-inbox")
	if err != nil {
		return -1
	}
	sum := int64(0)
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == s.inbox {
			sum += max(o.At, 0)
		}
	})
	return sum
}

// count is how many records a topic has ever had.
func (s *site) count(topic string) (sum int64) {
	s.Helper()
	for _, end := range s.EndsOf(topic) {
		sum += end
	}
	return sum
}

// taken waits until the group has passed everything in the inbox.
func (s *site) taken() {
	s.Helper()
	sum := s.count(s.inbox)
	s.Until(fmt.Sprintf("the group reaches %d", sum), func() bool { return s.group() == sum })
}

// exact waits until the read models have folded everything, and holds them against the fold of facts, each once.
func (s *site) exact(facts []event.Event) {
	s.Helper()
	s.CaughtUp()
	s.Holds(facts)
}

// letters are the dead letters, by position.
func (s *site) letters() map[string]pipeline.DeadLetter {
	s.Helper()
	found := map[string]pipeline.DeadLetter{}
	if err := app.ListDeadLetters(s.Context(), s.Config, s.Logger, func(d app.DeadLetter) error {
		found[fmt.Sprintf("%s@%d", d.Partition, d.Offset)] = d.DeadLetter
		return nil
	}); err != nil {
		s.Fatal(err)
	}
	return found
}

func position(r *kgo.Record) string { return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset) }

// commitless is a network that ends a connection before it carries a commit of group offsets: whoever dials it appends and
// never commits, as if it died in between every time.
func commitless(tried chan<- struct{}) app.Dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &commitlessConn{c, tried}, err
	}
}

type commitlessConn struct {
	net.Conn
	tried chan<- struct{}
}

var errCut = errors.New("cut before a commit")

func (c *commitlessConn) Write(b []byte) (int, error) {
	const offsetCommit = 8
	if len(b) > 6 && b[4] == 0 && b[5] == offsetCommit {
		select {
		case c.tried <- struct{}{}:
		default:
		}
		c.Conn.Close()
		return 0, errCut
	}
	return c.Conn.Write(b)
}

// Versions of what the Python producer is made of.
var wheels = []string{"confluent-kafka==2.16.1", "fastavro==1.13.1"}

// python finds, or makes in the user's cache, a Python with wheels. With CI=true a machine without one fails, else the test is skipped.
func python(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	home := filepath.Join(cache, "switchboard", "producer-"+strings.NewReplacer("==", "-").Replace(strings.Join(wheels, "-")))
	program := filepath.Join(home, "bin", "python")
	works := func() error { return exec.Command(program, "-c", "import confluent_kafka, fastavro").Run() }
	if works() == nil {
		return program
	}
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", home},
		append([]string{program, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"}, wheels...),
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			missing(t, "a Python producer", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out))
		}
	}
	if err := works(); err != nil {
		missing(t, "a Python producer", err)
	}
	return program
}

// kcat is the path of kcat, installed if need be and possible.
func kcat(t *testing.T) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("../../deploy/local/install", "kcat")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		missing(t, "kcat", fmt.Errorf("%w: %s", err, stderr.String()))
	}
	return strings.TrimSpace(string(out))
}

func missing(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: %v", what, err)
	}
	t.Skipf("NOT TRIED WITH A FOREIGN PRODUCER: %s is missing: %v", what, err)
}
