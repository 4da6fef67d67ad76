package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const keyHash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOrderOfSources(t *testing.T) {
	file := write(t, "prod.yaml", "env: prod\nkafka: {client_id: from-file, brokers: [a:1, b:2]}\nprocessor:\n  tick: 500ms\n  duplicates: off\n  views: [totals, card]\n")
	secret := write(t, "password", "  s3cret=, x\n")
	c, err := Load(Options{File: file, Roles: []Role{RoleIngest}, Environ: []string{
		"PATH=/bin", "SWITCHBOARD_TEST_WHATEVER=1", "SWITCHBOARD_LOCAL_DIR=x", "SWITCHBOARD_REQUIRE_REAL=1",
		"SWITCHBOARD_KAFKA_CLIENT_ID=from-env", "SWITCHBOARD_REDIS_ADDRS=r:1, r:2 ,", "SWITCHBOARD_REDIS_KIND=cluster",
		"SWITCHBOARD_REDIS_PASSWORD_FILE=" + secret, "SWITCHBOARD_REDIS_TLS_ENABLED=true", "SWITCHBOARD_INGEST_API_KEYS=a:" + keyHash,
		"SWITCHBOARD_INGEST_MAX_BODY_BYTES=2MiB", "SWITCHBOARD_AVRO_SCHEMA_IDS=17:report_submitted.v1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]any{
		"env":                       {c.Env, "prod"},
		"kafka.client_id":           {c.Kafka.ClientID, "from-env"},
		"kafka.brokers":             {c.Kafka.Brokers, []string{"a:1", "b:2"}},
		"redis.addrs":               {c.Redis.Addrs, []string{"r:1", "r:2"}},
		"redis.password":            {c.Redis.Password.Reveal(), "  s3cret=, x"},
		"ingest.auth":               {c.Ingest.Auth, AuthOn},
		"ingest.api_keys":           {c.Ingest.APIKeys[0].ID, "a"},
		"ingest.max_body_bytes":     {c.Ingest.MaxBodyBytes.String(), "2MiB"},
		"processor.tick":            {c.Processor.Tick, 500 * time.Millisecond},
		"processor.duplicates":      {c.Processor.Duplicates, DuplicatesOff},
		"processor.views":           {c.Processor.Views, []string{"card", "totals"}},
		"avro.schema_ids":           {c.Avro.SchemaIDs, []SchemaID{{17, "report_submitted.v1"}}},
		"sources":                   {c.Sources, []string{file, "environment"}},
		"default beside the others": {c.Processor.Chunk.Commands, 2000},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s = %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestDevEnv(t *testing.T) {
	dir := t.TempDir()
	file := DevEnvFile(dir, nil)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("# made by dev\nSWITCHBOARD_KAFKA_BROKERS=127.0.0.1:1234\nSWITCHBOARD_REDIS_KIND=embedded\nSWITCHBOARD_INGEST_URL=http://127.0.0.1:5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const fromDev, fromDefault = "127.0.0.1:1234", "127.0.0.1:9092"
	prod := write(t, "x.yaml", "kafka: {client_id: x}")
	tests := map[string]struct {
		options Options
		broker  string
	}{
		"nothing else":            {Options{Dir: dir}, fromDev},
		"a log level":             {Options{Dir: dir, Environ: []string{"SWITCHBOARD_OBSERVABILITY_LOG_LEVEL=debug"}}, fromDev},
		"another Redis":           {Options{Dir: dir, Environ: []string{"SWITCHBOARD_REDIS_ADDRS=r:1"}}, fromDefault},
		"another kind of Kafka":   {Options{Dir: dir, Environ: []string{"SWITCHBOARD_KAFKA_KIND=server"}}, fromDefault},
		"another env":             {Options{Dir: dir, Environ: []string{"SWITCHBOARD_ENV=test"}}, fromDefault},
		"a file":                  {Options{Dir: dir, File: prod}, fromDefault},
		"no folder":               {Options{}, fromDefault},
		"another folder":          {Options{Dir: t.TempDir()}, fromDefault},
		"named by the local dir":  {Options{Dir: t.TempDir(), Environ: []string{"SWITCHBOARD_LOCAL_DIR=" + filepath.Dir(file)}}, fromDev},
		"the environment is last": {Options{Dir: dir, Environ: []string{"SWITCHBOARD_INGEST_URL=https://x"}}, fromDev},
	}
	for name, test := range tests {
		c, err := Load(test.options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.Kafka.Brokers[0] != test.broker || c.Redis.Kind == RedisEmbedded != (test.broker == fromDev) {
			t.Errorf("%s: broker, kind = %s, %s", name, c.Kafka.Brokers[0], c.Redis.Kind)
		}
	}
	if err := os.WriteFile(file, []byte("KAFKA=1\nSWITCHBOARD_KAFKA=2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(Options{Dir: dir})
	expect(t, "bad dev.env", err, "SWITCHBOARD_KAFKA: "+file+": unknown variable", "dev.env: "+file+":1: want SWITCHBOARD_KEY=value")
}

// expect wants a line that begins so for each of want, in this order, and no other.
func expect(t *testing.T, name string, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %q", name, want)
		return
	}
	lines := strings.Split(err.Error(), "\n")
	ok := len(lines) == len(want)
	for i := range min(len(lines), len(want)) {
		ok = ok && strings.HasPrefix(lines[i], want[i])
	}
	if !ok {
		t.Errorf("%s:\n%s\nwant\n%s", name, err, strings.Join(want, "\n"))
	}
	var one *Error
	if !errors.As(err, &one) || one.Key == "" {
		t.Errorf("%s: %T holds no *Error with a key", name, err)
	}
}

func TestFileErrors(t *testing.T) {
	for text, want := range map[string][]string{
		"kafka: {broker: [a:1]}":                    {"kafka.broker: FILE:1: unknown key (did you mean kafka.brokers?)"},
		"kafak: {brokers: [a:1]}":                   {"kafak: FILE:1: unknown key"},
		"kafka: {Brokers: [a:1]}":                   {"kafka.Brokers: FILE:1: unknown key (did you mean kafka.brokers?)"},
		"env: dev\nenv: prod":                       {"env: FILE:2: given twice"},
		"kafka: 7":                                  {"kafka: FILE:1: want keys below it"},
		"kafka:":                                    {"kafka: FILE:1: has no value"},
		"kafka: {brokers: {a: 1}}":                  {"kafka.brokers: FILE:1: want a value, not keys below it"},
		"kafka: {brokers: 7}":                       {"kafka.brokers: want a list"},
		"kafka: {brokers: [7]}":                     {"kafka.brokers: item 1: want text: put it in quotes"},
		"redis: {password: 0042}":                   {"redis.password: want text: put it in quotes"},
		"redis: {password: [hunter2]}":              {"redis.password: want text: put it in quotes"},
		"redis:\n  password:":                       {"redis.password: FILE:2: has no value (leave the key out for the default"},
		"ingest: {max_events: 1.5}":                 {`ingest.max_events: "1.5": want a whole number`},
		"ingest: {max_events: true}":                {`ingest.max_events: "true": want a whole number`},
		"ingest: {max_body_bytes: 1MB}":             {`ingest.max_body_bytes: "1MB" is not a size`},
		"ingest: {request_deadline: 5}":             {`ingest.request_deadline: "5" is not a duration`},
		"redis: {tls: {enabled: yes}}":              {`redis.tls.enabled: "yes": want true or false`},
		"a: &x 1\nenv: *x":                          {"a: FILE:1: unknown key", "env: FILE:2: aliases are not used here"},
		"[1, 2]":                                    {"--config: FILE:1: want a mapping of keys to values"},
		"env: [":                                    {"--config: FILE: line 1"},
		"env: !!int x":                              {"--config: FILE: not understood"},
		"avro: {schema_ids: [17]}":                  {`avro.schema_ids: item 1: "17": want ID:SCHEMA`},
		"ingest: {api_keys: [hunter2]}":             {"ingest.api_keys: item 1: want ID:SHA256"},
		"ingest: {max_events: x}\nquery: {wait: 1}": {"ingest.max_events: ", "query.wait: "},
		"env: prod\nkafka: {x: 1}\nredis: {db: 99}": {"kafka.x: ", "redis.db: 99: must lie between 0 and 15"},
	} {
		file := write(t, "f.yaml", text)
		_, err := Load(Options{File: file})
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], "FILE", file)
		}
		expect(t, text, err, want...)
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the message shows the value: %v", text, err)
		}
	}
	_, err := Load(Options{File: filepath.Join(t.TempDir(), "none.yaml")})
	expect(t, "no file", err, "--config: open ")
}

//fault:h7 every wrong value names its key
func TestValueErrors(t *testing.T) {
	set := func(variables ...string) []string { return variables }
	for _, test := range []struct {
		env  []string
		want []string
	}{
		{set("KAFKA_BROKER=a:1"), []string{"SWITCHBOARD_KAFKA_BROKER: environment: unknown variable (did you mean SWITCHBOARD_KAFKA_BROKERS?)"}},
		{set("KAFKA_BROKERS_FILE=x"), []string{"SWITCHBOARD_KAFKA_BROKERS_FILE: environment: unknown variable"}},
		{set("KAFKA_BROKERS="), []string{"kafka.brokers: missing"}},
		{set("KAFKA_BROKERS=a,b:x"), []string{`kafka.brokers: "a": want host:port`, `kafka.brokers: "b:x": want host:port`}},
		{set("KAFKA_BROKERS=http://u:hunter2@a:1"), []string{`kafka.brokers: "...@a:1": want host:port`}},
		{set("KAFKA_BROKERS=:9092"), []string{`kafka.brokers: ":9092": nobody can be reached there`}},
		{set("KAFKA_TOPIC_PREFIX={x}"), []string{`kafka.topic_prefix: "{x}": want at most`}},
		{set("KAFKA_SASL_MECHANISM=gssapi", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD=p"), []string{`kafka.sasl.mechanism: "gssapi": want one of none, plain`}},
		{set("KAFKA_SASL_MECHANISM=plain"), []string{"kafka.sasl.password: missing secret", "kafka.sasl.username: missing"}},
		{set("KAFKA_TLS_CERT_FILE=x"), []string{"kafka.tls.cert_file: kafka.tls.cert_file and kafka.tls.key_file belong together", "kafka.tls.enabled: is false, and other keys"}},
		{set("REDIS_KIND=sentinel"), []string{`redis.kind: "sentinel": want one of server, cluster, embedded`}},
		{set("REDIS_KIND=cluster", "REDIS_DB=1"), []string{"redis.db: 1: a cluster has only 0"}},
		{set("REDIS_USERNAME=u"), []string{"redis.password: missing secret: redis.username is set (set SWITCHBOARD_REDIS_PASSWORD_FILE)"}},
		{set("REDIS_PASSWORD=hunter2", "REDIS_PASSWORD_FILE=x"), []string{"redis.password: environment: both SWITCHBOARD_REDIS_PASSWORD and SWITCHBOARD_REDIS_PASSWORD_FILE are set (keep one)"}},
		{set("REDIS_PASSWORD_FILE=/does/not/exist"), []string{"redis.password: SWITCHBOARD_REDIS_PASSWORD_FILE: open /does/not/exist"}},
		{set("ENV=prod", "REDIS_PASSWORD=hunter2"), []string{"redis.tls.enabled: must be true"}},
		{set("ENV=prod", "REDIS_PASSWORD=changeme", "REDIS_TLS_ENABLED=true"), []string{"redis.password: is a placeholder, not a secret"}},
		{set("ENV=prod", "REDIS_KIND=embedded"), []string{"redis.kind: embedded is for dev only"}},
		{set("ENV=prod", "INGEST_AUTH=off"), []string{"ingest.auth: off is for dev only"}},
		{set("ENV=PROD"), []string{`env: "PROD": want a name of a-z`, "ingest.api_keys: missing"}},
		{set("INGEST_AUTH=on"), []string{"ingest.api_keys: missing: keys are asked for, and there are none"}},
		{set("INGEST_API_KEYS=a:" + keyHash + ",a:" + keyHash + ",a:" + keyHash), []string{"ingest.api_keys: a has 3 keys (two while one is rotated)"}},
		{set("INGEST_LISTEN=8080"), []string{`ingest.listen: "8080": want host:port`}},
		{set("INGEST_URL=https://u:hunter2@x"), []string{"ingest.url: want http://host:port or https://host:port, without a password"}},
		{set("INGEST_MAX_EVENT_BYTES=2MiB"), []string{"ingest.max_event_bytes: 2MiB is more than ingest.max_body_bytes, 1MiB", "ingest.max_event_bytes: 2MiB: must lie between 1KiB and 512KiB"}},
		{set("INGEST_MAX_INFLIGHT_BYTES=-1"), []string{`ingest.max_inflight_bytes: "-1" is not a size`}},
		{set("INGEST_MAX_BUFFERED_RECORDS=10"), []string{"ingest.max_buffered_records: 10 is less than ingest.max_events, 1000"}},
		{set("INGEST_REQUEST_DEADLINE=1m"), []string{"ingest.request_deadline: 1m: must lie between 100ms and 25s"}},
		{set("INGEST_DEFAULT_REGION=ch"), []string{`ingest.default_region: "ch": want two capitals`}},
		{set("PROCESSOR_VIEWS=card,contacts"), []string{"processor.views: card needs timeline: it is how a duplicate is known (views are card, contacts) (add timeline, or set"}},
		{set("PROCESSOR_VIEWS=card,timeline,reach"), []string{"processor.views: reach needs contacts"}},
		{set("PROCESSOR_VIEWS=card,timeline,links"), []string{"processor.views: links needs device"}},
		{set("PROCESSOR_VIEWS=timeline"), []string{"processor.views: card is missing"}},
		{set("PROCESSOR_VIEWS="), []string{"processor.views: card is missing"}},
		{set("PROCESSOR_VIEWS=card,card,timeline"), []string{"processor.views: card is given twice"}},
		{set("PROCESSOR_VIEWS=card,timeline,graph"), []string{`processor.views: "graph": want one of card, contacts`}},
		{set("PROCESSOR_DUPLICATES=on"), []string{`processor.duplicates: "on": want one of exact, off`}},
		{set("PROCESSOR_TICK=2s"), []string{"processor.tick: 2s: must lie between 10ms and 1s"}},
		{set("PROCESSOR_CHUNK_DEADLINE=30s"), []string{"processor.chunk.deadline: must be below half of processor.rebalance_timeout"}},
		{set("PROCESSOR_BATCH_LIVE_EVENTS=60000"), []string{"processor.batch.live_events: 60000 is more than processor.batch.catchup_events, 50000"}},
		{set("PROCESSOR_BATCH_BEHIND_EVENTS=1000"), []string{"processor.batch.behind_events: 1000 is less than one batch of processor.batch.catchup_events, 50000"}},
		{set("INGEST_MEMORY_LIMIT=100MiB"), []string{"ingest.memory_limit: 100MiB is less than max_inflight_bytes, max_buffered_bytes and inbox_queue_bytes together"}},
		{set("PROCESSOR_MEMORY_LIMIT=512MiB"), []string{"processor.memory_limit: 512MiB is less than twice what cache_bytes and queue_bytes keep"}},
		{set("SNAPSHOT_MEMORY_LIMIT=300MiB"), []string{"snapshot.memory_limit: 300MiB is less than max_tail_bytes and 128MiB"}},
		{set("PROCESSOR_SESSION_TIMEOUT=2m"), []string{"processor.session_timeout: must not be above processor.rebalance_timeout"}},
		{set("QUERY_WAIT=1m"), []string{"query.wait: must be below query.timeout"}},
		{set("OBSERVABILITY_LISTEN=0.0.0.0:7070"), []string{`observability.listen: "0.0.0.0:7070" is reachable from other machines`}},
		{set("OBSERVABILITY_LOG_LEVEL=trace", "OBSERVABILITY_LOG_FORMAT=xml"), []string{`observability.log_format: "xml": want one of text, json`, `observability.log_level: "trace": want one of`}},
		{set("SHUTDOWN_DRAIN_DEADLINE=0s"), []string{"shutdown.drain_deadline: 0s: must lie between"}},
		{set("IDENTITY_MODE=hmac"), []string{`identity.mode: "hmac": clear is the only mode so far`}},
		{set("AVRO_SCHEMA_IDS=1:a.v1,1:b.v1"), []string{"avro.schema_ids: 1 is given twice"}},
		{set("TOPOLOGY_OVERLAYS=a,,b", "REDIS_DB=x"), []string{`redis.db: "x": want a whole number`}},
	} {
		environ := slices.Clone(test.env)
		for i := range environ {
			environ[i] = envPrefix + environ[i]
		}
		roles := []Role{RoleIngest}
		if test.env[0] == "ENV=prod" {
			roles = nil // the table is about one problem at a time
		}
		_, err := Load(Options{Environ: environ, Roles: roles})
		expect(t, strings.Join(test.env, " "), err, test.want...)
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: the message shows the secret: %v", test.env, err)
		}
	}
}

func TestRolesHaveTheirNeeds(t *testing.T) {
	prod := Options{Environ: []string{"SWITCHBOARD_ENV=prod"}}
	if _, err := Load(prod); err != nil {
		t.Errorf("no role: %v", err)
	}
	prod.Roles = []Role{RoleIngest}
	_, err := Load(prod)
	expect(t, "ingest in prod", err, "ingest.api_keys: missing")
	prod.Roles = []Role{RoleDev}
	_, err = Load(prod)
	expect(t, "dev in prod", err, `env: "prod": embedded servers are for dev only`)
}

//fault:h7 a secret never prints
func TestSecretNeverPrints(t *testing.T) {
	c := Config{Redis: Redis{Password: "hunter2"}}
	var shown strings.Builder
	slog.New(slog.NewTextHandler(&shown, nil)).Info("x", "secret", c.Redis.Password, "redis", c.Redis)
	slog.New(slog.NewJSONHandler(&shown, nil)).Info("x", "secret", c.Redis.Password, "redis", c.Redis)
	fmt.Fprintf(&shown, "%v %+v %#v %s %q %x", c, c, c, c.Redis.Password, c.Redis.Password, c.Redis.Password)
	asJSON, _ := json.Marshal(c)
	asYAML, _ := yaml.Marshal(c)
	shown.Write(asJSON)
	shown.Write(asYAML)
	for _, leak := range []string{"hunter2", fmt.Sprintf("%x", "hunter2")} {
		if strings.Contains(shown.String(), leak) {
			t.Errorf("%s shows in %s", leak, shown.String())
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("env: prod\nkafka: {brokers: [a:1]}"), "SWITCHBOARD_REDIS_DB=3")
	f.Add(Default(), "SWITCHBOARD_PROCESSOR_VIEWS=card")
	f.Add([]byte("redis: {password: [[1]], addrs: !!binary x}"), "SWITCHBOARD_ENV")
	file := filepath.Join(f.TempDir(), "f.yaml")
	f.Fuzz(func(t *testing.T, data []byte, variable string) {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(Options{File: file, Environ: []string{variable}})
		if err != nil && strings.Contains(err.Error(), "does not fit its structs") {
			t.Error(err)
		}
	})
}
