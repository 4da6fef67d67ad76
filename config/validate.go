package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/config/unit"
)

// judge collects what is wrong.
type judge struct{ errs *Errors }

// must adds an error unless ok. hint may be empty.
func (j judge) must(ok bool, key, hint, problem string, args ...any) {
	if !ok {
		j.errs.add(key, fmt.Sprintf(problem, args...), hint)
	}
}

// settle turns values that mean "decide yourself" into what was decided, and lists into their order.
func (c *Config) settle() {
	if c.Ingest.Auth == AuthAuto {
		c.Ingest.Auth = AuthOn
		if c.Env == Dev && len(c.Ingest.APIKeys) == 0 {
			c.Ingest.Auth = AuthOff
		}
	}
	slices.SortStableFunc(c.Processor.Views, func(a, b string) int { return slices.Index(Views, a) - slices.Index(Views, b) })
}

// validate checks the values of every section, and that the roles have what they need.
func (c *Config) validate(roles []Role, errs *Errors) {
	j := judge{errs: errs}
	j.must(envName.MatchString(c.Env), "env", "", "%q: want a name of a-z 0-9 -", c.Env)
	c.Kafka.validate(j, c.Env)
	c.Redis.validate(j, c.Env)
	c.Ingest.validate(j, c.Env)
	c.Processor.validate(j)
	c.Snapshot.validate(j)
	c.Import.validate(j)
	c.others(j)
	if slices.Contains(roles, RoleIngest) {
		j.must(c.Ingest.Auth != AuthOn || len(c.Ingest.APIKeys) > 0, "ingest.api_keys", "make one as default.yaml says",
			"missing: keys are asked for, and there are none")
	}
	if slices.Contains(roles, RoleDev) {
		j.must(c.Env == Dev, "env", "", "%q: embedded servers are for dev only", c.Env)
	}
}

var envName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

func (k Kafka) validate(j judge, env string) {
	j.addresses("kafka.brokers", k.Brokers)
	j.oneOf("kafka.kind", k.Kind, KafkaServer, KafkaEmbedded)
	j.must(k.Kind != KafkaEmbedded || env == Dev, "kafka.kind", "", "embedded is for dev only")
	j.must(prefix.MatchString(k.TopicPrefix), "kafka.topic_prefix", "",
		"%q: want at most 100 of A-Z a-z 0-9 . _ -, beginning with a letter or digit", k.TopicPrefix)
	j.must(k.ClientID != "", "kafka.client_id", "", "missing")
	j.tls("kafka.tls", k.TLS)
	j.oneOf("kafka.sasl.mechanism", k.SASL.Mechanism, SASLNone, SASLPlain, SASLScramSHA256, SASLScramSHA512)
	if k.SASL.Mechanism != SASLNone {
		j.must(k.SASL.Username != "", "kafka.sasl.username", "", "missing: kafka.sasl.mechanism is %s", k.SASL.Mechanism)
		j.must(k.SASL.Password != "", "kafka.sasl.password", "set SWITCHBOARD_KAFKA_SASL_PASSWORD_FILE", "missing secret: kafka.sasl.mechanism is %s", k.SASL.Mechanism)
		j.must(k.TLS.Enabled || env == Dev, "kafka.tls.enabled", "", "must be true: a password would travel in the clear")
	}
	j.secret("kafka.sasl.password", k.SASL.Password, env)
}

