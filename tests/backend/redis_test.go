package backend

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestRedisKeepsItsDataOverStopAndKill(t *testing.T) {
	server := RealRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	end := map[string]func(){"stop": server.Stop, "kill": server.Kill}
	for how, end := range end {
		if err := client.Set(t.Context(), how, "kept", 0).Err(); err != nil {
			t.Fatal(err)
		}
		before, addr := server.PID(), server.Addr
		end()
		if server.PID() != 0 {
			t.Errorf("%s: it still has pid %d", how, server.PID())
		}
		if err := client.Ping(t.Context()).Err(); err == nil {
			t.Errorf("%s: it still answers", how)
		}
		server.Start()
		if server.PID() == before || server.Addr != addr {
			t.Errorf("%s: pid %d then %d, address %s then %s", how, before, server.PID(), addr, server.Addr)
		}
		if got := client.Get(t.Context(), how).Val(); got != "kept" {
			t.Errorf("after %s: %q", how, got)
		}
	}
}

func TestRedisTakesExtraSettings(t *testing.T) {
	server := RealRedis(t, "--maxmemory", "1mb")
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer client.Close()
	err := client.Set(t.Context(), "big", strings.Repeat("x", 1<<20), 0).Err()
	if err == nil {
		err = client.Set(t.Context(), "more", "x", 0).Err()
	}
	if err == nil || !strings.HasPrefix(err.Error(), "OOM") {
		t.Errorf("a full Redis must refuse writes, got %v", err)
	}
}

func TestRedisPauseAndResume(t *testing.T) {
	server := RealRedis(t)
	server.Pause()
	impatient := redis.NewClient(&redis.Options{Addr: server.Addr, ReadTimeout: 50 * time.Millisecond, MaxRetries: -1})
	defer impatient.Close()
	if err := impatient.Ping(t.Context()).Err(); err == nil {
		t.Error("a frozen Redis answered")
	}
	server.Resume()
	patient := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer patient.Close()
	if err := patient.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

const victimVariable = "SWITCHBOARD_BACKEND_VICTIM"

// beVictim is this test binary as another process: it starts a Redis, says which, and waits to be killed.
func beVictim() {
	child, err := startChild(exec.Command("redis-server", "--port", "0", "--save", ""), syscall.SIGKILL)
	if err != nil {
		fmt.Println(err)
		exit(1)
	}
	fmt.Println(child.cmd.Process.Pid)
	time.Sleep(time.Hour)
}

func TestChildrenDieWithTheTestProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can promise it")
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server on the PATH")
	}
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), victimVariable+"=1")
	stdout, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the victim said %q", line)
	}
	victim.Process.Kill()
	victim.Wait()
	for deadline := time.Now().Add(patience); processLives(child); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("redis-server %d outlives its parent", child)
		}
	}
}

// processLives: an orphan may stay a zombie where nobody reaps, which is as good as gone.
func processLives(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && !strings.Contains(string(status), "State:\tZ")
}
