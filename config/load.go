package config

import (
	"bytes"
	_ "embed"
	"os"
	"path/filepath"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

//go:embed default.yaml
var defaultYAML []byte

// Default is default.yaml, the manual, for printing.
func Default() []byte { return bytes.Clone(defaultYAML) }

// Role is a program, or a part of one, with needs of its own.
type Role string

// The roles whose needs are checked.
const (
	RoleIngest      Role = "ingest"      // serves HTTP, appends to Kafka
	RoleProcessor   Role = "processor"   // Kafka to Redis
	RoleSnapshotter Role = "snapshotter" // Kafka to Kafka
	RoleSnapshot    Role = "snapshot"    // asks for snapshots
	RoleImport      Role = "import"      // files to Kafka
	RoleQuery       Role = "query"       // reads Redis
	RoleTopology    Role = "topology"    // asks and changes Kafka
	RoleDev         Role = "dev"         // everything, embedded
)

// Options say where to look. The zero value reads default.yaml alone.
type Options struct {
	File    string   // of --config; empty: none
	Environ []string // as os.Environ gives it
	Dir     string   // where .switchboard/dev.env is looked for; empty: nowhere
	Roles   []Role   // whose needs must be met
}

// FromProcess is what a program uses: its environment, and dev.env below the working directory.
func FromProcess(file string, roles ...Role) Options {
	return Options{File: file, Environ: os.Environ(), Dir: ".", Roles: roles}
}

// DevEnvFile is where `switchboard dev` writes the addresses it got, and where others look for them: dir is the
// working directory, or anything relative to it; SWITCHBOARD_LOCAL_DIR in environ wins.
func DevEnvFile(dir string, environ []string) string {
	if local := environment(environ)["SWITCHBOARD_LOCAL_DIR"]; local != "" {
		return filepath.Join(local, "dev.env")
	}
	return filepath.Join(dir, ".switchboard", "dev.env")
}

// Load reads all sources in the order that default.yaml describes, and checks everything. The error is Errors, with
// all problems at once, sorted by key; it never holds a secret. There is no *Config then.
func Load(o Options) (*Config, error) {
	var errs Errors
	v := newDefaults()
	var sources []string
	if o.File != "" {
		mergeFile(v, o.File, &errs)
		sources = append(sources, o.File)
	}
	env := environment(o.Environ)
	if file, values := devEnv(o, env, &errs); len(values) > 0 {
		setVariables(v, file, values, &errs)
		sources = append(sources, file)
	}
	if setVariables(v, "environment", env, &errs) > 0 {
		sources = append(sources, "environment")
	}

	checkTypes(v, &errs)
	c := &Config{Sources: sources}
	if err := v.UnmarshalExact(c, viper.DecodeHook(mapstructure.DecodeHookFuncType(hook))); err != nil {
		// Unreachable while checkTypes and prune see what this sees. Its text may hold values.
		errs.add("config", "does not fit its structs", "this is a bug")
		return nil, errs.err()
	}
	c.settle()
	c.validate(o.Roles, &errs)
	if err := errs.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// checkTypes converts every value once, to name each that does not fit. Such a key gets its default again, so
// that the rules about all others can still be checked.
func checkTypes(v *viper.Viper, errs *Errors) {
	for _, l := range leaves {
		if _, err := convert(v.Get(l.key), l.kind); err != nil {
			errs.add(l.key, err.Error(), "")
			v.Set(l.key, defaults.Get(l.key))
		}
	}
}

// defaults is default.yaml alone, which is part of the program: a test reads it before anybody else does.
var defaults = newDefaults()

func newDefaults() *viper.Viper {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(defaultYAML)); err != nil {
		panic("config: default.yaml: " + err.Error())
	}
	return v
}
