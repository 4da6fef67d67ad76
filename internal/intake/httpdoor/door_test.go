package httpdoor

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"switchboard/internal/event"
	"switchboard/internal/intake"
)

var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

const (
	good  = `{"kind":"call","subscriber":"+442079460958","direction":"out","started_at":1769850000000,"counterpart":"020 7946 0000","duration_s":61}`
	goodB = `{"kind":"text","subscriber":"B","direction":"in","started_at":"2026-01-31T09:00:00+01:00","withheld":true}`
	id    = "f5b0d9bb-477f-8e8a-bc1d-c6c9dd91840d" // of good
)

var topic = event.TopicID{1, 2, 3}

// memoryLog takes everything, one partition per length of subject.
type memoryLog struct {
	mu     sync.Mutex
	events []event.Event
	fail   func(event.Event) error
	gate   chan struct{} // nil, or closed to let appends through
}

func (l *memoryLog) append(ctx context.Context, events []event.Event) []AppendResult {
	if l.gate != nil {
		select {
		case <-l.gate:
		case <-ctx.Done():
			return make([]AppendResult, 0)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []AppendResult
	for _, e := range events {
		r := AppendResult{Partition: int32(len(e.Envelope().Subject)), Offset: int64(len(l.events))}
		if l.fail != nil {
			r.Err = l.fail(e)
		}
		if r.Err == nil {
			l.events = append(l.events, e)
		}
		out = append(out, r)
	}
	return out
}

func (l *memoryLog) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// topicOf is topic for reports, and another one for device events.
func topicOf(about event.SubjectKind) event.TopicID {
	id := topic
	if about == event.Devices {
		id[0]++
	}
	return id
}

func newDoor(t testing.TB, l *memoryLog, change func(*Options)) *Door {
	t.Helper()
	in, err := intake.New(intake.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Intake: in, Append: l.append, Topic: topicOf, Anonymous: true}
	if change != nil {
		change(&o)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func post(body string, header ...string) *http.Request { return postTo("/v1/reports", body, header...) }

func postTo(path, body string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://localhost"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

type reply struct {
	Items []itemResult `json:"items"`
	Token string       `json:"token"`
}

func serve(t testing.TB, h http.Handler, r *http.Request) (*httptest.ResponseRecorder, reply) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var body reply
	if w.Header().Get("Content-Type") == "application/json" {
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
	}
	return w, body
}

func zipped(t testing.TB, encoding, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if encoding == "zstd" {
		var err error
		if w, err = zstd.NewWriter(&b, zstd.WithEncoderLevel(zstd.SpeedBestCompression)); err != nil {
			t.Fatal(err)
		}
	}
	for len(text) > 0 { // in pieces, so that the size is not known in advance
		n := min(len(text), 10_000)
		if _, err := io.WriteString(w, text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAccepted(t *testing.T) {
	for _, c := range []struct{ name, body, typ, encoding string }{
		{"array", "[" + good + "," + goodB + "]", "application/json", ""},
		{"array, charset", "\uFEFF [\n" + good + "\n,\n" + goodB + "]\n", "application/json; charset=UTF-8", "identity"},
		{"lines", good + "\r\n\n" + goodB, "application/x-ndjson", ""},
		{"gzip", "[" + good + "," + goodB + "]", "application/json", "gzip"},
		{"zstd", good + "\n" + goodB + "\n", "application/x-ndjson", "zstd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &memoryLog{}
			r := post(c.body, "Content-Type", c.typ)
			if c.encoding != "" {
				r.Header.Set("Content-Encoding", c.encoding)
				if c.encoding != "identity" {
					r = post(zipped(t, c.encoding, c.body), "Content-Type", c.typ, "Content-Encoding", c.encoding)
				}
			}
			w, body := serve(t, newDoor(t, l, nil), r)
			if w.Code != http.StatusAccepted || len(body.Items) != 2 || l.len() != 2 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if got := body.Items[0]; got.EventID != id || got.Status != Accepted {
				t.Errorf("first item: %+v", got)
			}
			token, err := event.ParseToken(body.Token)
			if err != nil || token.Topic != topic || token.Next[13] != 1 || token.Next[1] != 2 {
				t.Errorf("token %q: %+v, %v", body.Token, token, err)
			}
			if e := l.events[0].Envelope(); e.Source != "http" || e.Actor != "" || e.RecordedAt != now.UnixMilli() {
				t.Errorf("envelope: %+v", e)
			}
		})
	}
}

// The same content twice in one request is accepted twice and appended once.
func TestTwiceInOneRequest(t *testing.T) {
	l := &memoryLog{}
	again := strings.Replace(good, "020 7946 0000", "+44 20 7946 0000", 1)
	w, body := serve(t, newDoor(t, l, nil), post("["+good+","+again+"]"))
	if w.Code != http.StatusAccepted || l.len() != 1 || body.Items[0].EventID != body.Items[1].EventID || body.Items[1].Status != Accepted {
		t.Errorf("%d %s, %d appended", w.Code, w.Body, l.len())
	}
}

// TestMaxItemBytes: an item above it is refused, the one beside it is not.
func TestMaxItemBytes(t *testing.T) {
	d := newDoor(t, &memoryLog{}, func(o *Options) { o.MaxItemBytes = len(good) })
	w, body := serve(t, d, post("["+good+","+strings.Replace(good, "{", "{ ", 1)+"]"))
	if w.Code != http.StatusAccepted || body.Items[0].Status != Accepted || body.Items[1].Status != Rejected ||
		!strings.Contains(w.Body.String(), fmt.Sprintf("must be at most %d bytes", len(good))) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Each bad item, between two good ones: it is named, and they are not harmed.
func TestBadItems(t *testing.T) {
	with := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	for _, c := range []struct{ item, field, reason string }{
		{with(`61`, `-1`), "duration_s", "items[1].duration_s: must be >= 0"},
		{with(`61`, `604801`), "duration_s", "items[1].duration_s: must be <= 604800"},
		{with(`61`, `61.5`), "duration_s", "items[1].duration_s: must be a whole number, without fraction or exponent"},
		{with(`61`, `"61"`), "duration_s", "items[1].duration_s: must be a whole number"},
		{with(`61`, `NaN`), "", "items[1]: is not valid JSON at byte 133"},
		{with(`61`, `1e999`), "duration_s", "items[1].duration_s: must be a whole number, without fraction or exponent"},
		{with(`61`, `99999999999999999999`), "duration_s", "items[1].duration_s: must fit in 32 bits"},
		{with(`61`, `61,"answered_at":1`), "answered_at", "items[1].answered_at: must not be before started_at"},
		{with(`1769850000000`, `1769860800000,"ring_s":1`), "", ""},
		{with(`1769850000000`, `1769861100001`), "started_at", "items[1].started_at: must not be more than 5 minutes in the future"},
		{with(`1769850000000`, `"31.01.2026"`), "started_at", "items[1].started_at: must be RFC 3339, such as 2026-01-31T09:00:00+01:00, or Unix milliseconds"},
		{with(`1769850000000`, `-99999999999999999`), "started_at", "items[1].started_at: must lie in the years 1 to 9999"},
		{with(`1769850000000`, `1`), "", ""}, // 1970 is a year like any other: the topics go by append time
		{with(`+442079460958`, strings.Repeat("1", 257)), "subscriber", "items[1].subscriber: must be at most 256 bytes"},
		{with(`+442079460958`, `private`), "", ""}, // not E.164 stays opaque
		{with(`+442079460958`, `a\u0000b`), "subscriber", "items[1].subscriber: must not contain control characters"},
		{with(`+442079460958`, "\xc3\x28"), "", "items[1]: must be UTF-8"},
		{with(`+442079460958`, `\ud800`), "subscriber", "items[1].subscriber: must not contain half a surrogate pair"},
		{with(`"call"`, `"fax"`), "kind", "items[1].kind: must be call or text"},
		{with(`"kind":"call",`, ``), "kind", "items[1].kind: is required"},
		{with(`"kind"`, `"kind":"text","kind"`), "kind", "items[1].kind: is given twice"},
		{with(`"kind"`, `"colour":"red","kind"`), "colour", "items[1].colour: unknown field"},
		{with(`"call"`, `"call","padding":"`+strings.Repeat("x", 70_000)+`"`), "", "items[1]: must be at most 65536 bytes"},
		{with(`61`, `61,"amends":"x","revision":0`), "amends", "items[1].amends: must be the event id of the original report, 8-4-4-4-12 hexadecimal digits"},
		{`{"a":1,}`, "", "items[1]: is not valid JSON at byte 8"},
		{`"` + id + `"`, "", "items[1]: must be a JSON object"},
		{`null`, "", "items[1]: must be a JSON object"},
		{strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), "", "items[1]: is not valid JSON at byte 10001"},
	} {
		for _, lines := range []bool{false, true} {
			l := &memoryLog{}
			r := post("[" + good + "," + c.item + "," + goodB + "]")
			if lines {
				r = post(good+"\n"+c.item+"\n"+goodB+"\n", "Content-Type", "application/x-ndjson")
			}
			w, body := serve(t, newDoor(t, l, nil), r)
			if w.Code != http.StatusAccepted || len(body.Items) != 3 || body.Items[0].Status != Accepted || body.Items[2].Status != Accepted {
				t.Fatalf("%.200s: %d %.500s", c.item, w.Code, w.Body)
			}
			got := body.Items[1]
			if c.reason == "" {
				if got.Status != Accepted || l.len() != 3 {
					t.Errorf("%.200s: %+v", c.item, got)
				}
				continue
			}
			if got.Status != Rejected || got.Field != c.field || got.Reason != c.reason || l.len() != 2 {
				t.Errorf("%.200s: %+v\nwant %s", c.item, got, c.reason)
			}
			if strings.Contains(got.Reason, "7946") {
				t.Errorf("a reason quotes a number: %s", got.Reason)
			}
		}
	}
}

func TestNothingValid(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"[]", `{"items":[]}`},
		{`[{"kind":"call","direction":"up"},1]`, `{"items":[{"index":0,"status":"rejected","field":"subscriber","reason":"items[0].subscriber: is required","more":["items[0].started_at: is required","items[0].direction: must be in or out"]},{"index":1,"status":"rejected","reason":"items[1]: must be a JSON object"}]}`},
	} {
		w, _ := serve(t, newDoor(t, &memoryLog{}, nil), post(c.body))
		if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusUnprocessableEntity || got != c.want {
			t.Errorf("%s: %d %s\nwant %s", c.body, w.Code, got, c.want)
		}
	}
}

// What the log says decides between 202 and 503, item by item.
//
//fault:h3 the answer says which items, and what to send again
func TestAppendFails(t *testing.T) {
	subject := func(s string, err error) func(event.Event) error {
		return func(e event.Event) error {
			if s == "" || string(e.Envelope().Subject) == s {
				return err
			}
			return nil
		}
	}
	for _, c := range []struct {
		name      string
		fail      func(event.Event) error
		want      [3]Status
		outcome   string
		withToken bool
	}{
		{"all overloaded", subject("", fmt.Errorf("kafka: %w", ErrOverloaded)), [3]Status{NotSent, Rejected, NotSent}, "overloaded", false},
		{"one overloaded", subject("B", ErrOverloaded), [3]Status{Accepted, Rejected, NotSent}, "overloaded", true},
		{"one unknown", subject("B", ErrUnknown), [3]Status{Accepted, Rejected, Unknown}, "unresolved", true},
		{"any other error", subject("", errors.New("NOT_ENOUGH_REPLICAS +442079460958")), [3]Status{Unknown, Rejected, Unknown}, "unresolved", false},
	} {
		var seen Observation
		d := newDoor(t, &memoryLog{fail: c.fail}, func(o *Options) { o.Observe = func(s Observation) { seen = s } })
		w, body := serve(t, d, post("["+good+",1,"+goodB+"]"))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", c.name, w.Code, w.Header())
		}
		for i, want := range c.want {
			if got := body.Items[i]; got.Status != want || (want == Rejected) == (got.EventID != "") {
				t.Errorf("%s: item %d is %+v, want %s", c.name, i, got, want)
			}
		}
		if (body.Token != "") != c.withToken || seen.Outcome != c.outcome {
			t.Errorf("%s: token %q, outcome %s", c.name, body.Token, seen.Outcome)
		}
		if strings.Contains(w.Body.String(), "442079460958") {
			t.Errorf("%s: the answer quotes the log's error", c.name)
		}
	}
}

// An append that is not resolved in time is unknown, whatever it answers.
//
//fault:h1 unknown at the deadline: 503, send again
func TestAppendTimesOut(t *testing.T) {
	l := &memoryLog{gate: make(chan struct{})}
	d := newDoor(t, l, func(o *Options) { o.Timeout = 10 * time.Millisecond })
	w, body := serve(t, d, post("["+good+"]"))
	if w.Code != http.StatusServiceUnavailable || body.Items[0].Status != Unknown || body.Items[0].EventID != id {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestRefused(t *testing.T) {
	many := "[" + strings.Repeat(good+",", 1000) + good + "]"
	for _, c := range []struct {
		name   string
		r      *http.Request
		status int
		detail string
	}{
		{"no json", post("hello"), 400, "the body is no JSON array: line 1: want a JSON array"},
		{"empty", post(""), 400, "the body is no JSON array: line 1: want a JSON array"},
		{"object", post(good), 400, "the body is no JSON array: line 1: want a JSON array"},
		{"cut off", post("[" + good + "," + good[:20]), 400, "the body is no JSON array: line 1: the array is not closed"},
		{"trailing", post("[" + good + "] " + good), 400, "the body is no JSON array: line 1: something follows the array"},
		{"form", post("a=b", "Content-Type", "application/x-www-form-urlencoded"), 415, "want Content-Type"},
		{"no type", post("[]", "Content-Type", ""), 415, "want Content-Type"},
		{"charset", post("[]", "Content-Type", "application/json; charset=latin1"), 415, "want Content-Type"},
		{"parameter", post("[]", "Content-Type", "application/json; version=2"), 415, "want Content-Type"},
		{"like json", post("[]", "Content-Type", "application/jsonl"), 415, "want Content-Type"},
		{"brotli", post("[]", "Content-Encoding", "br"), 415, "want one Content-Encoding"},
		{"twice zipped", post("[]", "Content-Encoding", "gzip, gzip"), 415, "want one Content-Encoding"},
		{"not gzip", post("[]", "Content-Encoding", "gzip"), 400, "the body is not what Content-Encoding says"},
		{"gzip cut off", post(zipped(t, "gzip", "["+good+"]")[:40], "Content-Encoding", "gzip"), 400, "the body is not what Content-Encoding says"},
		{"gzip and garbage", post(zipped(t, "gzip", "["+good+"]")+"x", "Content-Encoding", "gzip"), 400, "the body is not what Content-Encoding says"},
		{"not zstd", post("[]", "Content-Encoding", "zstd"), 400, "the body is not what Content-Encoding says"},
		{"1001 items", post(many), 413, "a request holds at most 1000 items"},
		{"1001 lines", post(strings.Repeat("1\n", 1001), "Content-Type", "application/x-ndjson"), 413, "a request holds at most 1000 items"},
		{"too long", post("[" + strings.Repeat(" ", 1<<20) + "]"), 413, "a request holds at most 1000 items"},
		{"gzip bomb", post(zipped(t, "gzip", "["+strings.Repeat(" ", 8<<20)+"]"), "Content-Encoding", "gzip"), 413, "a request holds at most"},
		{"zstd bomb", post(zipped(t, "zstd", "["+strings.Repeat(" ", 8<<20)+"]"), "Content-Encoding", "zstd"), 413, "compressed too well"},
		{"small gzip bomb", post(zipped(t, "gzip", "["+strings.Repeat(" ", 900<<10)+"]"), "Content-Encoding", "gzip"), 413, "compressed too well"},
		{"small zstd bomb", post(zipped(t, "zstd", "["+strings.Repeat(" ", 900<<10)+"]"), "Content-Encoding", "zstd"), 413, "compressed too well"},
		{"zstd window of 2 GiB", post("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", "Content-Encoding", "zstd"), 413, "the zstd window"},
	} {
		l := &memoryLog{}
		w, _ := serve(t, newDoor(t, l, nil), c.r)
		var p problemDetails
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%s: %d %s", c.name, w.Code, w.Body)
		}
		if w.Code != c.status || p.Status != c.status || !strings.HasPrefix(p.Detail, c.detail) && !strings.Contains(p.Detail, c.detail) || l.len() != 0 {
			t.Errorf("%s: %d %+v, want %d %s", c.name, w.Code, p, c.status, c.detail)
		}
	}
	for method, path := range map[string]string{http.MethodGet: "/v1/reports", http.MethodPost: "/openapi.yaml", http.MethodDelete: "/"} {
		w, _ := serve(t, newDoor(t, &memoryLog{}, nil), httptest.NewRequest(method, path, nil))
		if want := map[string]int{"/": 404}[path]; w.Code != max(want, 405) && w.Code != want {
			t.Errorf("%s %s: %d", method, path, w.Code)
		}
	}
}

// A full batch of lifelike reports is not taken for a bomb.
func TestRatioOfLifelikeBatches(t *testing.T) {
	var text strings.Builder
	for i := range 1000 {
		if text.Len() > 1<<20-1200 {
			break
		}
		fmt.Fprintf(&text, `{"kind":"call","subscriber":"+442079460958","direction":"out","counterpart":"+4420794%05d","started_at":%d,"utc_offset_s":0,"duration_s":%d,"outcome":"answered","batch":"%s","handset":"%s"}`+"\n",
			i*7919%100000, 1769850000000-i*61001, i*31%600, strings.Repeat("upload-of-the-night-", 10), strings.Repeat("h", 250))
	}
	for _, encoding := range []string{"gzip", "zstd"} {
		z := zipped(t, encoding, text.String())
		l := &memoryLog{}
		w, _ := serve(t, newDoor(t, l, nil), post(z, "Content-Type", "application/x-ndjson", "Content-Encoding", encoding))
		t.Logf("%s: %d to %d bytes, 1 to %d", encoding, text.Len(), len(z), text.Len()/len(z))
		if w.Code != http.StatusAccepted {
			t.Errorf("%s: %d %.200s", encoding, w.Code, w.Body)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	in, _ := intake.New(intake.Options{})
	whole := Options{Intake: in, Append: (&memoryLog{}).append, Topic: topicOf, Anonymous: true}
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Append = nil }, "are required"},
		{func(o *Options) { o.Anonymous = false }, "no API keys"},
		{func(o *Options) { o.Keys = []Key{{ID: "a", SHA256: []string{hash("x")}}} }, "which one?"},
		{func(o *Options) { o.Anonymous, o.Keys = false, []Key{{ID: "a.b", SHA256: []string{hash("x")}}} }, "without dot"},
		{func(o *Options) { o.Anonymous, o.Keys = false, []Key{{ID: "a"}} }, "has no hash"},
		{func(o *Options) { o.Anonymous, o.Keys = false, []Key{{ID: "a", SHA256: []string{"secret"}}} }, "64 hexadecimal digits"},
		{func(o *Options) {
			k := Key{ID: "a", SHA256: []string{hash("x")}}
			o.Anonymous, o.Keys = false, []Key{k, k}
		}, "given twice"},
		{func(o *Options) { o.MaxInFlightBytes = 1000 }, "too few"},
	} {
		o := whole
		c.change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// Whatever the bytes are: never more than was asked for, never a panic, and what was compressed comes back.
//
//fault:h6 archives of every kind: bounded
func FuzzUnzip(f *testing.F) {
	for _, text := range []string{"", good, strings.Repeat("ab", 50_000), strings.Repeat(" ", 300_000)} {
		for _, encoding := range []string{"gzip", "zstd"} {
			f.Add([]byte(zipped(f, encoding, text)), encoding == "zstd")
		}
	}
	f.Add([]byte("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"), true)
	f.Fuzz(func(t *testing.T, body []byte, z bool) {
		encoding := "gzip"
		if z {
			encoding = "zstd"
		}
		const most = 200_000
		out, err := unzip(body, encoding, most, 200)
		if len(out) > most || err != nil && out != nil {
			t.Fatalf("%d bytes, %v", len(out), err)
		}
		text := body[:min(len(body), 60_000)]
		if back, err := unzip([]byte(zipped(t, encoding, string(text))), encoding, most, 200); err != nil || !bytes.Equal(back, text) {
			t.Fatalf("%d bytes come back as %d, %v", len(text), len(back), err)
		}
	})
}

// Device events go through the same machinery, to a topic of their own.
func TestDeviceEvents(t *testing.T) {
	l := &memoryLog{}
	var seen Observation
	d := newDoor(t, l, func(o *Options) { o.Observe = func(s Observation) { seen = s } })
	w, got := serve(t, d, postTo("/v1/device-events", `[
		{"kind":"renamed","device":"d","occurred_at":1769850000000,"new_name":"n"},
		{"kind":"renamed","device":"d","occurred_at":1769850000000,"new_name":"n","duration_s":1},
		{"kind":"renamed","device":"d","occurred_at":1769850000000,"new_name":"n","batch":"again"}]`))
	if w.Code != http.StatusAccepted || len(got.Items) != 3 || got.Items[1].Reason != "items[1].duration_s: unknown field" || l.len() != 1 {
		t.Fatalf("%d %s, %d events", w.Code, w.Body, l.len())
	}
	e, ok := l.events[0].(*event.DeviceRenamed)
	if !ok || e.NewName != "n" || e.Source != "http" || got.Items[0].EventID != e.ID.String() || got.Items[2].EventID != e.ID.String() {
		t.Errorf("%+v", l.events[0])
	}
	token, err := event.ParseToken(got.Token)
	if err != nil || token.Topic != topicOf(event.Devices) {
		t.Errorf("token %v: %v", token, err)
	}
	if seen.Path != "/v1/device-events" || seen.Accepted != 2 || seen.Rejected != 1 || seen.Outcome != "partly_accepted" {
		t.Errorf("seen %+v", seen)
	}
}
