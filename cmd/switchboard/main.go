// Command switchboard is everything but the roles: topology, import, query, verify, and dev, which runs all roles in one
// process. Exit code 0 is fine, 1 failed, 2 wrong usage or config.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker of a release.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program, whatever it waits for
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
