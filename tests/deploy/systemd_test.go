package deploy

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/config/unit"
)

// line is one setting of a unit.
type line struct{ section, key, value string }

// unitLines reads a unit or a drop-in as strictly as is possible without systemd.
func unitLines(t *testing.T, name string) []line {
	t.Helper()
	var list []line
	section := ""
	for text := range strings.Lines(read(t, name)) {
		text = strings.TrimSpace(text)
		switch key, value, ok := strings.Cut(text, "="); {
		case text == "" || text[0] == '#':
		case text[0] == '[' && strings.HasSuffix(text, "]"):
			section = text[1 : len(text)-1]
			if !slices.Contains([]string{"Unit", "Service", "Install"}, section) {
				t.Errorf("%s: section %s", name, section)
			}
		case !ok || section == "" || strings.HasSuffix(text, `\`):
			t.Errorf("%s: not understood: %s", name, text)
		default:
			list = append(list, line{section, key, value})
		}
	}
	return list
}

// service is a unit with its drop-ins, in the order in which systemd reads them.
type service struct {
	name  string
	lines []line
}

func (s service) all(section, key string) []string {
	var list []string
	for _, l := range s.lines {
		if l.section == section && l.key == key {
			list = append(list, l.value)
		}
	}
	return list
}

func (s service) last(section, key string) string {
	list := s.all(section, key)
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

func unitsOf(t *testing.T) []service {
	t.Helper()
	files, _ := filepath.Glob(file("systemd/*.service"))
	var list []service
	for _, f := range files {
		name := filepath.Base(f)
		s := service{name: name, lines: unitLines(t, "systemd/"+name)}
		for _, dropIn := range []string{"switchboard-.service.d/common.conf", name + ".d/identity.conf"} {
			s.lines = append(s.lines, unitLines(t, "systemd/"+dropIn)...)
		}
		list = append(list, s)
	}
	return list
}

func seconds(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := unit.ParseDuration(text + "s")
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return d
}

// TestUnits: every role has a template, all are hardened, and none names a program that there is not.
func TestUnits(t *testing.T) {
	want := map[string]string{
		"DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes",
		"CapabilityBoundingSet": "", "MemoryDenyWriteExecute": "yes", "RestrictNamespaces": "yes", "UMask": "0077",
	}
	seen := map[string]bool{}
	for _, s := range unitsOf(t) {
		for key, value := range want {
			if all := s.all("Service", key); len(all) != 1 || all[0] != value {
				t.Errorf("%s: %s is %q, want %q once", s.name, key, all, value)
			}
		}
		words := strings.Fields(s.last("Service", "ExecStart"))
		program := filepath.Base(words[0])
		if !slices.Contains(programs(), program) || filepath.Dir(words[0]) != "/usr/local/lib/switchboard" || !slices.Equal(words[1:3], []string{"--config", "/etc/switchboard/config.yaml"}) {
			t.Errorf("%s: ExecStart %v", s.name, words)
		}
		seen[program] = true
		if program != "switchboard" {
			if s.name != "switchboard-"+program+"@.service" || s.last("Service", "Type") != "exec" || s.last("Service", "Restart") != "on-failure" || s.last("Service", "RestartPreventExitStatus") != "2" {
				t.Errorf("%s: %v", s.name, s.lines)
			}
			if most, err := unit.ParseBytes(strings.NewReplacer("G", "GiB", "M", "MiB").Replace(s.last("Service", "MemoryMax"))); err != nil {
				t.Errorf("%s: MemoryMax: %v", s.name, err)
			} else {
				for _, env := range s.all("Service", "Environment") {
					if limit, ok := strings.CutPrefix(env, "GOMEMLIMIT="); ok {
						if soft, err := unit.ParseBytes(limit); err != nil || soft > most*9/10 || soft < most*8/10 {
							t.Errorf("%s: GOMEMLIMIT %s beside MemoryMax %v (%v)", s.name, limit, most, err)
						}
					}
				}
			}
		}
	}
	for _, program := range programs() {
		if !seen[program] {
			t.Errorf("no unit runs %s", program)
		}
	}
}

// TestUnitsBySystemd lets systemd-analyze look at the units as they would be installed; without it TestUnits is all there is.
func TestUnitsBySystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze here: the units were only read by TestUnits")
	}
	installed := t.TempDir()
	units := filepath.Join(installed, "etc/systemd/system")
	if err := os.CopyFS(units, os.DirFS(file("systemd"))); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(installed, "usr/local/lib/switchboard")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, program := range programs() {
		if err := os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/true\n"), 0o755); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	// What systemd has by itself, so that targets such as network-online are known.
	for _, dir := range []string{"/lib/systemd/system", "/usr/lib/systemd/system"} {
		if _, err := os.Stat(dir); err == nil {
			if err := os.CopyFS(filepath.Join(installed, "usr/lib/systemd/system"), os.DirFS(dir)); err != nil && !os.IsExist(err) {
				t.Logf("copy %s: %v", dir, err)
			}
			break
		}
	}
	var names []string
	_ = fs.WalkDir(os.DirFS(units), ".", func(path string, d fs.DirEntry, _ error) error {
		if name := filepath.Base(path); !d.IsDir() && (strings.HasSuffix(name, ".service") || strings.HasSuffix(name, ".target")) {
			names = append(names, strings.Replace(name, "@.", "@1.", 1))
		}
		return nil
	})
	out, err := exec.Command(analyze, append([]string{"verify", "--root=" + installed, "--man=no", "--recursive-errors=no"}, names...)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "switchboard") {
		t.Errorf("systemd-analyze verify %v: %v\n%s", names, err, out)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".target") {
			continue
		}
		out, err := exec.Command(analyze, "security", "--offline=yes", "--root="+installed, "--no-pager", "--threshold=20", name).CombinedOutput()
		if err != nil {
			t.Errorf("systemd-analyze security %s: %v\n%s", name, err, out)
		}
		t.Log(strings.TrimSpace(string(out[max(0, len(out)-120):])))
	}
}
