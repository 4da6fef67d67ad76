package deploy

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"switchboard/internal/app"
)

// programs are what an image or a unit may run: the roles, and the command line.
func programs() []string {
	list := []string{"switchboard"}
	for _, r := range app.Roles() {
		list = append(list, r.Name)
	}
	return list
}

// instructions are those of the Dockerfile, continued lines joined, without comments.
func instructions(t *testing.T) []string {
	t.Helper()
	var list []string
	joined := ""
	for line := range strings.Lines(read(t, "Dockerfile")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if part, more := strings.CutSuffix(line, `\`); more {
			joined += part
			continue
		}
		list = append(list, joined+line)
		joined = ""
	}
	return list
}

// TestDockerfile: every instruction is one of Docker's, the last stage is what it should be, and the build command, run here, makes
// every program, static and without a path of the machine.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	known := []string{"ARG", "FROM", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT"}
	var build, last []string
	for _, line := range instructions(t) {
		name, rest, _ := strings.Cut(line, " ")
		if !slices.Contains(known, name) {
			t.Errorf("no instruction: %s", line)
		}
		if name == "FROM" {
			last = nil
		}
		last = append(last, line)
		if _, command, ok := strings.Cut(rest, "CGO_ENABLED=0 go build "); ok {
			build = strings.Fields(strings.ReplaceAll(command, `"`, "'"))
		}
	}
	wantLast := []string{"FROM gcr.io/distroless/static-debian12:nonroot", "ARG ROLE", "COPY --from=build /out/${ROLE} /switchboard", "USER 65532:65532", `ENTRYPOINT ["/switchboard"]`}
	if !slices.Equal(last, wantLast) {
		t.Errorf("last stage:\n%s", strings.Join(last, "\n"))
	}
	if build == nil {
		t.Fatal("no CGO_ENABLED=0 go build")
	}
	if !strings.Contains(read(t, "Dockerfile"), "FROM golang:"+goVersion(t)+"-") {
		t.Errorf("the image's Go is not go.mod's, %s", goVersion(t))
	}

	if os.Getenv("SWITCHBOARD_LONG") == "" {
		t.Log("the build command is run with SWITCHBOARD_LONG=1 alone: nothing of what tests compile is of use to it")
		return
	}
	out := t.TempDir() + "/"
	cmd := exec.Command("bash", "-c", "exec go build "+strings.Replace(strings.Join(build, " "), "-o /out/", "-o "+out, 1))
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, text)
	}
	for _, name := range programs() {
		static(t, filepath.Join(out, name))
	}
	if text, err := exec.Command(filepath.Join(out, "processor"), "--check", "--config", file("config/dev.yaml")).CombinedOutput(); err != nil || !strings.Contains(string(text), "the config is fine") {
		t.Errorf("processor --check: %v\n%s", err, text)
	}
}

func goVersion(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok {
			return strings.Join(strings.Split(version, ".")[:2], ".")
		}
	}
	t.Fatal("go.mod names no version")
	return ""
}

// static fails when a program needs a loader or a library, neither of which the image has.
func static(t *testing.T, program string) {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP {
			t.Errorf("%s wants a loader", program)
		}
	}
	if libraries, err := f.ImportedLibraries(); err == nil && len(libraries) > 0 {
		t.Errorf("%s wants %v", program, libraries)
	}
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), checkout+"/internal") {
		t.Errorf("%s names %s: -trimpath is missing", filepath.Base(program), checkout)
	}
}