var prefix = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$`)

func (r Redis) validate(j judge, env string) {
	j.oneOf("redis.kind", r.Kind, RedisServer, RedisCluster, RedisEmbedded)
	j.addresses("redis.addrs", r.Addrs)
	j.must(r.Kind != RedisEmbedded || env == Dev, "redis.kind", "", "embedded is for dev only: it keeps nothing")
	j.must(r.DB >= 0 && r.DB <= 15, "redis.db", "", "%d: must lie between 0 and 15", r.DB)
	j.must(r.Kind != RedisCluster || r.DB == 0, "redis.db", "", "%d: a cluster has only 0", r.DB)
	j.must(r.Username == "" || r.Password != "", "redis.password", "set SWITCHBOARD_REDIS_PASSWORD_FILE", "missing secret: redis.username is set")
	j.must(r.Password == "" || r.TLS.Enabled || env == Dev, "redis.tls.enabled", "", "must be true: a password would travel in the clear")
	j.tls("redis.tls", r.TLS)
	j.secret("redis.password", r.Password, env)
}

func (i Ingest) validate(j judge, env string) {
	j.address("ingest.listen", i.Listen)
	u, err := url.Parse(i.URL)
	j.must(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil, "ingest.url", "", "want http://host:port or https://host:port, without a password")
	j.oneOf("ingest.auth", i.Auth, AuthOn, AuthOff)
	j.must(i.Auth != AuthOff || env == Dev, "ingest.auth", "", "off is for dev only")
	for _, key := range i.APIKeys {
		same := 0
		for _, other := range i.APIKeys {
			if other.ID == key.ID {
				same++
			}
		}
		if same > 2 {
			j.errs.add("ingest.api_keys", fmt.Sprintf("%s has %d keys", key.ID, same), "two while one is rotated")
			break
		}
	}
	j.between("ingest.max_events", i.MaxEvents, 1, 100_000)
	j.size("ingest.max_event_bytes", i.MaxEventBytes, unit.KiB, 512*unit.KiB) // a fact is smaller, and a record may have 1 MiB
	j.size("ingest.max_body_bytes", i.MaxBodyBytes, unit.KiB, 64*unit.MiB)
	j.must(i.MaxEventBytes <= i.MaxBodyBytes, "ingest.max_event_bytes", "", "%s is more than ingest.max_body_bytes, %s", i.MaxEventBytes, i.MaxBodyBytes)
	j.size("ingest.max_inflight_bytes", i.MaxInflightBytes, unit.MiB, 64*unit.GiB)
	j.must(i.MaxBodyBytes <= i.MaxInflightBytes, "ingest.max_inflight_bytes", "", "%s is less than ingest.max_body_bytes, %s: such a body could never be taken", i.MaxInflightBytes, i.MaxBodyBytes)
	j.duration("ingest.request_deadline", i.RequestDeadline, 100*time.Millisecond, 25*time.Second) // writing the answer is cut at 30 s
	j.between("ingest.max_buffered_records", i.MaxBufferedRecords, 1, 10_000_000)
	j.must(i.MaxEvents <= i.MaxBufferedRecords, "ingest.max_buffered_records", "", "%d is less than ingest.max_events, %d: such a request could never be taken", i.MaxBufferedRecords, i.MaxEvents)
	j.size("ingest.max_buffered_bytes", i.MaxBufferedBytes, unit.MiB, 64*unit.GiB)
	j.between("ingest.max_connections", i.MaxConnections, 1, 1_000_000)
	j.size("ingest.memory_limit", i.MemoryLimit, 0, 1*unit.TiB)
	j.must(i.MemoryLimit == 0 || i.MemoryLimit >= i.MaxInflightBytes+i.MaxBufferedBytes+i.InboxQueueBytes, "ingest.memory_limit", "",
		"%s is less than max_inflight_bytes, max_buffered_bytes and inbox_queue_bytes together", i.MemoryLimit)
	j.region("ingest.default_region", i.DefaultRegion)
	j.oneOf("ingest.inbox", i.Inbox, InboxOn, InboxOff)
	j.size("ingest.inbox_queue_bytes", i.InboxQueueBytes, unit.MiB, 64*unit.GiB)
	j.duration("ingest.inbox_session_timeout", i.InboxSessionTimeout, 100*time.Millisecond, time.Minute) // of a rebalance
}

func (i Import) validate(j judge) {
	j.region("import.default_region", i.DefaultRegion)
	j.between("import.max_buffered_records", i.MaxBufferedRecords, 1, 10_000_000)
	j.size("import.max_buffered_bytes", i.MaxBufferedBytes, unit.MiB, 64*unit.GiB)
	j.duration("import.wait", i.Wait, 0, 24*time.Hour)
}

// others is the small sections.
func (c *Config) others(j judge) {
	for _, file := range c.Topology.Overlays {
		j.must(file != "", "topology.overlays", "", "an empty file name")
	}
	j.duration("query.wait", c.Query.Wait, 0, time.Hour)
	j.duration("query.timeout", c.Query.Timeout, 100*time.Millisecond, 24*time.Hour)
	j.must(c.Query.Wait < c.Query.Timeout, "query.wait", "", "must be below query.timeout")
	j.address("dev.kafka_listen", c.DevServers.KafkaListen)
	j.address("dev.redis_listen", c.DevServers.RedisListen)
	o := c.Observability
	if host, ok := j.address("observability.listen", o.Listen); ok && !o.AllowRemote {
		ip := net.ParseIP(host)
		j.must(host == "localhost" || ip != nil && ip.IsLoopback(), "observability.listen", "127.0.0.1, or observability.allow_remote",
			"%q is reachable from other machines: the profiles show what is in memory", o.Listen)
	}
	j.oneOf("observability.log_level", o.LogLevel, "debug", "info", "warn", "error")
	j.oneOf("observability.log_format", o.LogFormat, "text", "json")
	j.duration("shutdown.ready_delay", c.Shutdown.ReadyDelay, 0, 5*time.Minute)
	j.duration("shutdown.drain_deadline", c.Shutdown.DrainDeadline, 100*time.Millisecond, time.Hour)
	j.must(c.Identity.Mode == "clear", "identity.mode", "", "%q: clear is the only mode so far", c.Identity.Mode)
	ids := map[int32]bool{}
	for _, s := range c.Avro.SchemaIDs {
		j.must(!ids[s.ID], "avro.schema_ids", "", "%d is given twice", s.ID)
		ids[s.ID] = true
	}
	a := c.Avro
	u, err := url.Parse(a.RegistryURL)
	j.must(a.RegistryURL == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil, "avro.registry_url",
		"the password belongs into avro.registry_password", "want http://host:port or https://host:port")
	j.must(a.RegistryUsername == "" || a.RegistryURL != "", "avro.registry_url", "", "missing: avro.registry_username is set")
	j.must(a.RegistryUsername == "" || a.RegistryPassword != "", "avro.registry_password", "set SWITCHBOARD_AVRO_REGISTRY_PASSWORD_FILE", "missing secret: avro.registry_username is set")
	j.must(a.RegistryPassword == "" || err == nil && u.Scheme == "https" || c.Env == Dev, "avro.registry_url", "", "must be https: a password would travel in the clear")
	j.secret("avro.registry_password", a.RegistryPassword, c.Env)
}

func (j judge) oneOf(key, value string, known ...string) {
	j.must(slices.Contains(known, value), key, "", "%q: want one of %s", value, strings.Join(known, ", "))
}

func (j judge) between(key string, n, least, most int) {
	j.must(n >= least && n <= most, key, "", "%d: must lie between %d and %d", n, least, most)
}

func (j judge) size(key string, b, least, most unit.Bytes) {
	j.must(b >= least && b <= most, key, "", "%s: must lie between %s and %s", b, least, most)
}

func (j judge) duration(key string, d, least, most time.Duration) {
	f := unit.FormatDuration
	j.must(d >= least && d <= most, key, "", "%s: must lie between %s and %s", f(d), f(least), f(most))
}

// address checks host:port and gives the host.
func (j judge) address(key, address string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	n, errPort := strconv.ParseUint(port, 10, 16)
	ok = err == nil && errPort == nil && strconv.FormatUint(n, 10) == port && !strings.ContainsAny(host, " /@")
	j.must(ok, key, "", "%q: want host:port", withoutUser(address))
	return host, ok
}

// withoutUser cuts what may be a password out of what may be a URL.
func withoutUser(address string) string {
	if i := strings.LastIndex(address, "@"); i >= 0 {
		return "..." + address[i:]
	}
	return address
}

func (j judge) addresses(key string, list []string) {
	j.must(len(list) > 0, key, "", "missing: want at least one host:port")
	for _, a := range list {
		if host, ok := j.address(key, a); ok {
			j.must(host != "" && !strings.HasSuffix(a, ":0"), key, "", "%q: nobody can be reached there", a)
		}
	}
}

var regionCode = regexp.MustCompile(`^([A-Z]{2})?$`)

func (j judge) region(key, region string) {
	j.must(regionCode.MatchString(region), key, "", "%q: want two capitals, such as CH", region)
}

func (j judge) tls(key string, t TLS) {
	j.must((t.CertFile == "") == (t.KeyFile == ""), key+".cert_file", "", "%s.cert_file and %s.key_file belong together", key, key)
	j.must(t.Enabled || t.CAFile+t.CertFile+t.KeyFile+t.ServerName == "", key+".enabled", "", "is false, and other keys of %s are set", key)
}

var placeholders = []string{"changeme", "change-me", "password", "secret", "admin", "test", "todo", "xxx"}

// secret refuses what documentation and templates have in place of one.
func (j judge) secret(key string, s Secret, env string) {
	text := strings.ToLower(s.Reveal())
	isPlaceholder := slices.Contains(placeholders, text) || strings.HasPrefix(text, "<") || strings.HasPrefix(text, "${")
	j.must(env == Dev || !isPlaceholder, key, "", "is a placeholder, not a secret")
}
