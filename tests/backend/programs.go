package backend

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

var errNoRepository = errors.New("run the tests inside the repository: deploy/local was not found above the working directory")

// repository is the folder with deploy/local, found upwards from the package under test; "" if there
// is none.
var repository = sync.OnceValue(func() string {
	dir, _ := os.Getwd()
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "deploy/local/up")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
})

// redisProgram is the path of redis-server, installed if need be and possible.
var redisProgram = sync.OnceValues(func() (string, error) {
	if repository() == "" {
		return "", errNoRepository
	}
	install := exec.Command(filepath.Join(repository(), "deploy/local/install"), "redis")
	var stderr strings.Builder
	install.Stderr = &stderr
	out, err := install.Output()
	if err != nil {
		return "", fmt.Errorf("deploy/local/install redis: %w\n%s", err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
})

var redisVersion = sync.OnceValue(func() string {
	program, _ := redisProgram()
	out, _ := exec.Command(program, "--version").Output()
	return firstMatch(` v=([0-9.]+)`, out)
})

var kafkaVersion = sync.OnceValue(func() string {
	pom, _ := os.ReadFile(filepath.Join(repository(), "deploy/local/kafka/pom.xml"))
	return firstMatch(`<kafka\.version>(.*)</kafka\.version>`, pom)
})

func firstMatch(pattern string, text []byte) string {
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		return "of unknown version"
	}
	return string(found[1])
}
