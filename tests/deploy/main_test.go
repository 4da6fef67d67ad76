// Package deploy reads every file of deploy (deploy/local apart, which all other suites run) and tries what can be tried without Docker and
// without systemd as the first process: deploy/README.md says what that is.
package deploy

import (
	"os"
	"path/filepath"
	"testing"

	"switchboard/schemas"
	"switchboard/tests/backend"
	"switchboard/topology"
)

func TestMain(m *testing.M) { backend.Main(m) }

// root is the repository, seen from here.
const root = "../.."

// file is a file below deploy.
func file(name string) string { return filepath.Join(root, "deploy", name) }

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(file(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// loadTopology is the topology of an environment, with overlays.
func loadTopology(t testing.TB, env string, overlays ...string) topology.Topology {
	t.Helper()
	var known []string
	for _, s := range schemas.All() {
		known = append(known, s.Record)
	}
	top, err := topology.Load(env, known, overlays...)
	if err != nil {
		t.Fatal(err)
	}
	return top
}
