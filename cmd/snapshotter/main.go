// Command snapshotter runs the role snapshotter; see README.md. Flags: --config FILE, --check.
package main

import (
	"os"

	"switchboard/internal/app"
)

func main() { os.Exit(app.Main("snapshotter", os.Args[1:], os.Stdout, os.Stderr)) }
