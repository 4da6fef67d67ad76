package backend

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// The report is a file of lines "suite <tab> what <tab> detail", appended to by all test processes
// of a run; tests/backend/summary makes the last line of `make test` of it. A suite is a package
// and its top-level test.

// note says that the test runs on such a server.
func note(t testing.TB, what, detail string) {
	t.Helper()
	if err := appendReport(os.Getenv("SWITCHBOARD_TEST_REPORT"), suite(t.Name()), what, detail); err != nil {
		t.Fatalf("write the report of backends: %v", err)
	}
}

// missing ends the test, which cannot have its real server: as a failure where real ones are
// required, else as a skip that the report tells.
func missing(t testing.TB, server string, why error) {
	t.Helper()
	if os.Getenv("CI") == "true" || os.Getenv("SWITCHBOARD_REQUIRE_REAL") == "1" {
		t.Fatalf("no real %s here, and it is required: %v", server, why)
	}
	reason, _, _ := strings.Cut(why.Error(), "\n")
	note(t, "missing "+server, reason)
	t.Skipf("NO REAL %s HERE, SKIPPED: %v", strings.ToUpper(server), why)
}

func appendReport(path, suite, what, detail string) error {
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	// One write: what several processes append to one file stays whole lines.
	_, err = fmt.Fprintf(file, "%s\t%s\t%s\n", suite, what, detail)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

func suite(test string) string {
	test, _, _ = strings.Cut(test, "/")
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return test
	}
	return strings.TrimSuffix(info.Path, ".test") + "." + test
}
