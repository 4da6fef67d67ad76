package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/event"
	"switchboard/tests/backend"
	"switchboard/topology"
)

// principals are the roles, as SASL users; each has its own name as the password.
var principals = []string{"ingest", "processor", "snapshotter", "operator", "import", "producer"}

// aclLine is what one line of deploy/kafka/acls says.
type aclLine struct {
	role, kind, name string
	operations       []string
}

// aclLines runs the script and reads its lines as strictly as kafka-acls does.
func aclLines(t *testing.T, prefix string) []aclLine {
	t.Helper()
	cmd := exec.Command(file("kafka/acls"), "admin.properties")
	cmd.Env = append(cmd.Environ(), "PREFIX="+prefix, "BROKERS=b:1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []aclLine
	for text := range strings.Lines(string(out)) {
		words := strings.Fields(text)
		if want := strings.Fields("kafka-acls --bootstrap-server b:1 --command-config admin.properties --add --allow-principal"); len(words) < 12 || !slices.Equal(words[:6], want[:6]) || words[6] != want[6] {
			t.Fatalf("not understood: %s", text)
		}
		role, ok := strings.CutPrefix(words[7], "User:")
		l := aclLine{role: role}
		for words = words[8:]; len(words) > 1; words = words[2:] {
			switch words[0] {
			case "--operation":
				l.operations = append(l.operations, words[1])
			case "--topic", "--group":
				ok = ok && l.name == ""
				l.kind, l.name = words[0][2:], words[1]
			default:
				ok = false
			}
		}
		if !ok || len(words) > 0 || l.name == "" || l.operations == nil {
			t.Fatalf("not understood: %s", text)
		}
		list = append(list, l)
	}
	return list
}

// TestKafkaRightsFollowTopology: the script reads the topology as Go does, and gives away no more than the roles need.
func TestKafkaRightsFollowTopology(t *testing.T) {
	top := loadTopology(t, "prod")
	has := map[string]bool{}
	for _, l := range aclLines(t, "") {
		for _, operation := range l.operations {
			has[l.role+" "+operation+" "+l.kind+" "+l.name] = true
			if slices.Contains([]string{"All", "Delete", "ClusterAction", "DescribeCluster"}, operation) {
				t.Errorf("%+v", l)
			}
			if l.role != "operator" && !slices.Contains([]string{"Read", "Write", "Describe", "DescribeConfigs"}, operation) {
				t.Errorf("%+v", l)
			}
		}
	}
	want := map[string]bool{}
	for _, f := range top.Flows {
		for _, role := range f.WrittenBy {
			want[role+" Write topic "+f.Topic] = true
		}
		for _, name := range f.ReadBy {
			group, _ := top.Group(name)
			want[group.Role+" Read topic "+f.Topic] = true
			want[group.Role+" Read group "+name] = true
		}
	}
	for _, topic := range top.OfKind(topology.Snapshots) {
		want["processor Read topic "+topic.Name], want["snapshotter Read topic "+topic.Name] = true, true
	}
	for _, topic := range top.Topics {
		want["operator Read topic "+topic.Name] = true
	}
	for _, group := range top.Groups {
		want["operator Read group "+group.Name] = true
	}
	for right := range want {
		if !has[right] {
			t.Errorf("missing: %s", right)
		}
	}
	for right := range has {
		if words := strings.Fields(right); (words[1] == "Read" || words[1] == "Write") && !want[right] {
			t.Errorf("too much: %s", right)
		}
	}
}

// TestKafkaRightsEmbedded tries the rights on kfake.
func TestKafkaRightsEmbedded(t *testing.T) {
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("SCRAM-SHA-512", "admin", "admin"),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}),
	}
	for _, user := range principals {
		opts = append(opts, kfake.User("SCRAM-SHA-512", user, user))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	tryRights(t, &secured{T: t, brokers: cluster.ListenAddrs(), kind: "embedded"})
}

// secured is a cluster where everybody has to say who it is.
type secured struct {
	*testing.T
	brokers []string
	kind    string // kafka.kind
	caFile  string // "": no TLS
	prefix  string
	overlay string
	redis   []string // variables
}

func (s *secured) client(user string, opts ...kgo.Opt) *kgo.Client {
	s.Helper()
	opts = append(opts, kgo.SeedBrokers(s.brokers...), kgo.SASL(scram.Auth{User: user, Pass: user}.AsSha512Mechanism()), kgo.RecordRetries(0), kgo.ProducerLinger(0), kgo.RetryTimeout(10*time.Second))
	if s.caFile != "" {
		opts = append(opts, kgo.DialTLSConfig(trusting(s.T, s.caFile)))
	}
	c, err := kgo.NewClient(opts...)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(c.Close)
	return c
}

