package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secret is planted wherever a secret can be; nothing may ever print it.
const secret = "hunter2-is-planted-here"

// TestConfig: a config that is wrong ends a program with exit code 2 and the name of the key, never with a secret or what may be
// one; --check says so before anything is dialled.
//
//fault:h7 exit code 2 and the key, never the value
func TestConfig(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hash := strings.Repeat("0", 64)
	fine := file("fine.yaml", "env: prod\nkafka:\n  brokers: [kafka-1:9092, kafka-2:9092]\nredis:\n  addrs: [redis:6379]\ningest:\n  api_keys: ['phones:"+hash+"']\n")
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		says []string // in what is printed
	}{
		{name: "nothing said", code: 0, says: []string{"the config is fine", "default.yaml"}},
		{name: "a file", args: []string{"--config", fine}, code: 0, says: []string{"the config is fine", "fine.yaml"}},
		{name: "a file and variables", args: []string{"--config", fine}, env: []string{"SWITCHBOARD_REDIS_PASSWORD=" + secret, "SWITCHBOARD_REDIS_TLS_ENABLED=true"}, code: 0, says: []string{"environment"}},
		{name: "a secret by file", env: []string{"SWITCHBOARD_REDIS_PASSWORD_FILE=" + file("password", secret+"\n")}, code: 0},

		{name: "unknown key in a file", args: []string{"--config", file("unknown.yaml", "kafka:\n  broker: [a:1]\n  password: "+secret+"\n")}, code: 2, says: []string{"kafka.broker: ", "kafka.password: ", "unknown.yaml:2: unknown key", "kafka.brokers"}},
		{name: "unknown section in a file", args: []string{"--config", file("section.yaml", "kafak:\n  brokers: [a:1]\n")}, code: 2, says: []string{"kafak: "}},
		{name: "key twice in a file", args: []string{"--config", file("twice.yaml", "redis:\n  db: 1\n  db: 2\n")}, code: 2, says: []string{"redis.db: ", "twice"}},
		{name: "no such file", args: []string{"--config", filepath.Join(dir, "none.yaml")}, code: 2, says: []string{"none.yaml"}},
		{name: "no YAML", args: []string{"--config", file("broken.yaml", "kafka: [\n  password: "+secret)}, code: 2, says: []string{"broken.yaml"}},
		{name: "unknown variable", env: []string{"SWITCHBOARD_KAFKA_BROKER=" + secret}, code: 2, says: []string{"SWITCHBOARD_KAFKA_BROKER: ", "unknown variable", "SWITCHBOARD_KAFKA_BROKERS"}},
		{name: "no number", env: []string{"SWITCHBOARD_REDIS_DB=zero"}, code: 2, says: []string{"redis.db: "}},
		{name: "out of range", env: []string{"SWITCHBOARD_REDIS_DB=16"}, code: 2, says: []string{"redis.db: "}},
		{name: "negative size", env: []string{"SWITCHBOARD_PROCESSOR_CACHE_BYTES=-1MiB"}, code: 2, says: []string{"processor.cache_bytes: "}},
		{name: "size without unit", env: []string{"SWITCHBOARD_PROCESSOR_CACHE_BYTES=12 parsecs"}, code: 2, says: []string{"processor.cache_bytes: "}},
		{name: "bad duration", env: []string{"SWITCHBOARD_SHUTDOWN_DRAIN_DEADLINE=soon"}, code: 2, says: []string{"shutdown.drain_deadline: "}},
		{name: "bad URL", env: []string{"SWITCHBOARD_INGEST_URL=ftp://user:" + secret + "@host"}, code: 2, says: []string{"ingest.url: "}},
		{name: "bad address", env: []string{"SWITCHBOARD_REDIS_ADDRS=redis://:" + secret + "@host:6379"}, code: 2, says: []string{"redis.addrs: "}},
		{name: "no brokers", env: []string{"SWITCHBOARD_KAFKA_BROKERS="}, code: 2, says: []string{"kafka.brokers: missing"}},
		{name: "unknown level", env: []string{"SWITCHBOARD_OBSERVABILITY_LOG_LEVEL=loud"}, code: 2, says: []string{"observability.log_level: "}},
		{name: "profiles for everybody", env: []string{"SWITCHBOARD_OBSERVABILITY_LISTEN=0.0.0.0:7070"}, code: 2, says: []string{"observability.listen: "}},
		{name: "missing secret of Kafka", env: []string{"SWITCHBOARD_KAFKA_SASL_MECHANISM=plain", "SWITCHBOARD_KAFKA_SASL_USERNAME=u"}, code: 2, says: []string{"kafka.sasl.password: missing secret"}},
		{name: "missing secret of Redis", env: []string{"SWITCHBOARD_REDIS_USERNAME=u"}, code: 2, says: []string{"redis.password: missing secret"}},
		{name: "secret file that is not there", env: []string{"SWITCHBOARD_REDIS_PASSWORD_FILE=" + filepath.Join(dir, "nowhere")}, code: 2, says: []string{"redis.password: "}},
		{name: "secret twice", env: []string{"SWITCHBOARD_REDIS_PASSWORD=" + secret, "SWITCHBOARD_REDIS_PASSWORD_FILE=" + filepath.Join(dir, "password")}, code: 2, says: []string{"redis.password: "}},
		{name: "a secret in the clear", args: []string{"--config", fine}, env: []string{"SWITCHBOARD_REDIS_PASSWORD=" + secret}, code: 2, says: []string{"redis.tls.enabled: "}},
		{name: "a placeholder", args: []string{"--config", fine}, env: []string{"SWITCHBOARD_REDIS_TLS_ENABLED=true", "SWITCHBOARD_REDIS_PASSWORD=ChangeMe"}, code: 2, says: []string{"redis.password: is a placeholder"}},
		{name: "an API key with its secret", env: []string{"SWITCHBOARD_INGEST_API_KEYS=phones:" + secret}, code: 2, says: []string{"ingest.api_keys: "}},
		{name: "embedded outside of dev", env: []string{"SWITCHBOARD_ENV=prod", "SWITCHBOARD_KAFKA_KIND=embedded", "SWITCHBOARD_INGEST_API_KEYS=phones:" + hash}, code: 2, says: []string{"kafka.kind: "}},
		{name: "all at once", env: []string{"SWITCHBOARD_REDIS_DB=16", "SWITCHBOARD_KAFKA_CLIENT_ID=", "SWITCHBOARD_NONSENSE=1"}, code: 2, says: []string{"redis.db: ", "kafka.client_id: ", "SWITCHBOARD_NONSENSE: "}},
		{name: "unknown flag", args: []string{"--cheque"}, code: 2, says: []string{"cheque"}},
		{name: "an argument", args: []string{"now"}, code: 2, says: []string{"unexpected argument"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, role := range []string{"ingest", "processor"} {
				got := run(t, c.env, role, append([]string{"--check"}, c.args...)...).wants(t, c.code, c.says...)
				if text := got.out + got.err; strings.Contains(text, secret) || strings.Contains(text, "hunter2") || strings.Contains(text, "ChangeMe") {
					t.Errorf("%s prints a secret:\n%s", role, text)
				}
				if c.code != 0 && got.out != "" {
					t.Errorf("%s complains on stdout: %s", role, got.out)
				}
			}
			// Without --check it is the same, before anything else happens.
			if c.code == 2 {
				run(t, c.env, "ingest", c.args...).wants(t, 2, c.says...)
			}
		})
	}
	t.Run("what only ingest needs", func(t *testing.T) {
		env := []string{"SWITCHBOARD_ENV=prod", "SWITCHBOARD_INGEST_AUTH=on"}
		run(t, env, "ingest", "--check").wants(t, 2, "ingest.api_keys: missing")
		run(t, env, "processor", "--check").wants(t, 0)
	})
	t.Run("help", func(t *testing.T) {
		for _, role := range []string{"ingest", "processor"} {
			run(t, nil, role, "--help").wants(t, 0, "-config", "-check")
		}
	})
	t.Run("switchboard", func(t *testing.T) {
		run(t, []string{"SWITCHBOARD_REDIS_DB=16", "SWITCHBOARD_REDIS_PASSWORD=" + secret}, "switchboard", "topology", "plan").wants(t, 2, "redis.db: ")
		run(t, []string{"SWITCHBOARD_NONSENSE=1"}, "switchboard", "query", "top").wants(t, 2, "SWITCHBOARD_NONSENSE: ")
		run(t, nil, "switchboard", "topology", "plan", "--config", filepath.Join(dir, "unknown.yaml")).wants(t, 2, "kafka.broker: ")
	})
}
