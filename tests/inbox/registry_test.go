package inbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"switchboard/internal/daemon"
	"switchboard/internal/pipeline"
	"switchboard/schemas"
	"switchboard/tests/backend"
)

// TestRegistry: the writer's schema comes from a registry. While that does not answer the inbox waits and condemns nothing; an id that it does not
// know makes a dead letter.
//
//fault:e2 the registry is asked; unreachable the inbox waits, an unknown id is a dead letter
func TestRegistry(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		const known, unknown = 4711, 4712
		var up atomic.Bool
		registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
			switch {
			case !up.Load():
				w.WriteHeader(http.StatusServiceUnavailable)
			case req.URL.Path == "/schemas/ids/4711":
				s, _ := schemas.Current("ReportSubmitted")
				json.NewEncoder(w).Encode(map[string]any{"schema": s.Text})
			default:
				w.WriteHeader(http.StatusNotFound)
				json.NewEncoder(w).Encode(map[string]any{"error_code": 40403, "message": "Schema not found"})
			}
		}))
		t.Cleanup(registry.Close)
		s := newSite(t, b)
		s.Config.Avro.RegistryURL = registry.URL
		list := reports("registry", 20)
		var values [][]byte
		for i, r := range list {
			id := uint32(known)
			if i%5 == 4 {
				id = unknown
			}
			single := s.bytes(r) // C3 01, the fingerprint, the body
			values = append(values, append(binary.BigEndian.AppendUint32([]byte{0}, id), single[10:]...))
		}
		s.send(values...)
		in := s.Ingest(nil)
		s.Until("it says what it waits for", func() bool {
			err := in.InboxReady()
			return err != nil && strings.Contains(err.Error(), "the schema registry answers with status 503")
		})
		if err := in.InboxReady(); !errors.Is(err, daemon.ErrDegraded) {
			t.Errorf("a registry that does not answer takes the HTTP door out of service: %v", err)
		}
		if letters := s.letters(); len(letters) > 0 || s.group() > 0 {
			t.Errorf("the group stands at %d, dead letters: %v", s.group(), letters)
		}
		up.Store(true)
		s.Start()
		s.taken()
		good := list[:0:0]
		for i, r := range list {
			if i%5 != 4 {
				good = append(good, r)
			}
		}
		s.exact(s.facts(good...))
		letters := s.letters()
		for at, d := range letters {
			if d.Class != pipeline.ClassUnknownSchema {
				t.Errorf("%s: %s", at, d.Class)
			}
		}
		if len(letters) != len(list)-len(good) {
			t.Errorf("%d dead letters, want %d", len(letters), len(list)-len(good))
		}
		in.Stop()
		s.Halt()
	})
}