func (s *secured) config(role config.Role, user string, more ...string) *config.Config {
	s.Helper()
	env := []string{
		"SWITCHBOARD_ENV=dev", "SWITCHBOARD_KAFKA_KIND=" + s.kind, "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(s.brokers, ","), "SWITCHBOARD_KAFKA_TOPIC_PREFIX=" + s.prefix,
		"SWITCHBOARD_KAFKA_SASL_MECHANISM=scram-sha-512", "SWITCHBOARD_KAFKA_SASL_USERNAME=" + user, "SWITCHBOARD_KAFKA_SASL_PASSWORD=" + user,
		"SWITCHBOARD_TOPOLOGY_OVERLAYS=" + s.overlay, "SWITCHBOARD_INGEST_LISTEN=127.0.0.1:0", "SWITCHBOARD_OBSERVABILITY_LISTEN=127.0.0.1:0", "SWITCHBOARD_SNAPSHOT_EVERY=300ms",
	}
	if s.caFile != "" {
		env = append(env, "SWITCHBOARD_KAFKA_TLS_ENABLED=true", "SWITCHBOARD_KAFKA_TLS_CA_FILE="+s.caFile)
	}
	cfg, err := config.Load(config.Options{Environ: append(env, more...), Roles: []config.Role{role}})
	if err != nil {
		s.Fatal(err)
	}
	return cfg
}

// start runs a role until the test ends, or stop; an error of it fails the test.
func (s *secured) start(name string, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.Errorf("%s: %v", name, err)
		}
	}()
	stop = func() { cancel(); <-done }
	s.Cleanup(stop)
	return stop
}

func (s *secured) until(what string, ok func() error) {
	s.Helper()
	var err error
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = ok(); err == nil {
			return
		}
	}
	s.Fatalf("%s: %v", what, err)
}

// grant carries out the lines of the script.
func (s *secured) grant() {
	s.Helper()
	admin := kadm.NewClient(s.client("admin"))
	for _, l := range aclLines(s.T, s.prefix) {
		b := kadm.NewACLs().Allow("User:" + l.role).AllowHosts("*").ResourcePatternType(kmsg.ACLResourcePatternTypeLiteral)
		if l.kind == "topic" {
			b.Topics(l.name)
		} else {
			b.Groups(l.name)
		}
		for _, name := range l.operations {
			operation, err := kmsg.ParseACLOperation(name)
			if err != nil {
				s.Fatal(err)
			}
			results, err := admin.CreateACLs(s.Context(), b.Operations(operation))
			for _, r := range results {
				err = errors.Join(err, r.Err)
			}
			if err != nil {
				s.Fatalf("%+v: %v", l, err)
			}
		}
	}
}

