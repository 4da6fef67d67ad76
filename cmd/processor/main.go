// Command processor runs the role processor; see README.md. Flags: --config FILE, --check.
package main

import (
	"os"

	"switchboard/internal/app"
)

func main() { os.Exit(app.Main("processor", os.Args[1:], os.Stdout, os.Stderr)) }
