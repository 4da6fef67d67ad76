package backend

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// KafkaServers are stock brokers (KRaft, each also a controller) with the settings of deploy/local
// and a cleaner that works within seconds.
type KafkaServers struct {
	Brokers []string
	// Behind is where they listen for proxies; the broker of Behind[0] tells whoever comes that way to find it at the first of the
	// addresses that OwnKafkaBehind was given. Nil without proxies.
	Behind []string

	proxyPort int // 0: none
	dir       string
	script    *child // deploy/local/up --foreground, which stops the brokers when it is told to
}

// RealKafka is the seed brokers of the shared real Kafka: SWITCHBOARD_TEST_KAFKA_BROKERS if set (by
// `make test`), else one broker that this process starts on first use (5 s) and that ends with it.
func RealKafka(t testing.TB) []string {
	t.Helper()
	if given := os.Getenv("SWITCHBOARD_TEST_KAFKA_BROKERS"); given != "" {
		version := os.Getenv("SWITCHBOARD_TEST_KAFKA_VERSION")
		if version == "" {
			version = "at " + given
		}
		note(t, "real kafka", version)
		return strings.Split(given, ",")
	}
	shared, err := sharedKafka()
	if err != nil {
		missing(t, "kafka", err)
	}
	note(t, "real kafka", kafkaVersion())
	return shared.Brokers
}

// OwnKafka starts brokers (1 or 3) of this test alone, for tests that break them. Three take 10 s
// and a gigabyte: one such test at a time.
func OwnKafka(t testing.TB, brokers int) *KafkaServers {
	t.Helper()
	return ownKafka(t, brokers, 0)
}

// OwnKafkaBehind is OwnKafka with a listener for clients that come through proxies at 127.0.0.1 and the ports from proxyPort on.
func OwnKafkaBehind(t testing.TB, brokers, proxyPort int) *KafkaServers {
	t.Helper()
	k := ownKafka(t, brokers, proxyPort)
	for _, addr := range k.Brokers {
		host, text, _ := strings.Cut(addr, ":")
		port, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		k.Behind = append(k.Behind, fmt.Sprintf("%s:%d", host, port+behind))
	}
	return k
}

// behind is deploy/local/parts/kafka.sh's "proxied".
const behind = 2000

// FreePorts are so many in a row, for servers that are told where to listen. Somebody may be quicker.
func FreePorts(t testing.TB, count int) (first int) {
	t.Helper()
search:
	for range 1000 {
		first = freePort()
		for i := range count {
			if !portFree(first + i) {
				continue search
			}
		}
		return first
	}
	t.Fatalf("no %d free ports in a row", count)
	return 0
}

func ownKafka(t testing.TB, brokers, proxyPort int) *KafkaServers {
	t.Helper()
	servers, err := startKafka(brokers, proxyPort)
	if err != nil {
		missing(t, "kafka", err)
	}
	t.Cleanup(servers.stop)
	note(t, "real kafka", kafkaVersion())
	return servers
}

// Kill ends a broker, 1 being that of Brokers[0], as kill -9 does.
func (k *KafkaServers) Kill(t testing.TB, broker int) { k.signal(t, broker, syscall.SIGKILL) }

// Pause freezes a broker: a partition leader that answers no more and does not know it. Resume thaws it.
func (k *KafkaServers) Pause(t testing.TB, broker int)  { k.signal(t, broker, syscall.SIGSTOP) }
func (k *KafkaServers) Resume(t testing.TB, broker int) { k.signal(t, broker, syscall.SIGCONT) }

// Start starts the brokers that were killed, with their data, and returns when all know all.
func (k *KafkaServers) Start(t testing.TB) {
	t.Helper()
	_, port, _ := strings.Cut(k.Brokers[0], ":")
	// It was seen on a machine under load that a broker is gone before it has said anything, and the script stops the others, too.
	for attempt := 1; ; attempt++ {
		up := exec.Command(filepath.Join(repository(), "deploy/local/up"), "kafka")
		up.Env = append(k.environment(len(k.Brokers)), "KAFKA_PORT="+port) // also when none of them is left to tell
		out, err := up.CombinedOutput()
		if err == nil {
			return
		}
		if attempt == 3 {
			t.Fatalf("start the brokers again: %v\n%s", err, out)
		}
	}
}

func (k *KafkaServers) signal(t testing.TB, broker int, sig syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(k.dir, fmt.Sprintf("run/kafka-%d.pid", broker)))
	if err != nil {
		t.Fatalf("signal broker %d: %v", broker, err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(text))[0])
	if err == nil {
		err = syscall.Kill(pid, sig)
	}
	if err != nil {
		t.Fatalf("signal broker %d: %v", broker, err)
	}
}

func (k *KafkaServers) environment(brokers int) []string {
	env := append(os.Environ(), "SWITCHBOARD_LOCAL_DIR="+k.dir, "TEST=1", "DATA=wipe", "KAFKA_PORT=0",
		fmt.Sprint("BROKERS=", brokers))
	if k.proxyPort != 0 {
		env = append(env, fmt.Sprint("KAFKA_PROXY_PORT=", k.proxyPort))
	}
	return env
}

func startKafka(brokers, proxyPort int) (*KafkaServers, error) {
	if repository() == "" {
		return nil, errNoRepository
	}
	dir, err := os.MkdirTemp("", "switchboard-kafka-")
	if err != nil {
		return nil, err
	}
	k := &KafkaServers{dir: dir, proxyPort: proxyPort}
	cmd := exec.Command(filepath.Join(repository(), "deploy/local/up"), "--foreground", "kafka")
	cmd.Env = k.environment(brokers)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	k.script, err = startChild(cmd, syscall.SIGTERM)
	if err != nil {
		return nil, err
	}
	printed, _ := io.ReadAll(stdout) // to its end: the script closes stdout once the brokers answer
	for line := range bytes.Lines(printed) {
		if list, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "SWITCHBOARD_KAFKA_BROKERS="); ok {
			k.Brokers = strings.Split(list, ",")
			return k, nil
		}
	}
	k.stop()
	return nil, fmt.Errorf("deploy/local/up kafka: %v\n%s", k.script.err, k.script.output)
}

func (k *KafkaServers) stop() {
	k.script.signal(syscall.SIGTERM)
	select {
	case <-k.script.dead:
	case <-time.After(patience):
		k.script.signal(syscall.SIGKILL)
		<-k.script.dead
	}
	os.RemoveAll(k.dir)
}

var shared struct {
	sync.Mutex
	started bool
	servers *KafkaServers
	err     error // remembered: a second attempt would only fail more slowly
}

func sharedKafka() (*KafkaServers, error) {
	shared.Lock()
	defer shared.Unlock()
	if !shared.started {
		shared.started = true
		shared.servers, shared.err = startKafka(1, 0)
	}
	return shared.servers, shared.err
}

func stopSharedKafka() {
	shared.Lock()
	defer shared.Unlock()
	if shared.servers != nil {
		shared.servers.stop()
		shared.servers = nil
	}
}
