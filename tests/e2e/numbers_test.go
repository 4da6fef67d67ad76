package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"switchboard/internal/event"
	"switchboard/tests/backend"
)

// TestNumbersNowhere plants phone numbers at every door, in good and in bad input, and looks for them in all that the processes show:
// logs at their most talkative, metrics, readiness, dead letters, rejects, what commands print.
func TestNumbersNowhere(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := builtSite(t, b)
		// Of nobody (Ofcom's range for drama); as they are written, and as they are stored.
		planted := []string{"+447700900123", "07700 900456", "+44 7700 900789", "447700900321"}
		// Long enough that no address, time or counter holds one by chance.
		traces := []string{"7700900123", "7700900456", "7700 900456", "7700900789", "7700 900789", "7700900321"}
		parts := append([]string{"447700900", "07700900", "7700 900"}, traces...)
		env := s.with("SWITCHBOARD_OBSERVABILITY_LOG_LEVEL=debug", "SWITCHBOARD_INGEST_DEFAULT_REGION=GB", "SWITCHBOARD_IMPORT_DEFAULT_REGION=GB")
		in, p := start(t, env, "ingest").ready(), start(t, env, "processor").ready()
		var lines, items []string
		for i, n := range planted {
			good := call(n, planted[(i+1)%len(planted)], i)
			items = append(items, marshal(good))
			for _, spoil := range []func(*event.Submitted){
				func(r *event.Submitted) { r.DurationS = -1 },
				func(r *event.Submitted) { r.Kind = n },
				func(r *event.Submitted) { r.Direction = n },
				func(r *event.Submitted) { r.Outcome = n },
				func(r *event.Submitted) { r.Zone, r.UTCOffsetS = n, nil },
				func(r *event.Submitted) { r.Region = n },
				func(r *event.Submitted) { r.Cell = n },
				func(r *event.Submitted) { r.TAC = n },
				func(r *event.Submitted) { r.Amends = n },
				func(r *event.Submitted) { r.ForwardingKind = n },
				func(r *event.Submitted) { r.Geohash = n },
				func(r *event.Submitted) { r.Subscriber += strings.Repeat("0", 300) },
			} {
				bad := good
				spoil(&bad)
				items = append(items, marshal(bad))
			}
			items = append(items, `"`+n+`"`, `{"subscriber":"`+n+`",}`)
		}
		lines = append(lines, items...)
		resp, a, err := post(t.Context(), in.reports(), []byte("["+strings.Join(items[:13], ",")+"]"))
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatal(resp, err)
		}
		for _, item := range a.Items {
			hasNumber(t, traces, "an answer", item.Reason)
		}
		for _, body := range []string{strings.Join(items, "\n"), "[" + items[0], planted[0]} {
			for _, kind := range []string{"application/json", "application/x-ndjson", planted[1]} {
				if _, _, err := post(t.Context(), in.reports()+"?from="+strings.ReplaceAll(planted[0], "+", ""), []byte(body), "Content-Type", kind, "Authorization", "Bearer "+planted[0], "User-Agent", planted[2], "X-Request-Id", planted[3]); err != nil {
					t.Fatal(err)
				}
			}
		}
		dir := t.TempDir()
		write := func(name string, text ...string) string {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(text, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return name
		}
		var rows []string
		for _, n := range planted {
			rows = append(rows, "call,in,"+n+",2014-03-02 07:13:30,1", "call,"+n+",x,2014-03-02 07:13:30,1", n+",in,x,2014-03-02 07:13:30,1", "call,in,x,"+n+",1", "call,in,x,2014-03-02 07:13:30,"+n, n, `"`+n)
		}
		for _, args := range [][]string{
			{write("numbers.ndjson", lines...)},
			{write("numbers.csv", append([]string{"interaction,direction,correspondent_id,datetime,call_duration"}, rows...)...), "--format", "bandicoot", "--subscriber", planted[0]},
			{write("headless.csv", rows...), "--format", "bandicoot", "--subscriber", planted[0]},
			{write("cdr.csv", append([]string{"A,B,C,D,E"}, rows...)...), "--format", "cdr", "--map", "caller=A,callee=B,time=D,duration=E", "--time-layout", "2006-01-02 15:04:05", "--sides", "both"},
		} {
			got := runIn(t, dir, env, nil, "switchboard", append([]string{"import"}, args...)...)
			hasNumber(t, traces, "import "+args[0], got.out+got.err)
			if rejects, err := os.ReadFile(filepath.Join(dir, args[0]+".rejects")); err == nil {
				hasNumber(t, traces, args[0]+".rejects", string(rejects))
			} else if args[0] != "headless.csv" {
				t.Errorf("%s: no rejects: %s%s", args[0], got.out, got.err)
			}
		}
		for _, poison := range s.poisons(1) {
			poison.record.Key = []byte(planted[0])
			s.Write(poison.record)
		}
		s.CaughtUp()
		eventually(t, "letters", func() string {
			if len(s.deadLetters()) == 0 {
				return "none"
			}
			return ""
		})
		for _, r := range s.Read(s.Letters) {
			hasNumber(t, parts, "a dead letter", string(r.Key)+string(r.Value)+fmt.Sprint(r.Headers))
		}
		for _, role := range []*process{in, p} {
			for _, path := range []string{"/metrics", "/readyz", "/readyz?format=json", "/debug/pprof/goroutine?debug=2"} {
				_, text := role.get(path)
				hasNumber(t, traces, role.name+path, text)
			}
			role.signal(syscall.SIGTERM)
			if code := role.exit(patience); code != 0 {
				t.Errorf("%s ended with %d", role.name, code)
			}
			hasNumber(t, parts, "the log of "+role.name, role.log.String())
		}
	})
}

func hasNumber(t *testing.T, traces []string, where, text string) {
	t.Helper()
	for _, trace := range traces {
		if at := strings.Index(text, trace); at >= 0 {
			t.Errorf("%s holds %s: ...%s", where, trace, text[max(0, at-100):min(len(text), at+40)])
			return
		}
	}
}
