package intake

import (
	"errors"
	"io"
	"strings"
	"testing"

	"switchboard/internal/event"
)

// FuzzImport imports files of any format: every row is an event that the contract takes or a reject with its line, in their order, and no row is
// counted twice or not at all.
func FuzzImport(f *testing.F) {
	options := []FileOptions{
		{Format: "ndjson"}, {Format: "device-ndjson"},
		{Format: "cdr", Map: map[string]string{"caller": "a", "callee": "b", "time": "t", "duration": "d"}, Sides: "both", TimeLayout: "unix"},
		{Format: "cdr", Map: map[string]string{"caller": "a", "callee": "b", "time": "t", "duration": "d"}, Sides: "caller", TimeLayout: "rfc3339"},
		{Format: "bandicoot", Subscriber: "me"},
	}
	for i, text := range []string{
		`{"kind":"call","subscriber":"+4930901820","counterpart":"+4930901821","direction":"in","started_at":"2024-03-04T00:00:00Z","duration_s":7,"outcome":"answered"}` + "\n{}\n\n[1]\n",
		`{"device":"d1","event":"connected","session_id":"s","session_seq":1,"occurred_at":"2024-03-04T00:00:00Z"}` + "\n{\"device\":",
		"a,b,t,d\n+4930901820,+4930901821,1700000000,7\n,,,\n\"x\n", "a;b;t;d\n030901820;030901821;2024-03-04T00:00:00+01:00;0\n",
		bandicootHeader + "call,in,A,2014-08-20 20:30:37,137,1\n",
	} {
		f.Add(text, uint8(i))
		f.Add("\xef\xbb\xbf"+text+text, uint8(i))
	}
	in := newIntake(f)
	f.Fuzz(func(t *testing.T, text string, format uint8) {
		r, err := in.Open(write(t, text), options[int(format)%len(options)])
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("more than a line: %q", err)
			}
			return // a header that does not fit, a file that is none
		}
		defer r.Close()
		last := 0
		var rows, events int64
		for {
			e, reject, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if reject != nil {
				rows++
				if reject.Line < last || reject.Reason == "" || strings.ContainsAny(reject.Reason, "\n\r") {
					t.Fatalf("reject %q after line %d", reject, last)
				}
				last = reject.Line
				continue
			}
			events++
			if err := event.Validate(e); err != nil {
				t.Fatal(err)
			}
			if want := event.IDOf(e); e.Envelope().ID != want {
				t.Fatalf("id %s, want %s", e.Envelope().ID, want)
			}
		}
		if s := r.Stats(); s.Events != events || s.Rejected != rows || s.Rows > int64(strings.Count(text, "\n")+strings.Count(text, "\r")+1) {
			t.Fatalf("%d events and %d rejects, %+v", events, rows, s)
		}
	})
}
