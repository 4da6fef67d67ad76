// Package config reads and checks what an operator may choose. default.yaml lists and explains
// every key and is the manual; the structs below mirror it, and a test keeps them equal.
//
// Owns: sources and their order, types, ranges, rules between keys. Does not own: flags of commands, whether an
// address answers, whether a named group or schema exists.
package config

import (
	"time"

	"switchboard/config/unit"
)

// Dev is the value of Config.Env under which careless settings are allowed.
const Dev = "dev"

// Config is every key. Load makes it; all values are within their documented ranges then.
type Config struct {
	Env           string        `mapstructure:"env"`
	Kafka         Kafka         `mapstructure:"kafka"`
	Redis         Redis         `mapstructure:"redis"`
	Topology      Topology      `mapstructure:"topology"`
	Ingest        Ingest        `mapstructure:"ingest"`
	Processor     Processor     `mapstructure:"processor"`
	Snapshot      Snapshot      `mapstructure:"snapshot"`
	Import        Import        `mapstructure:"import"`
	Query         Query         `mapstructure:"query"`
	DevServers    DevServers    `mapstructure:"dev"`
	Observability Observability `mapstructure:"observability"`
	Shutdown      Shutdown      `mapstructure:"shutdown"`
	Identity      Identity      `mapstructure:"identity"`
	Avro          Avro          `mapstructure:"avro"`

	// Sources names what was read over default.yaml, in order, such as "prod.yaml" and "environment".
	Sources []string `mapstructure:"-"`
}

// Values of Kafka.Kind.
const (
	KafkaServer   = "server"
	KafkaEmbedded = "embedded" // kfake
)

// Kafka says where the log is.
type Kafka struct {
	Kind        string   `mapstructure:"kind"`
	Brokers     []string `mapstructure:"brokers"`
	TopicPrefix string   `mapstructure:"topic_prefix"` // of topics and groups
	ClientID    string   `mapstructure:"client_id"`
	TLS         TLS      `mapstructure:"tls"`
	SASL        SASL     `mapstructure:"sasl"`
}

// TLS is the encryption of connections to a server. Files are PEM; empty names mean none.
type TLS struct {
	Enabled    bool   `mapstructure:"enabled"`
	CAFile     string `mapstructure:"ca_file"`
	CertFile   string `mapstructure:"cert_file"`
	KeyFile    string `mapstructure:"key_file"`
	ServerName string `mapstructure:"server_name"`
}

// Values of SASL.Mechanism.
const (
	SASLNone        = "none"
	SASLPlain       = "plain"
	SASLScramSHA256 = "scram-sha-256"
	SASLScramSHA512 = "scram-sha-512"
)

// SASL is who we are to the brokers.
type SASL struct {
	Mechanism string `mapstructure:"mechanism"`
	Username  string `mapstructure:"username"`
	Password  Secret `mapstructure:"password"`
}

// Values of Redis.Kind.
const (
	RedisServer   = "server"
	RedisCluster  = "cluster"
	RedisEmbedded = "embedded" // miniredis
)

// Redis says where the read models are.
type Redis struct {
	Kind     string   `mapstructure:"kind"`
	Addrs    []string `mapstructure:"addrs"`
	Username string   `mapstructure:"username"`
	Password Secret   `mapstructure:"password"`
	DB       int      `mapstructure:"db"`
	// AllowVolatile takes a server that writes nothing to disk.
	AllowVolatile bool `mapstructure:"allow_volatile"`
	TLS           TLS  `mapstructure:"tls"`
}

// Topology says what lies over the built-in topology.
type Topology struct {
	Overlays []string `mapstructure:"overlays"` // files
}

// Values of Ingest.Auth.
const (
	AuthAuto = "auto"
	AuthOn   = "on"
	AuthOff  = "off"
)

// Ingest is the doors for reports: HTTP, and the inboxes in Kafka.
type Ingest struct {
	Listen             string        `mapstructure:"listen"`
	URL                string        `mapstructure:"url"`
	APIKeys            []APIKey      `mapstructure:"api_keys"`
	Auth               string        `mapstructure:"auth"` // on or off: Load has settled auto
	MaxEvents          int           `mapstructure:"max_events"`
	MaxBodyBytes       unit.Bytes    `mapstructure:"max_body_bytes"`
	MaxEventBytes      unit.Bytes    `mapstructure:"max_event_bytes"`
	MaxInflightBytes   unit.Bytes    `mapstructure:"max_inflight_bytes"`
	RequestDeadline    time.Duration `mapstructure:"request_deadline"`
	MaxBufferedRecords int           `mapstructure:"max_buffered_records"`
	MaxBufferedBytes   unit.Bytes    `mapstructure:"max_buffered_bytes"`
	MaxConnections     int           `mapstructure:"max_connections"`
	MemoryLimit        unit.Bytes    `mapstructure:"memory_limit"` // soft, of the process
	DefaultRegion      string        `mapstructure:"default_region"`
	Inbox              string        `mapstructure:"inbox"`             // on or off
	InboxQueueBytes    unit.Bytes    `mapstructure:"inbox_queue_bytes"` // of the process

	InboxSessionTimeout time.Duration `mapstructure:"inbox_session_timeout"`
}

