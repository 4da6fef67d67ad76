package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/internal/avrowire"
)

// TestSchemaByID holds which answers condemn an id, and which say nothing about it.
func TestSchemaByID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, answer string
		status       int
		unknown      bool
		want, err    string
	}{
		{name: "a schema", status: 200, answer: `{"schema":"\"string\""}`, want: `"string"`},
		{name: "none", status: 404, answer: `{"error_code":40403,"message":"Schema 7 not found"}`, unknown: true},
		{name: "of another kind", status: 200, answer: `{"schema":"syntax = \"proto3\";","schemaType":"PROTOBUF"}`, unknown: true},
		{name: "with references", status: 200, answer: `{"schema":"\"a.B\"","references":[{"name":"a.B","subject":"b","version":1}]}`, unknown: true},
		{name: "a proxy's 404", status: 404, answer: `no such page`, err: "status 404"},
		{name: "not for us", status: 401, answer: `{"error_code":401,"message":"who are you?"}`, err: "status 401"},
		{name: "broken", status: 500, answer: `{"error_code":50001,"message":"oh"}`, err: "status 500"},
		{name: "no JSON", status: 200, answer: `<html>`, err: "schema registry"},
		{name: "elsewhere", status: 302, answer: ``, err: "schema registry"},
		{name: "without end", status: 200, answer: `{"schema":"` + strings.Repeat("x", maxAnswer) + `"}`, err: "schema registry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				asked.Add(1)
				if user, password, _ := req.BasicAuth(); req.URL.Path != "/schemas/ids/7" || user != "u" || password != "p" {
					t.Errorf("asked for %s by %s", req.URL, user)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.answer)
			}))
			defer server.Close()
			r, err := New(Options{URL: server.URL, User: "u", Password: "p"})
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			r.now = func() time.Time { return now }
			for range 3 {
				got, err := r.SchemaByID(7)
				if got != c.want || errors.Is(err, avrowire.ErrUnknownID) != c.unknown || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
					t.Errorf("%q, %v, want %q, unknown %t, %s", got, err, c.want, c.unknown, c.err)
				}
			}
			if want := map[bool]int32{true: 1, false: 3}[c.unknown]; asked.Load() != want {
				t.Errorf("asked %d times, want %d", asked.Load(), want)
			}
			now = now.Add(unknownFor)
			if r.SchemaByID(7); c.unknown && asked.Load() != 2 {
				t.Errorf("asked %d times after the verdict was old, want 2", asked.Load())
			}
		})
	}
	t.Run("not there", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		r, err := New(Options{URL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.SchemaByID(7); err == nil || errors.Is(err, avrowire.ErrUnknownID) || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("%v, want that it does not answer", err)
		}
	})
}
