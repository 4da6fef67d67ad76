// Package inbox tries the door for foreign producers: calls.inbox, with producers that nobody here wrote.
package inbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/intake"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
	"switchboard/topology"
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

// site is one installation without roles.
type site struct {
	*testing.T
	b      backend.Backend
	config *config.Config
	kafka  *kgo.Client
	admin  *kadm.Client
	redis  *redis.Client
	inbox  string
	topic  string
	enc    *avrowire.Encoder
	intake *intake.Intake
}

func newSite(t *testing.T, b backend.Backend) *site {
	t.Helper()
	s := &site{T: t, b: b, inbox: b.Prefix + "calls.inbox", topic: b.Prefix + "calls.reports"}
	overlay := filepath.Join(t.TempDir(), "topology.yaml")
	small := fmt.Sprintf("topics:\n  calls.reports:\n    partitions: %d\n  devices.lifecycle:\n    partitions: %d\n  calls.inbox:\n    partitions: %d\n  devices.inbox:\n    partitions: 1\n  dead-letters:\n    partitions: 1\n", partitions, partitions, inboxPartitions)
	if err := os.WriteFile(overlay, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{
		"SWITCHBOARD_ENV=dev", "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(b.Brokers, ","), "SWITCHBOARD_REDIS_ADDRS=" + strings.Join(b.Redis, ","),
		"SWITCHBOARD_KAFKA_TOPIC_PREFIX=" + b.Prefix, "SWITCHBOARD_TOPOLOGY_OVERLAYS=" + overlay, "SWITCHBOARD_INGEST_LISTEN=127.0.0.1:0",
		"SWITCHBOARD_PROCESSOR_TICK=100ms", "SWITCHBOARD_PROCESSOR_BATCH_MAX_COMMIT_INTERVAL=50ms",
		fmt.Sprintf("SWITCHBOARD_AVRO_SCHEMA_IDS=%d:report_submitted.v1,%d:call_reported.v1", reportID, factID),
	}
	if b.Name == "embedded" {
		environ = append(environ, "SWITCHBOARD_KAFKA_KIND=embedded", "SWITCHBOARD_REDIS_KIND=embedded")
	}
	var err error
	if s.config, err = config.Load(config.Options{Roles: []config.Role{config.RoleIngest, config.RoleProcessor, config.RoleTopology}, Environ: environ}); err != nil {
		t.Fatal(err)
	}
	if diff, err := app.ApplyTopology(t.Context(), s.config, slog.New(slog.DiscardHandler), func(topology.Step) {}); err != nil || !diff.Empty() {
		t.Fatalf("topology: %v\n%s", err, diff)
	}
	if s.kafka, err = kgo.NewClient(kgo.SeedBrokers(b.Brokers...), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.ProducerBatchMaxBytes(1_040_000)); err != nil {
		t.Fatal(err)
	}
	s.admin = kadm.NewClient(s.kafka)
	s.redis = redis.NewClient(&redis.Options{Addr: b.Redis[0], Protocol: 2})
	t.Cleanup(func() { s.kafka.Close(); s.redis.Close() })
	if s.enc, err = avrowire.NewEncoder(nil); err != nil {
		t.Fatal(err)
	}
	if s.intake, err = intake.New(intake.Options{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) logger() *slog.Logger {
	if os.Getenv("DEBUG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// start runs a role until stop.
func (s *site) start(run func(ctx context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	s.Cleanup(cancel)
	return func() error { cancel(); return <-done }
}

func (s *site) processor() (stop func() error) {
	return s.start((&app.Processor{Config: s.config, Logger: s.logger(), Version: "inbox"}).Run)
}

// ingest runs a door and gives its address.
func (s *site) ingest(dial app.Dialer) (in *app.Ingest, url string, stop func() error) {
	s.Helper()
	opened := make(chan string, 1)
	in = &app.Ingest{Config: s.config, Logger: s.logger(), Listening: func(addr string) { opened <- addr }, KafkaDial: dial}
	failed := make(chan error, 1)
	stop = s.start(func(ctx context.Context) error {
		err := in.Run(ctx)
		failed <- err
		return err
	})
	select {
	case addr := <-opened:
		return in, "http://" + addr + "/v1/reports", stop
	case err := <-failed:
		s.Fatalf("ingest ended: %v", err)
	case <-time.After(time.Minute):
		s.Fatal("ingest does not listen")
	}
	return nil, "", nil
}

func (s *site) halt(stop func() error) {
	s.Helper()
	if err := stop(); err != nil {
		s.Fatalf("the role ended with %v", err)
	}
}

func (s *site) until(what string, ok func() bool) {
	s.Helper()
	for deadline := time.Now().Add(90 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("%s: not within 90 s", what)
		}
	}
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
	value, err := s.enc.EncodeSubmitted(nil, &r)
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
		r := &kgo.Record{Topic: s.inbox, Value: v}
		if i%2 == 1 {
			r.Key = []byte{0xff, byte(i)}
		}
		records = append(records, r)
	}
	if err := s.kafka.ProduceSync(s.Context(), records...).FirstErr(); err != nil {
		s.Fatal(err)
	}
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
	offsets, err := s.admin.FetchOffsets(s.Context(), s.b.Prefix+"switchboard-inbox")
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

func (s *site) ends(topic string) (sum int64, each map[int32]int64) {
	s.Helper()
	ends, err := s.admin.ListEndOffsets(s.Context(), topic)
	if err != nil || ends.Error() != nil {
		s.Fatal(err, ends.Error())
	}
	each = map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset; each[o.Partition] = o.Offset })
	return sum, each
}

// taken waits until the group has passed everything in the inbox.
func (s *site) taken() {
	s.Helper()
	sum, _ := s.ends(s.inbox)
	s.until(fmt.Sprintf("the group reaches %d", sum), func() bool { return s.group() == sum })
}

// exact waits until the read models have folded everything, and holds them against the fold of facts, each once.
func (s *site) exact(facts []event.Event) {
	s.Helper()
	set, err := view.NewSet(view.Names())
	if err != nil {
		s.Fatal(err)
	}
	parts := make([][]event.Event, partitions)
	for _, e := range facts {
		p := event.PartitionOf(e.Envelope().Subject, partitions)
		parts[p] = append(parts[p], e)
	}
	_, ends := s.ends(s.topic)
	for n, list := range parts {
		p := event.Partition{Topic: s.topic, Number: int32(n)}
		s.until(fmt.Sprintf("%s is folded to %d", p, ends[p.Number]), func() bool {
			next, err := s.redis.HGet(s.Context(), redisview.PosKey(reference.Serving(s.Context(), s.redis, p)), "next").Int64()
			return err == nil && next == ends[p.Number]
		})
		got, err := reference.Dump(s.Context(), s.redis, reference.Serving(s.Context(), s.redis, p))
		if err != nil {
			s.Fatal(err)
		}
		if diff := reference.Diff(got, reference.Of(set, list)); diff != nil {
			s.Errorf("%s:\n%s", p, strings.Join(diff, "\n"))
		}
	}
}

// letters are the dead letters, by position.
func (s *site) letters() map[string]pipeline.DeadLetter {
	s.Helper()
	found := map[string]pipeline.DeadLetter{}
	if err := app.ListDeadLetters(s.Context(), s.config, s.logger(), func(d app.DeadLetter) error {
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
