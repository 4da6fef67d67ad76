package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"switchboard/internal/event"
	"switchboard/tests/backend"
)

func gzipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

func zstded(text string) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return z.EncodeAll([]byte(text), nil)
}

// TestHTTP goes through the door of the real program: every error, and what stands in the log and the read models afterwards.
//
//fault:e4 the future, through the real door
//fault:e6 413 before it is sent
func TestHTTP(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := builtSite(t, b)
		secret := "0123456789abcdef0123456789abcdef"
		key := fmt.Sprintf("phones:%x", sha256.Sum256([]byte(secret)))
		in := start(t, s.with("SWITCHBOARD_INGEST_API_KEYS="+key, "SWITCHBOARD_INGEST_DEFAULT_REGION=GB"), "ingest").ready()
		start(t, s.Env, "processor")
		bearer := []string{"Authorization", "Bearer phones." + secret}
		const phone = "+447700900001"
		good := func(n int) string { return marshal(call(phone, "020 7946 0958", n)) }
		bad := func(change func(*event.Submitted)) string {
			r := call(phone, "+447700900002", 9_000)
			change(&r)
			return marshal(r)
		}
		many := func(n int) string { return "[" + strings.Repeat(`{},`, n-1) + "{}]" }
		ahead := time.Now().Add(time.Hour).UnixMilli()
		sent := 0
		for _, c := range []struct {
			name    string
			body    string
			headers []string
			raw     []byte // instead of body
			status  int
			says    []string
			takes   int // facts
		}{
			{name: "no key", body: "[" + good(1) + "]", headers: []string{"Authorization", ""}, status: 401, says: []string{"Bearer"}},
			{name: "a wrong secret", body: "[" + good(1) + "]", headers: []string{"Authorization", "Bearer phones.wrong"}, status: 401},
			{name: "an unknown id", body: "[" + good(1) + "]", headers: []string{"Authorization", "Bearer nobody." + secret}, status: 401},
			{name: "another scheme", body: "[" + good(1) + "]", headers: []string{"Authorization", "Basic phones." + secret}, status: 401},
			{name: "the hash is no secret", body: "[" + good(1) + "]", headers: []string{"Authorization", "Bearer phones." + strings.TrimPrefix(key, "phones:")}, status: 401},
			{name: "plain text", body: good(1), headers: []string{"Content-Type", "text/plain"}, status: 415, says: []string{"application/json", "application/x-ndjson"}},
			{name: "brotli", body: good(1), headers: []string{"Content-Encoding", "br"}, status: 415, says: []string{"gzip, zstd"}},
			{name: "two encodings", body: good(1), headers: []string{"Content-Encoding", "gzip, zstd"}, status: 415},
			{name: "no array", body: good(1), status: 400, says: []string{"want a JSON array"}},
			{name: "an array that does not end", body: "[" + good(1), status: 400, says: []string{"not closed"}},
			{name: "no gzip", body: "[" + good(1) + "]", headers: []string{"Content-Encoding", "gzip"}, status: 400, says: []string{"not what Content-Encoding says"}},
			{name: "half a gzip", raw: gzipped("[" + good(1) + "]")[:40], headers: []string{"Content-Encoding", "gzip"}, status: 400},
			{name: "too many", body: many(1001), status: 413, says: []string{"1000 items"}},
			{name: "too large", body: "[" + strings.Repeat(" ", 1<<20) + good(1) + "]", status: 413},
			{name: "too large when decompressed", raw: gzipped("[" + strings.Repeat(" ", 1<<21) + good(1) + "]"), headers: []string{"Content-Encoding", "gzip"}, status: 413},
			{name: "a bomb", raw: zstded(strings.Repeat(" ", 50<<20)), headers: []string{"Content-Encoding", "zstd"}, status: 413},

			{name: "nothing", body: "[]", status: 422},
			{name: "none valid", body: many(1000), status: 422, says: []string{"kind: is required"}},
			{name: "negative duration", body: "[" + bad(func(r *event.Submitted) { r.DurationS = -1 }) + "]", status: 422, says: []string{`"field":"duration_s"`, "items[0].duration_s: must be \\u003e= 0"}},
			{name: "in an hour", body: "[" + bad(func(r *event.Submitted) { r.StartedAt = ahead }) + "]", status: 422, says: []string{"items[0].started_at: must not be more than 5 minutes in the future"}},
			{name: "no direction", body: "[" + bad(func(r *event.Submitted) { r.Direction = "sideways" }) + "]", status: 422, says: []string{"items[0].direction"}},
			{name: "a text that lasts", body: "[" + bad(func(r *event.Submitted) { r.Kind = "text" }) + "]", status: 422, says: []string{"must not be given for a text"}},
			{name: "an unknown field", body: `[{"kind":"call","durations":1}]`, status: 422, says: []string{"durations: unknown field"}},
			{name: "a field twice", body: `[{"kind":"call","kind":"call"}]`, status: 422, says: []string{"kind: is given twice"}},
			{name: "a fraction", body: `[{"duration_s":1.5}]`, status: 422, says: []string{"whole number"}},
			{name: "NaN", body: `[{"duration_s":NaN}]`, status: 422, says: []string{"not valid JSON"}},
			{name: "no UTF-8", body: "[{\"kind\":\"\xff\"}]", status: 422, says: []string{"must be UTF-8"}},
			{name: "an endless item", body: `[{"handset":"` + strings.Repeat("x", 65<<10) + `"},` + good(50) + "]", status: 202, says: []string{"items[0]: must be at most 65536 bytes"}, takes: 1},
			{name: "an amendment of nothing", body: "[" + bad(func(r *event.Submitted) { r.Revision = 1 }) + "]", status: 422, says: []string{"amends: is required"}},

			{name: "good between bad", body: "[" + good(100) + ",{}," + good(101) + `,7,"x",` + good(102) + "]", status: 202, says: []string{"items[1].kind: is required", "items[3]: must be a JSON object"}, takes: 3},
			{name: "the same twice", body: "[" + good(110) + "," + good(110) + "]", status: 202, takes: 1},
			{name: "lines", body: good(120) + "\n\n" + good(121) + "\nnonsense\n", headers: []string{"Content-Type", "application/x-ndjson"}, status: 202, says: []string{"items[2]"}, takes: 2},
			{name: "gzip", raw: gzipped("[" + good(130) + "]"), headers: []string{"Content-Encoding", "gzip"}, status: 202, takes: 1},
			{name: "zstd", raw: zstded(good(140)), headers: []string{"Content-Encoding", "zstd", "Content-Type", "application/x-ndjson; charset=utf-8"}, status: 202, takes: 1},
			{name: "as many as allowed", body: func() string {
				list := make([]event.Submitted, 1000)
				for i := range list {
					list[i] = call(fmt.Sprintf("+4477009%05d", i), "", i)
				}
				return marshal(list)
			}(), status: 202, takes: 1000},
		} {
			body := c.raw
			if body == nil {
				body = []byte(c.body)
			}
			headers := append(append([]string{}, bearer...), c.headers...)
			resp, a, err := post(t.Context(), in.reports(), body, headers...)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			var text bytes.Buffer
			_, _ = text.ReadFrom(resp.Body)
			if resp.StatusCode != c.status {
				t.Errorf("%s: status %d, want %d: %.300s", c.name, resp.StatusCode, c.status, text.String())
			}
			for _, say := range c.says {
				if !strings.Contains(text.String(), say) {
					t.Errorf("%s: %q is not in %.500s", c.name, say, text.String())
				}
			}
			if c.status >= 400 && c.status != 422 && resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: an error of type %s", c.name, resp.Header.Get("Content-Type"))
			}
			if (a.Token != "") != (c.takes > 0) {
				t.Errorf("%s: token %q", c.name, a.Token)
			}
			if strings.Contains(text.String(), phone) || strings.Contains(text.String(), "7946 0958") {
				t.Errorf("%s: the answer holds a number: %s", c.name, text.String())
			}
			sent += c.takes
		}
		if n := len(s.Read(s.Reports)); n != sent {
			t.Errorf("%d facts stand in the log, %d were accepted", n, sent)
		}
		for path, status := range map[string]int{"/v1/reports": 405, "/openapi.yaml": 200, "/v2/reports": 404, "/metrics": 404, "/debug/pprof/": 404} {
			resp, err := http.Get(strings.TrimSuffix(in.reports(), "/v1/reports") + path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != status {
				t.Errorf("GET %s: %d, want %d", path, resp.StatusCode, status)
			}
		}

		// The token makes a query see what was written, at once; what comes again, by this door or another one, counts once.
		card := func(token string) (out, duplicates int) {
			t.Helper()
			got := s.cli("query", "card", phone, "--format", "json", "--after", token, "--wait", "30s").wants(t, 0)
			var answer map[string]any
			if err := json.Unmarshal([]byte(got.out), &answer); err != nil {
				t.Fatal(err)
			}
			return int(number(answer, "calls_out")), int(number(answer, "duplicates"))
		}
		resp, a, err := post(t.Context(), in.reports(), []byte("["+good(200)+"]"), bearer...)
		if err != nil || resp.StatusCode != 202 {
			t.Fatal(resp, err)
		}
		calls, duplicates := card(a.Token)
		resp, again, err := post(t.Context(), in.reports(), []byte("["+good(200)+"]"), bearer...)
		if err != nil || resp.StatusCode != 202 || again.Items[0].EventID != a.Items[0].EventID {
			t.Fatalf("sent again: %v %+v %v", resp, again, err)
		}
		file := filepath.Join(t.TempDir(), "again.ndjson")
		if err := os.WriteFile(file, []byte(good(200)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, s.with("SWITCHBOARD_IMPORT_DEFAULT_REGION=GB"), "switchboard", "import", file, "--wait").wants(t, 0, "1 facts appended")
		if c, d := card(again.Token); c != calls || d != duplicates+2 {
			t.Errorf("%d calls and %d duplicates, then %d and %d", calls, duplicates, c, d)
		}
		s.cli("query", "card", phone, "--after", a.Token[:len(a.Token)-3]).wants(t, 2, "--after")
		s.folded()
	})
}

// number finds a number anywhere in a tree of JSON by its name.
func number(tree any, name string) float64 {
	if m, ok := tree.(map[string]any); ok {
		if n, ok := m[name].(float64); ok {
			return n
		}
		for _, v := range m {
			if n := number(v, name); n >= 0 {
				return n
			}
		}
	}
	return -1
}