// tryRights: the operator makes the topics, the roles run with their rights alone, and everybody is denied what is not theirs.
func tryRights(t *testing.T, s *secured) {
	s.prefix = backend.Prefix()
	s.overlay = filepath.Join(t.TempDir(), "topology.yaml")
	small := "topics:\n"
	for _, topic := range loadTopology(t, "dev").Topics {
		small += "  " + topic.Name + ": {partitions: 1}\n"
	}
	write(t, s.overlay, small)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	if _, err := app.ApplyTopology(t.Context(), s.config(config.RoleTopology, "operator"), log, nil); err == nil {
		t.Fatal("without a rule the operator may make topics")
	}
	s.grant()
	if diff, err := app.ApplyTopology(t.Context(), s.config(config.RoleTopology, "operator"), log, func(topology.Step) {}); err != nil || !diff.Empty() {
		t.Fatalf("topology apply: %v\n%s", err, diff)
	}
	aclFile, passwords := redisUsers(t)
	redis := backend.RealRedis(t, "--aclfile", aclFile)
	s.redis = []string{"SWITCHBOARD_REDIS_ADDRS=" + redis.Addr, "SWITCHBOARD_REDIS_USERNAME=processor", "SWITCHBOARD_REDIS_PASSWORD=" + passwords["processor"]}

	address := make(chan string, 1)
	ingest := &app.Ingest{Config: s.config(config.RoleIngest, "ingest"), Logger: log, Listening: func(a string) { address <- a }}
	s.start("ingest", ingest.Run)
	processor := &app.Processor{Config: s.config(config.RoleProcessor, "processor", s.redis...), Logger: log}
	s.start("processor", processor.Run)
	snapshotter := &app.Snapshotter{Config: s.config(config.RoleSnapshotter, "snapshotter"), Logger: log}
	stopSnapshotter := s.start("snapshotter", snapshotter.Run)

	facts := event.Partition{Topic: s.prefix + "calls.reports"}
	var at string
	select {
	case at = <-address:
	case <-time.After(90 * time.Second):
		t.Fatal("ingest does not listen")
	}
	s.until("a report is taken", func() error {
		body := `[{"kind":"call","subscriber":"+447700900021","direction":"in","counterpart":"+447700900022","started_at":"2014-03-02T07:13:30Z","duration_s":3}]`
		resp, err := http.Post("http://"+at+"/v1/reports", "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var text bytes.Buffer
		_, _ = text.ReadFrom(resp.Body)
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("%s: %s", resp.Status, &text)
		}
		return nil
	})
	// What cannot be folded: the processor writes a dead letter.
	if err := s.client("ingest").ProduceSync(t.Context(), &kgo.Record{Topic: s.prefix + "calls.reports", Key: []byte("no id"), Value: []byte("no fact")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	query := append(slices.Clone(s.redis), "SWITCHBOARD_REDIS_USERNAME=console", "SWITCHBOARD_REDIS_PASSWORD="+passwords["console"])
	s.until("the report is in its read model", func() error {
		if err := processor.Ready(); err != nil {
			return err
		}
		for p, lane := range processor.Lanes() {
			if p == facts && (lane.Next < 2 || lane.DeadLetters == 0) {
				return fmt.Errorf("%s: next %d, %d dead letters", p, lane.Next, lane.DeadLetters)
			}
		}
		c, end, err := app.OpenConsole(t.Context(), s.config(config.RoleQuery, "nobody", query...))
		if err == nil {
			_ = c
			end()
		}
		return err
	})
	s.until("a snapshot", func() error {
		if err := snapshotter.Ready(); err != nil {
			return err
		}
		for p, lane := range snapshotter.Lanes() {
			if p == facts && lane.Snapshot < 2 {
				return fmt.Errorf("%s: the newest snapshot is at %d", p, lane.Snapshot)
			}
		}
		return nil
	})
	stopSnapshotter()
	s.deny()
}

// deny tries what nobody may.
func (s *secured) deny() {
	facts, letters, snapshots := s.prefix+"calls.reports", s.prefix+"dead-letters", s.prefix+"snapshots"
	ctx := s.Context()
	for _, user := range principals {
		client := s.client(user)
		admin := kadm.NewClient(client)
		for _, topic := range []string{facts, letters, snapshots} {
			gone, err := admin.DeleteTopics(ctx, topic)
			s.denied(user+" deletes "+topic, errors.Join(err, gone[topic].Err))
			cut, err := admin.DeleteRecords(ctx, kadm.Offsets{topic: {0: {Topic: topic, At: 1}}})
			s.denied(user+" deletes records of "+topic, errors.Join(err, cut[topic][0].Err))
			s.verdict(user, "writes "+topic, slices.Contains(map[string][]string{facts: {"ingest", "import"}, letters: {"ingest", "processor"}, snapshots: {"snapshotter"}}[topic], user),
				client.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte("x"), Value: []byte("x")}).FirstErr())
			s.verdict(user, "reads "+topic, slices.Contains(map[string][]string{facts: {"processor", "snapshotter", "operator"}, letters: {"operator"}, snapshots: {"processor", "snapshotter", "operator"}}[topic], user),
				s.readFirst(s.client(user, kgo.MaxVersions(kversion.V3_0_0())), topic)) // the last with names of topics in Fetch
		}
		made, err := admin.CreateTopic(ctx, 1, 1, nil, s.prefix+"another")
		s.denied(user+" makes a topic that is not in the topology", errors.Join(err, made.Err))
		groups, err := admin.DeleteGroup(ctx, s.prefix+"switchboard-processor")
		s.denied(user+" deletes a group", errors.Join(err, groups.Err))
		rights, err := admin.DescribeACLs(ctx, kadm.NewACLs().AnyResource().Operations().Allow().AllowHosts().ResourcePatternType(kadm.ACLPatternAny))
		for _, r := range rights {
			err = errors.Join(err, r.Err)
		}
		s.denied(user+" reads the rights", err)
		if user != "operator" {
			changed, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("1")}}, facts)
			if err == nil && len(changed) == 1 {
				err = changed[0].Err
			}
			s.denied(user+" changes the retention of facts", err)
		}
	}
	// The wheel: a reset is a commit to a group, and needs to read its topic.
	commit := func(user, group string) error {
		offsets := make(kadm.Offsets)
		offsets.AddOffset(facts, 0, 0, -1)
		done, err := kadm.NewClient(s.client(user)).CommitOffsets(ctx, s.prefix+group, offsets)
		if err == nil {
			err = done.Error()
		}
		return err
	}
	if err := commit("operator", "switchboard-snapshotter"); err != nil { // it has no members by now
		s.Errorf("the operator resets a group: %v", err)
	}
	s.denied("ingest resets the processor", commit("ingest", "switchboard-processor"))
	s.denied("the snapshotter resets the processor", commit("snapshotter", "switchboard-processor"))
	s.denied("the processor resets the snapshotter", commit("processor", "switchboard-snapshotter"))
}

