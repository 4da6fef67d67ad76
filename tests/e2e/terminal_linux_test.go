package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// onTerminal runs a program on a terminal of its own and gives what stood on the screen.
func onTerminal(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer screen.Close()
	number, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100})
	}
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), program(t, name), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = terminal, terminal, terminal, environ(env), t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close() // reading ends when the program has closed the last one
	text, _ := io.ReadAll(screen)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s on a terminal: %v\n%s", name, err, text)
	}
	return string(text)
}
