// Package tests holds what is true of the house as a whole: who may import whom, what is pure, and that every event has its
// schema, fold case and scenario.
package tests

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// row says which packages of the house a package may import, and why.
type row struct {
	pkg  string
	may  []string
	home []string // libraries that only this package (and its tests) may import
	why  string
}

// table is the layer table of ARCHITECTURE.md. Changing it is a decision: record it there.
var table = []row{
	{"config", nil, []string{"github.com/spf13/viper"}, "configuration knows keys and bounds, not those who are configured"},
	{"topology", []string{"config/unit"}, nil, "topics are data; only kafkalog talks to brokers"},
	{"schemas", nil, nil, "schemas are files that are never edited"},
	{"internal/event", nil, nil, "facts depend on nothing"},
	{"internal/fold", []string{"internal/event"}, nil, "the meaning of the log depends on facts alone"},
	{"internal/indicator", []string{"internal/event"}, nil, "figures are computed from reports alone"},
	{"internal/view", []string{"internal/event", "internal/fold"}, nil, "projections are data made from folded subjects"},
	{"internal/pipeline", []string{"internal/event", "internal/fold", "internal/view"}, nil, "the commit protocol over ports"},
	{"internal/avrowire", []string{"internal/event", "schemas"}, []string{"github.com/twmb/avro", "github.com/linkedin/goavro/v2"}, "bytes and events"},
	{"internal/registry", []string{"internal/avrowire"}, nil, "schemas of foreign writers"},
	{"internal/kafkalog", []string{"internal/event", "internal/pipeline", "topology"}, []string{"github.com/twmb/franz-go"}, "the log"},
	{"internal/redisview", []string{"internal/event", "internal/fold", "internal/view", "internal/pipeline"}, []string{"github.com/redis/go-redis/v9", "github.com/alicebob/miniredis/v2"}, "the read models"},
	{"internal/snapshot", []string{"internal/event", "internal/fold", "internal/view", "internal/pipeline"}, nil, "checkpoints: their format, and how they are made, over ports"},
	{"internal/intake", []string{"internal/event"}, []string{"github.com/nyaruka/phonenumbers"}, "raw input becomes events"},
	{"internal/intake/httpdoor", []string{"internal/event", "internal/intake"}, nil, "the HTTP door of intake"},
	{"internal/console", []string{"internal/event", "internal/fold", "internal/indicator", "internal/view"}, nil, "answers over small reader ports"},
	{"internal/daemon", nil, []string{"github.com/prometheus/client_golang"}, "a process around a role"},
	{"internal/app", []string{"*"}, nil, "composition: the only place where adapters meet"},
	{"cmd", []string{"*"}, nil, "programs"},
	{"bench", []string{"*"}, nil, "measurements of the whole"},
	{"tests", []string{"*"}, nil, "tests of the whole"},
}

// metrics may be registered where roles are composed and where they are served.
var alsoAllowed = map[string][]string{
	"github.com/prometheus/client_golang": {"internal/app", "internal/intake/httpdoor", "bench"},
	"github.com/redis/go-redis/v9":        {"tests", "bench"},
	"github.com/twmb/franz-go":            {"internal/registry", "tests", "bench"},
	"github.com/alicebob/miniredis/v2":    {"tests", "bench"},
	"github.com/twmb/avro":                {"schemas", "tests", "bench"},
	"github.com/linkedin/goavro/v2":       {"tests", "bench"},
	"github.com/nyaruka/phonenumbers":     {"tests"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "switchboard/...")
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// rowOf is the row with the longest matching name.
func rowOf(pkg string) *row {
	var best *row
	for i := range table {
		r := &table[i]
		if (pkg == r.pkg || strings.HasPrefix(pkg, r.pkg+"/")) && (best == nil || len(r.pkg) > len(best.pkg)) {
			best = r
		}
	}
	return best
}

func within(pkg string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return p == "*" || pkg == p || strings.HasPrefix(pkg, p+"/") })
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, "switchboard/")
		r := rowOf(pkg)
		if r == nil {
			t.Errorf("%s has no row in the import table: add one, with the reason", pkg)
			continue
		}
		for _, imported := range p.Imports {
			if own, ok := strings.CutPrefix(imported, "switchboard/"); ok {
				if !within(own, append(r.may, r.pkg)) {
					t.Errorf("%s imports %s: %s", pkg, own, r.why)
				}
				continue
			}
			for _, owner := range table {
				for _, library := range owner.home {
					if (imported == library || strings.HasPrefix(imported, library+"/")) && !within(pkg, append(alsoAllowed[library], owner.pkg)) {
						t.Errorf("%s imports %s, whose home is %s", pkg, imported, owner.pkg)
					}
				}
			}
		}
	}
}
