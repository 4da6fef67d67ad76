// Package oracle runs the whole of Switchboard, doors to answers, on embedded servers and on a real Kafka and Redis, and holds
// its answers against what is known from outside: bandicoot's own figures, figures worked out by hand, the truth that a
// generator kept for itself, and one canonical hash, pinned in testdata.
//
//	go test -v prints how many figures were compared
//	SWITCHBOARD_LONG=1     more seeds of amendments, a longer history in the test of costs
package oracle

import (
	"os"
	"testing"

	"switchboard/tests/backend"
)

func TestMain(m *testing.M) { backend.Main(m) }

// long tells whether the tests may take minutes.
func long() bool { return os.Getenv("SWITCHBOARD_LONG") == "1" }
