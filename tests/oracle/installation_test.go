package oracle

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/intake"
	"switchboard/internal/kafkalog"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
	"switchboard/topology"
)

// partitions of every installation here: the canonical hash depends on their number, since totals are kept by partition.
const partitions = 4

// patience is how long anything may take on two cores that others use as well, with the race detector and a million events.
const patience = 10 * time.Minute

// installation is a Switchboard of its own: topics with a prefix, and the roles of one test.
type installation struct {
	*testing.T
	b      backend.Backend
	prefix string
	env    []string    // of every role
	upTo   event.Token // covers everything that was taken in
	log    *slog.Logger
}

// install makes the topics of an installation on a backend. settings are lines of the topology overlay for calls.reports.
func install(t *testing.T, b backend.Backend, settings ...string) *installation {
	t.Helper()
	kafka, redis := "server", "server"
	switch {
	case b.Name == "embedded":
		kafka, redis = "embedded", "embedded"
	case b.Cluster:
		redis = "cluster"
	}
	if len(settings) == 0 {
		settings = []string{fmt.Sprint("partitions: ", partitions)}
	}
	overlay := filepath.Join(t.TempDir(), "topology.yaml")
	text := "topics:\n  calls.reports:\n    " + strings.Join(settings, "\n    ") + "\n  dead-letters:\n    partitions: 1\n"
	if err := os.WriteFile(overlay, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	in := &installation{T: t, b: b, prefix: backend.Prefix(), log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
	in.env = []string{
		"SWITCHBOARD_ENV=dev", "SWITCHBOARD_KAFKA_KIND=" + kafka, "SWITCHBOARD_KAFKA_BROKERS=" + strings.Join(b.Brokers, ","), "SWITCHBOARD_KAFKA_TOPIC_PREFIX=" + in.prefix,
		"SWITCHBOARD_REDIS_KIND=" + redis, "SWITCHBOARD_REDIS_ADDRS=" + strings.Join(b.Redis, ","), "SWITCHBOARD_TOPOLOGY_OVERLAYS=" + overlay,
		"SWITCHBOARD_INGEST_LISTEN=127.0.0.1:0", "SWITCHBOARD_OBSERVABILITY_LISTEN=127.0.0.1:0",
	}
	if diff, err := app.ApplyTopology(t.Context(), in.config(), in.log, func(topology.Step) {}); err != nil || !diff.Empty() {
		t.Fatalf("topology: %v\n%s", err, diff)
	}
	return in
}

// on is the same installation with another Redis, which knows nothing yet.
func (in *installation) on(t *testing.T, addr string) *installation {
	other := *in
	other.T, other.b.Redis = t, []string{addr}
	other.env = append(append([]string{}, in.env...), "SWITCHBOARD_REDIS_ADDRS="+addr)
	return &other
}

func (in *installation) config(env ...string) *config.Config {
	in.Helper()
	roles := []config.Role{config.RoleProcessor, config.RoleIngest, config.RoleImport, config.RoleQuery, config.RoleTopology}
	cfg, err := config.Load(config.Options{Roles: roles, Environ: append(append([]string{}, in.env...), env...)})
	if err != nil {
		in.Fatal(err)
	}
	cfg.Processor.Views = view.Names() // the hash and its vector are those of reports
	return cfg
}

func (in *installation) topic() string { return in.prefix + "calls.reports" }

func (in *installation) partition(number int32) event.Partition {
	return event.Partition{Topic: in.topic(), Number: number}
}

func (in *installation) redis() *redis.Client {
	rdb := redis.NewClient(&redis.Options{Addr: in.b.Redis[0], Protocol: 2})
	in.Cleanup(func() { rdb.Close() })
	return rdb
}

// processor is a running one.
type processor struct {
	*app.Processor
	stop func() // waits for its end
}

// process starts a processor; it ends with the test at the latest.
func (in *installation) process(env ...string) *processor {
	in.Helper()
	return in.processDialing(nil, env...)
}

func (in *installation) processDialing(dial app.Dialer, env ...string) *processor {
	in.Helper()
	p := &processor{Processor: &app.Processor{Config: in.config(env...), Logger: in.log, Version: "oracle", RedisDial: dial}}
	p.stop = in.run("processor", p.Run)
	return p
}

// run runs a role until stop is called, or the test ends.
func (in *installation) run(name string, role func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(in.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := role(ctx); err != nil && ctx.Err() == nil {
			in.Errorf("%s ended: %v", name, err)
		}
	}()
	stop = func() { cancel(); <-done }
	in.Cleanup(stop)
	return stop
}

// importFile imports a file, all of whose rows must be good, and returns how many facts it held.
func (in *installation) importFile(path string, o intake.FileOptions) int {
	in.Helper()
	im := &app.Importer{Config: in.config(), Logger: in.log, File: path, Options: o, Rejects: filepath.Join(in.TempDir(), "rejects")}
	result, err := im.Run(in.Context())
	if err != nil || result.Rejected > 0 || result.Appended != result.Events {
		in.Fatalf("import %s: %v, %+v", filepath.Base(path), err, result)
	}
	in.covers(result.Token)
	return int(result.Appended)
}

// importFacts imports facts as a file of NDJSON.
func (in *installation) importFacts(list []event.Event) {
	in.Helper()
	path := filepath.Join(in.TempDir(), "reports.ndjson")
	if err := os.WriteFile(path, ndjson(list), 0o600); err != nil {
		in.Fatal(err)
	}
	if n := in.importFile(path, intake.FileOptions{Format: "ndjson"}); n != len(list) {
		in.Fatalf("%d of %d facts imported", n, len(list))
	}
}

// postFacts sends facts to an ingest role, as gzipped NDJSON.
func (in *installation) postFacts(list []event.Event) {
	in.Helper()
	opened := make(chan string, 1)
	role := &app.Ingest{Config: in.config(), Logger: in.log, Listening: func(addr string) { opened <- addr }}
	stop := in.run("ingest", role.Run)
	defer stop()
	var url string
	select {
	case addr := <-opened:
		url = "http://" + addr + "/v1/reports"
	case <-time.After(patience):
		in.Fatal("ingest does not listen")
	}
	for len(list) > 0 {
		n := min(len(list), 1000)
		in.post(url, list[:n])
		list = list[n:]
	}
}

func (in *installation) post(url string, list []event.Event) {
	in.Helper()
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	_, err := zip.Write(ndjson(list))
	if err := errors.Join(err, zip.Close()); err != nil {
		in.Fatal(err)
	}
	req, err := http.NewRequestWithContext(in.Context(), http.MethodPost, url, &body)
	if err != nil {
		in.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Content-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		in.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	var answer struct {
		Items []struct {
			Status  string `json:"status"`
			EventID string `json:"event_id"`
		} `json:"items"`
		Token string `json:"token"`
	}
	if err := errors.Join(err, json.Unmarshal(text, &answer)); err != nil || resp.StatusCode != http.StatusAccepted || len(answer.Items) != len(list) {
		in.Fatalf("post: %v, status %d, %d of %d items: %.500s", err, resp.StatusCode, len(answer.Items), len(list), text)
	}
	for i, item := range answer.Items {
		if want := list[i].Envelope().ID.String(); item.Status != "accepted" || item.EventID != want {
			in.Fatalf("item %d: %s, id %s, want %s", i, item.Status, item.EventID, want)
		}
	}
	token, err := event.ParseToken(answer.Token)
	if err != nil {
		in.Fatal(err)
	}
	in.covers(token)
}

func (in *installation) covers(token event.Token) {
	in.Helper()
	if err := in.upTo.Merge(token); err != nil {
		in.Fatal(err)
	}
}

// wait returns when the read models hold everything that was taken in, and every partition is
// served, those too in which nothing stands: a hash is of all of them.
func (in *installation) wait() {
	in.Helper()
	want := event.Token{Topic: in.upTo.Topic, Next: map[int32]int64{}}
	for p := range int32(partitions) {
		want.Next[p] = in.upTo.Next[p]
	}
	if err := app.WaitFor(in.Context(), in.config(), event.Subscribers, want, patience); err != nil {
		in.Fatal(err)
	}
}

// console answers queries.
func (in *installation) console() *console.Console {
	in.Helper()
	c, closeIt, err := app.OpenConsole(in.Context(), in.config())
	if err != nil {
		in.Fatal(err)
	}
	in.Cleanup(closeIt)
	return c
}

// kafka reads the log.
func (in *installation) kafka() *kafkalog.Log {
	in.Helper()
	log, err := kafkalog.NewLog(kafkalog.Options{Brokers: in.b.Brokers})
	if err != nil {
		in.Fatal(err)
	}
	in.Cleanup(log.Close)
	return log
}

// serving is the generation that serves a partition; "" when none does.
func (in *installation) serving(rdb *redis.Client, number int32) pipeline.Generation {
	return reference.Serving(in.Context(), rdb, in.partition(number)).Generation
}

// await asks until it is told yes.
func (in *installation) await(what string, ask func() bool) {
	in.Helper()
	for deadline := time.Now().Add(patience); !ask(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			in.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// ndjson is facts as they would be reported, a line each.
func ndjson(list []event.Event) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, e := range list {
		s := submitted(e)
		if err := enc.Encode(&s); err != nil {
			panic(err) // strings and integers
		}
	}
	return out.Bytes()
}

// submitted is the report that becomes a fact.
func submitted(e event.Event) event.Submitted {
	c := e.Envelope()
	s := event.Submitted{Subscriber: string(c.Subject), StartedAt: c.OccurredAt, UTCOffsetS: &c.UTCOffsetS}
	var r *event.Report
	switch e := e.(type) {
	case *event.CallReported:
		s.Kind, s.DurationS, r = event.Call.String(), e.DurationS, &e.Report
	case *event.TextReported:
		s.Kind, r = event.Text.String(), &e.Report
	case *event.CallReportAmended:
		s.Kind, s.DurationS, s.Amends, s.Revision, r = e.Kind.String(), e.DurationS, e.Amends.String(), e.Revision, &e.Report
	default:
		panic(fmt.Sprintf("%T", e))
	}
	s.Direction, s.AntennaID, s.Repeat, s.Outcome = r.Direction.String(), r.AntennaID, r.Repeat, r.Outcome.String()
	if s.Withheld = r.Counterpart == event.Withheld; !s.Withheld {
		s.Counterpart = r.Counterpart
	}
	return s
}

// appendTombstone appends a record without a value, as an erasure would.
func (in *installation) appendTombstone(number int32) {
	in.Helper()
	a, err := kafkalog.NewAppender(kafkalog.AppenderOptions{Options: kafkalog.Options{Brokers: in.b.Brokers}})
	if err != nil {
		in.Fatal(err)
	}
	result := a.Append(in.Context(), []kafkalog.Record{{Partition: in.partition(number), Key: make([]byte, 16)}})[0]
	if err := errors.Join(result.Err, a.Close(in.Context())); err != nil {
		in.Fatal(err)
	}
	in.upTo.Cover(number, result.Offset)
}