func (s *secured) readFirst(client *kgo.Client, topic string) error {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MaxWaitMillis, req.ReplicaID = 1<<20, 10, -1
	part := kmsg.NewFetchRequestTopicPartition()
	part.PartitionMaxBytes, part.CurrentLeaderEpoch = 1<<20, -1
	of := kmsg.NewFetchRequestTopic()
	of.Topic, of.Partitions = topic, []kmsg.FetchRequestTopicPartition{part}
	req.Topics = []kmsg.FetchRequestTopic{of}
	resp, err := client.Broker(int(s.leader())).Request(s.Context(), req)
	if err != nil {
		return err
	}
	answer := resp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		return err
	}
	return kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
}

// leader is the one broker.
func (s *secured) leader() int32 {
	brokers, err := kadm.NewClient(s.client("admin")).ListBrokers(s.Context())
	if err != nil || len(brokers) != 1 {
		s.Fatal(brokers, err)
	}
	return brokers[0].NodeID
}

func (s *secured) verdict(user, what string, may bool, err error) {
	s.Helper()
	if !may {
		s.denied(user+" "+what, err)
	} else if err != nil {
		s.Errorf("%s %s: %v", user, what, err)
	}
}

func (s *secured) denied(what string, err error) {
	s.Helper()
	for _, e := range []error{kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed} {
		if errors.Is(err, e) {
			return
		}
	}
	var auth *kadm.AuthError
	if !errors.As(err, &auth) {
		s.Errorf("%s: %v", what, err)
	}
}

// TestKafkaRightsReal tries the rights on a stock broker with deploy/kafka/broker.properties: TLS, SCRAM, StandardAuthorizer. It differs
// in addresses and folders, and in having one copy of everything.
//
//fault:k17 TLS, SCRAM and the rights of each role
func TestKafkaRightsReal(t *testing.T) {
	program, err := exec.Command(file("local/install"), "java").Output()
	jars, errJars := exec.Command(file("local/install"), "kafka").Output()
	if err := errors.Join(err, errJars); err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("SWITCHBOARD_REQUIRE_REAL") == "1" {
			t.Fatalf("no real Kafka: %v", err)
		}
		t.Skipf("NO REAL KAFKA HERE: %v", err)
	}
	tlsDir, dir := certificates(t, "kafka"), t.TempDir()
	ports := []int{freePort(t), freePort(t), freePort(t)}
	settings := strings.ReplaceAll(read(t, "kafka/broker.properties"), "/etc/kafka/tls", tlsDir) + "\n" + strings.Join([]string{
		"node.id=1", fmt.Sprintf("controller.quorum.voters=1@localhost:%d", ports[2]), "log.dirs=" + filepath.Join(dir, "data"),
		fmt.Sprintf("listeners=CLIENTS://localhost:%d,BROKERS://localhost:%d,CONTROLLERS://localhost:%d", ports[0], ports[1], ports[2]),
		fmt.Sprintf("advertised.listeners=CLIENTS://localhost:%d,BROKERS://localhost:%d", ports[0], ports[1]),
		"default.replication.factor=1", "min.insync.replicas=1", "offsets.topic.replication.factor=1", "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
		"share.coordinator.state.topic.replication.factor=1", "share.coordinator.state.topic.min.isr=1", "offsets.topic.num.partitions=1", "group.initial.rebalance.delay.ms=0",
	}, "\n") + "\n"
	properties := filepath.Join(dir, "server.properties")
	write(t, properties, settings)
	java := func(args ...string) *exec.Cmd {
		log, err := filepath.Abs(file("local/kafka/tools-log4j2.properties"))
		if err != nil {
			t.Fatal(err)
		}
		return exec.Command(strings.TrimSpace(string(program)), append([]string{"-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", strings.TrimSpace(string(jars)) + "/*", "-Dlog4j2.configurationFile=" + log}, args...)...)
	}
	format := []string{"kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", properties}
	for _, user := range append([]string{"admin"}, principals...) {
		format = append(format, "--add-scram", fmt.Sprintf("SCRAM-SHA-512=[name=%s,password=%s]", user, user))
	}
	if out, err := java(format...).CombinedOutput(); err != nil {
		t.Fatalf("format: %v\n%s", err, out)
	}
	var output bytes.Buffer
	broker := java("kafka.Kafka", properties)
	broker.Stdout, broker.Stderr = &output, &output
	if err := backend.Start(broker, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = broker.Process.Kill()
		_ = broker.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	})
	s := &secured{T: t, brokers: []string{fmt.Sprintf("localhost:%d", ports[0])}, kind: "server", caFile: filepath.Join(tlsDir, "ca.pem")}
	admin := kadm.NewClient(s.client("admin"))
	s.until("the broker answers", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := admin.ListTopics(ctx)
		return err
	})
	tryRights(t, s)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
