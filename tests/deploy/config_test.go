package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"switchboard/config"
	"switchboard/internal/app"
)

// load is the config of a role, as its program loads it.
func load(t *testing.T, overlay string, role config.Role, environ []string) *config.Config {
	t.Helper()
	cfg, err := config.Load(config.Options{File: overlay, Environ: environ, Roles: []config.Role{role}})
	if err != nil {
		t.Errorf("%s as %s: %v", overlay, role, err)
		return nil
	}
	return cfg
}

var roles = []config.Role{config.RoleIngest, config.RoleProcessor, config.RoleSnapshotter, config.RoleTopology, config.RoleQuery}

// TestOverlays: each config overlay loads for every role with what its unit adds, together with the topology overlay of its name.
func TestOverlays(t *testing.T) {
	configs, _ := filepath.Glob(file("config/*.yaml"))
	if len(configs) != 3 {
		t.Errorf("%v: want three, each with its row in the README", configs)
	}
	for _, overlay := range configs {
		name := strings.TrimSuffix(filepath.Base(overlay), ".yaml")
		for _, role := range roles {
			env := []string{"SWITCHBOARD_INGEST_API_KEYS=door:" + strings.Repeat("ab", 32)}
			if name == "cluster" {
				env = append(env, identity(t, role)...)
			}
			cfg := load(t, overlay, role, env)
			if cfg == nil {
				continue
			}
			var overlays []string
			for _, given := range cfg.Topology.Overlays {
				if given != "/etc/switchboard/topology.yaml" {
					t.Errorf("%s: topology overlay %s", overlay, given)
				}
				overlays = append(overlays, file("topology/"+name+".yaml"))
			}
			top := loadTopology(t, cfg.Env, overlays...)
			copies := map[string]int16{"dev": 1, "one-machine": 1, "cluster": 3}[name]
			for _, topic := range top.Topics {
				if topic.Replication != copies || topic.MinInsync != max(1, copies-1) {
					t.Errorf("%s: %s has %d copies, %d in sync", name, topic.Name, topic.Replication, topic.MinInsync)
				}
			}
			for _, unit := range unitsOf(t) {
				if stop := seconds(t, unit.last("Service", "TimeoutStopSec")); stop < cfg.Shutdown.ReadyDelay+cfg.Shutdown.DrainDeadline+10*time.Second {
					t.Errorf("%s: TimeoutStopSec %s is not well above %s and %s of %s", unit.name, stop, cfg.Shutdown.ReadyDelay, cfg.Shutdown.DrainDeadline, overlay)
				}
			}
		}
	}
}

// identity are the variables of a role's identity.conf, passwords in files as systemd puts them there.
func identity(t *testing.T, role config.Role) []string {
	t.Helper()
	unit := map[config.Role]string{config.RoleTopology: "topology", config.RoleQuery: "topology"}[role]
	if unit == "" {
		unit = string(role) + "@"
	}
	credentials := t.TempDir()
	var env []string
	for _, l := range unitLines(t, "systemd/switchboard-"+unit+".service.d/identity.conf") {
		switch l.key {
		case "LoadCredential":
			name, source, ok := strings.Cut(l.value, ":")
			if !ok || !strings.HasPrefix(source, "/etc/switchboard/credentials/") {
				t.Errorf("%s", l.value)
			}
			write(t, filepath.Join(credentials, name), "a password of "+name+"\n")
		case "Environment":
			env = append(env, strings.ReplaceAll(l.value, "%d", credentials))
		}
	}
	return env
}

// composeFile is what this test knows of a compose file.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]any            `yaml:"volumes"`
}

type composeService struct {
	Image string `yaml:"image"`
	Build *struct {
		Context, Dockerfile string
		Args                map[string]string
	} `yaml:"build"`
	Entrypoint  any                        `yaml:"entrypoint"`
	Command     []string                   `yaml:"command"`
	Environment map[string]string          `yaml:"environment"`
	Ports       []string                   `yaml:"ports"`
	Volumes     []string                   `yaml:"volumes"`
	Healthcheck map[string]any             `yaml:"healthcheck"`
	DependsOn   map[string]composeRelation `yaml:"depends_on"`
	Restart     string                     `yaml:"restart"`
	Profiles    []string                   `yaml:"profiles"`
	ReadOnly    bool                       `yaml:"read_only"`
	CapDrop     []string                   `yaml:"cap_drop"`
	SecurityOpt []string                   `yaml:"security_opt"`
	Grace       string                     `yaml:"stop_grace_period"`
	MemLimit    string                     `yaml:"mem_limit"`
}

