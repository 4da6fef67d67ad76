package config

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"switchboard/config/unit"
)

// TestDefaults is the whole struct, so that a changed default shows here.
func TestDefaults(t *testing.T) {
	got, err := Load(Options{Roles: []Role{RoleIngest, RoleProcessor, RoleImport, RoleQuery, RoleTopology, RoleDev}})
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Env:      "dev",
		Kafka:    Kafka{Kind: KafkaServer, Brokers: []string{"127.0.0.1:9092"}, ClientID: "switchboard", SASL: SASL{Mechanism: SASLNone}},
		Redis:    Redis{Kind: RedisServer, Addrs: []string{"127.0.0.1:6379"}},
		Topology: Topology{Overlays: []string{}},
		Ingest: Ingest{
			Listen: "127.0.0.1:8080", URL: "http://127.0.0.1:8080", APIKeys: []APIKey{}, Auth: AuthOff,
			MaxEvents: 1000, MaxBodyBytes: unit.MiB, MaxEventBytes: 64 * unit.KiB, MaxInflightBytes: 64 * unit.MiB,
			RequestDeadline: 5 * time.Second, MaxBufferedRecords: 50_000, MaxBufferedBytes: 64 * unit.MiB, MaxConnections: 1024, MemoryLimit: 512 * unit.MiB,
			Inbox: InboxOn, InboxQueueBytes: 32 * unit.MiB, InboxSessionTimeout: 10 * time.Second,
		},
		Processor: Processor{
			Group: "switchboard-processor", Views: []string{"card", "contacts", "timeline", "reach", "top", "totals", "device", "links"}, Duplicates: DuplicatesExact,
			Batch: Batch{LiveEvents: 500, CatchupEvents: 50_000, BehindEvents: 150_000, SubjectEvents: 5000, MaxCommitInterval: 2 * time.Second},
			Chunk: Chunk{Commands: 2000, Bytes: unit.MiB, Deadline: 10 * time.Second},
			Tick:  time.Second, MemoryLimit: 2 * unit.GiB, CacheBytes: 256 * unit.MiB, QueueBytes: 64 * unit.MiB,
			SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Minute, PanicsPerMinute: 10, KeepGenerations: time.Hour,
		},
		Snapshot: Snapshot{
			Group: "switchboard-snapshotter", EveryEvents: 1_000_000, Every: 10 * time.Minute, MaxTailBytes: 256 * unit.MiB, MemoryLimit: 640 * unit.MiB, Buckets: 128,
			KeepLast: 3, KeepHourly: 24, KeepDaily: 14, Grace: 24 * time.Hour, WarnPercent: 50, SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Minute,
		},
		Import:        Import{MaxBufferedRecords: 50_000, MaxBufferedBytes: 64 * unit.MiB, Wait: time.Minute},
		Query:         Query{Wait: 2 * time.Second, Timeout: 30 * time.Second},
		DevServers:    DevServers{KafkaListen: "127.0.0.1:19092", RedisListen: "127.0.0.1:16379"},
		Observability: Observability{Listen: "127.0.0.1:7070", LogLevel: "info", LogFormat: "text"},
		Shutdown:      Shutdown{DrainDeadline: 25 * time.Second},
		Identity:      Identity{Mode: "clear"},
		Avro:          Avro{SchemaIDs: []SchemaID{}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Load =\n%+v, want\n%+v", got, want)
	}
}

// TestDefaultYAMLIsTheManual: every key of the structs is in default.yaml, nothing else is, and each has a comment.
func TestDefaultYAMLIsTheManual(t *testing.T) {
	var doc yaml.Node
	if err := yaml.Unmarshal(Default(), &doc); err != nil {
		t.Fatal(err)
	}
	var found []string
	var walk func(under string, n *yaml.Node)
	walk = func(under string, n *yaml.Node) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			name, value := n.Content[i], n.Content[i+1]
			if name.HeadComment == "" {
				t.Errorf("default.yaml:%d: %s%s has no comment above it", name.Line, under, name.Value)
			}
			if value.Kind == yaml.MappingNode {
				walk(under+name.Value+".", value)
			} else {
				found = append(found, under+name.Value)
			}
		}
	}
	walk("", doc.Content[0])
	if want := keyNames(); !slices.Equal(found, want) {
		t.Errorf("keys of default.yaml, in order:\n%v, of the structs:\n%v", found, want)
	}
}

func TestVariablesAreUnambiguous(t *testing.T) {
	owner := map[string]string{}
	claim := func(variable, key string) {
		if other := owner[variable]; other != "" || isNoKey(variable) {
			t.Errorf("%s stands for %s and %s", variable, key, other)
		}
		owner[variable] = key
	}
	for _, l := range leaves {
		claim(l.variable(), l.key)
		if l.secret() {
			claim(l.variable()+"_FILE", l.key)
		}
	}
}

func TestFromProcess(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("SWITCHBOARD_QUERY_WAIT", "7s")
	c, err := Load(FromProcess("", RoleQuery))
	if err != nil || c.Query.Wait != 7*time.Second || !slices.Contains(c.Sources, "environment") {
		t.Errorf("Load(FromProcess) = %+v, %v", c, err)
	}
}
