// Command ingest runs the role ingest; see README.md. Flags: --config FILE, --check.
package main

import (
	"os"

	"switchboard/internal/app"
)

func main() { os.Exit(app.Main("ingest", os.Args[1:], os.Stdout, os.Stderr)) }