type composeRelation struct {
	Condition string `yaml:"condition"`
}

// TestCompose: the file holds what Docker Compose knows, every role is there with an image of its own and a config that loads, and
// nothing is reachable from other machines.
func TestCompose(t *testing.T) {
	var raw struct {
		Services map[string]map[string]any
	}
	var f composeFile
	text := read(t, "compose.yaml")
	for _, into := range []any{&raw, &f} {
		if err := yaml.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	known := []string{"image", "build", "entrypoint", "command", "environment", "ports", "volumes", "healthcheck", "depends_on", "restart", "profiles", "read_only", "cap_drop", "security_opt", "stop_grace_period", "mem_limit"}
	for name, service := range raw.Services {
		for key := range service {
			if !slices.Contains(known, key) {
				t.Errorf("%s: unknown key %s", name, key)
			}
		}
	}
	want := []string{"kafka", "redis", "topology", "cli"}
	for _, r := range app.Roles() {
		want = append(want, r.Name)
	}
	for _, name := range want {
		if _, ok := f.Services[name]; !ok {
			t.Errorf("no service %s", name)
		}
	}
	for name, s := range f.Services {
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to other machines", name, port)
			}
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if _, named := f.Volumes[source]; !named {
				if _, err := os.Stat(file(source)); err != nil {
					t.Errorf("%s: volume %s: %v", name, volume, err)
				}
			}
		}
		for other, relation := range s.DependsOn {
			one := f.Services[other]
			switch {
			case relation.Condition == "service_healthy" && one.Healthcheck != nil:
			case relation.Condition == "service_completed_successfully" && one.Restart == "no":
			default:
				t.Errorf("%s depends on %s, %s, which cannot be", name, other, relation.Condition)
			}
		}
		if s.Build == nil {
			if name != "kafka" && name != "redis" || s.Healthcheck == nil || !strings.Contains(s.Image, ":") {
				t.Errorf("%s: want an image with a version, and a healthcheck", name)
			}
			continue
		}
		t.Run(name, func(t *testing.T) { composeRole(t, name, s) })
	}
}

func composeRole(t *testing.T, name string, s composeService) {
	program := s.Build.Args["ROLE"]
	if !slices.Contains(programs(), program) || s.Image != "switchboard-"+program {
		t.Errorf("image %s runs %q", s.Image, program)
	}
	if _, err := os.Stat(filepath.Join(file(s.Build.Context), s.Build.Dockerfile)); err != nil || s.Entrypoint != nil {
		t.Errorf("build: %v, entrypoint %v", err, s.Entrypoint)
	}
	role := map[string]config.Role{"topology": config.RoleTopology, "cli": config.RoleQuery}[name]
	if role == "" {
		role = config.Role(program)
		if program != name {
			t.Errorf("runs %s", program)
		}
	}
	if name == "topology" && !slices.Equal(s.Command, []string{"topology", "apply"}) {
		t.Errorf("command %v", s.Command)
	}
	var env []string
	for key, value := range s.Environment {
		if !strings.HasPrefix(key, "SWITCHBOARD_") && key != "GOMEMLIMIT" {
			t.Errorf("unknown variable %s", key)
		}
		env = append(env, key+"="+value)
	}
	cfg := load(t, "", role, env)
	if cfg == nil {
		return
	}
	if !slices.Equal(cfg.Kafka.Brokers, []string{"kafka:29092"}) || !slices.Equal(cfg.Redis.Addrs, []string{"redis:6379"}) {
		t.Errorf("brokers %v, Redis %v", cfg.Kafka.Brokers, cfg.Redis.Addrs)
	}
	if grace, err := time.ParseDuration(s.Grace); err != nil || grace < cfg.Shutdown.ReadyDelay+cfg.Shutdown.DrainDeadline+10*time.Second {
		t.Errorf("stop_grace_period %s (%v) is not well above %s", s.Grace, err, cfg.Shutdown.DrainDeadline)
	}
	if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
		t.Error("not hardened")
	}
	// A port that is published must be listened on, on all of the container's addresses.
	inside := regexp.MustCompile(`:(\d+)$`)
	for _, port := range s.Ports {
		at := "0.0.0.0" + inside.FindString(port)
		if at != cfg.Observability.Listen && at != cfg.Ingest.Listen {
			t.Errorf("port %s: nobody listens there", port)
		}
	}
}