// Values of Ingest.Inbox.
const (
	InboxOn  = "on"
	InboxOff = "off"
)

// Values of Processor.Duplicates.
const (
	DuplicatesExact = "exact"
	DuplicatesOff   = "off"
)

// Processor folds the log into the read models.
type Processor struct {
	Group            string        `mapstructure:"group"` // without Kafka.TopicPrefix
	Views            []string      `mapstructure:"views"` // in the order of Views
	Duplicates       string        `mapstructure:"duplicates"`
	Batch            Batch         `mapstructure:"batch"`
	Chunk            Chunk         `mapstructure:"chunk"`
	Tick             time.Duration `mapstructure:"tick"`
	MemoryLimit      unit.Bytes    `mapstructure:"memory_limit"` // soft, of the process
	CacheBytes       unit.Bytes    `mapstructure:"cache_bytes"`  // of the process
	QueueBytes       unit.Bytes    `mapstructure:"queue_bytes"`  // of the process
	SessionTimeout   time.Duration `mapstructure:"session_timeout"`
	RebalanceTimeout time.Duration `mapstructure:"rebalance_timeout"`
	PanicsPerMinute  int           `mapstructure:"panics_per_minute"`
	KeepGenerations  time.Duration `mapstructure:"keep_generations"`
}

// Batch says how much is folded before it is written.
type Batch struct {
	LiveEvents        int           `mapstructure:"live_events"`
	CatchupEvents     int           `mapstructure:"catchup_events"`
	BehindEvents      int           `mapstructure:"behind_events"` // of the process
	SubjectEvents     int           `mapstructure:"subject_events"`
	MaxCommitInterval time.Duration `mapstructure:"max_commit_interval"`
}

// Chunk is what Redis applies as a whole.
type Chunk struct {
	Commands int           `mapstructure:"commands"`
	Bytes    unit.Bytes    `mapstructure:"bytes"`
	Deadline time.Duration `mapstructure:"deadline"`
}

// Snapshot folds the log into snapshots.
type Snapshot struct {
	Group            string        `mapstructure:"group"` // without Kafka.TopicPrefix
	EveryEvents      int           `mapstructure:"every_events"`
	Every            time.Duration `mapstructure:"every"`
	MaxTailBytes     unit.Bytes    `mapstructure:"max_tail_bytes"` // of the process
	MemoryLimit      unit.Bytes    `mapstructure:"memory_limit"`   // soft, of the process
	Buckets          int           `mapstructure:"buckets"`
	KeepLast         int           `mapstructure:"keep_last"`
	KeepHourly       int           `mapstructure:"keep_hourly"`
	KeepDaily        int           `mapstructure:"keep_daily"`
	Grace            time.Duration `mapstructure:"grace"`
	WarnPercent      int           `mapstructure:"warn_percent"`
	SessionTimeout   time.Duration `mapstructure:"session_timeout"`
	RebalanceTimeout time.Duration `mapstructure:"rebalance_timeout"`
}

// Import is the door for files.
type Import struct {
	DefaultRegion      string        `mapstructure:"default_region"`
	MaxBufferedRecords int           `mapstructure:"max_buffered_records"`
	MaxBufferedBytes   unit.Bytes    `mapstructure:"max_buffered_bytes"`
	Wait               time.Duration `mapstructure:"wait"`
}

// Query is how long answers may take.
type Query struct {
	Wait    time.Duration `mapstructure:"wait"`
	Timeout time.Duration `mapstructure:"timeout"`
}

// DevServers is where the embedded servers of `switchboard dev` listen.
type DevServers struct {
	KafkaListen string `mapstructure:"kafka_listen"`
	RedisListen string `mapstructure:"redis_listen"`
}

// Observability is what a process shows of itself.
type Observability struct {
	Listen      string `mapstructure:"listen"`
	AllowRemote bool   `mapstructure:"allow_remote"`
	LogLevel    string `mapstructure:"log_level"`  // debug, info, warn, error
	LogFormat   string `mapstructure:"log_format"` // text, json
}

// Shutdown is how a process ends.
type Shutdown struct {
	ReadyDelay    time.Duration `mapstructure:"ready_delay"`
	DrainDeadline time.Duration `mapstructure:"drain_deadline"`
}

// Identity is how people are named in facts.
type Identity struct {
	Mode string `mapstructure:"mode"` // clear
}

// Avro is about bytes from outside.
type Avro struct {
	SchemaIDs        []SchemaID `mapstructure:"schema_ids"`
	RegistryURL      string     `mapstructure:"registry_url"`
	RegistryUsername string     `mapstructure:"registry_username"`
	RegistryPassword Secret     `mapstructure:"registry_password"`
}
