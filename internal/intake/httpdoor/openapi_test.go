package httpdoor

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"go.yaml.in/yaml/v3"

	"switchboard/internal/event"
)

func description(t *testing.T) validator.Validator {
	t.Helper()
	doc, err := libopenapi.NewDocument(Description)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, errs := v.ValidateDocument(); !ok {
		t.Fatalf("the description is not OpenAPI 3.1: %+v", errs)
	}
	return v
}

// The answers of the door are those of the description, and the requests that the schema of a
// report forbids are those that the door rejects.
func TestDescriptionIsTrue(t *testing.T) {
	v := description(t)
	with := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	amends := `"amends":"` + id + `","revision":1,"kind"`
	const session = `"session_id":"s","session_seq":0`
	device := func(kind, rest string) string {
		return `{"kind":"` + kind + `","device":"d","occurred_at":"2026-01-31T09:00:00+00:00",` + rest + `}`
	}
	plain := func(*Options) {}
	keys := func(o *Options) {
		o.Anonymous, o.Keys = false, []Key{{ID: "a", SHA256: []string{hash("x")}, EventsPerSecond: 1}}
	}
	for _, c := range []struct {
		name    string
		body    string
		header  []string
		fail    error
		options func(*Options)
		status  int
		request bool // whether the schema takes the request
	}{
		{"call", "[" + good + "]", nil, nil, plain, 202, true},
		{"text", "[" + goodB + "]", nil, nil, plain, 202, true},
		{"both ways to say null", "[" + with(`61`, `61,"zone":null,"tac":"","outcome":null,"answered_at":null,"amends":null`) + "]", nil, nil, plain, 202, true},
		{"amendment", "[" + with(`"kind"`, amends) + "]", nil, nil, plain, 202, true},
		{"edges", "[" + with(`61`, `604800,"ring_s":86400,"utc_offset_s":-64800,"lat_e7":-900000000,"lon_e7":1800000000,"cell":"262-02-1-2","tac":"12345678","geohash":"u33db"`) + "]", nil, nil, plain, 202, true},
		{"partly", "[" + good + "," + with("61", "-1") + "]", nil, nil, plain, 202, false},
		{"nothing", "[]", nil, nil, plain, 422, true},
		{"negative duration", "[" + with("61", "-1") + "]", nil, nil, plain, 422, false},
		{"long duration", "[" + with("61", "604801") + "]", nil, nil, plain, 422, false},
		{"ring", "[" + with("61", `61,"ring_s":86401`) + "]", nil, nil, plain, 422, false},
		{"offset", "[" + with("61", `61,"utc_offset_s":64801`) + "]", nil, nil, plain, 422, false},
		{"latitude", "[" + with("61", `61,"lat_e7":900000001`) + "]", nil, nil, plain, 422, false},
		{"cell", "[" + with("61", `61,"cell":"1-2"`) + "]", nil, nil, plain, 422, false},
		{"tac", "[" + with("61", `61,"tac":"1"`) + "]", nil, nil, plain, 422, false},
		{"geohash", "[" + with("61", `61,"geohash":"a"`) + "]", nil, nil, plain, 422, false},
		{"unknown field", "[" + with("61", `61,"colour":1`) + "]", nil, nil, plain, 422, false},
		{"kind", "[" + with(`"call"`, `"fax"`) + "]", nil, nil, plain, 422, false},
		{"direction", "[" + with(`"out"`, `"unknown"`) + "]", nil, nil, plain, 422, false},
		{"outcome", "[" + with("61", `61,"outcome":"busy"`) + "]", nil, nil, plain, 422, false},
		{"no subscriber", `[{"kind":"call","direction":"in","started_at":1}]`, nil, nil, plain, 422, false},
		{"no start", `[{"kind":"call","direction":"in","subscriber":"A"}]`, nil, nil, plain, 422, false},
		{"amends alone", "[" + with(`"kind"`, `"amends":"`+id+`","kind"`) + "]", nil, nil, plain, 422, false},
		{"amends nothing", "[" + with(`"kind"`, `"amends":"x","revision":1,"kind"`) + "]", nil, nil, plain, 422, false},
		{"start in words", "[" + with(`1769850000000`, `"today"`) + "]", nil, nil, plain, 422, false},
		{"long id", "[" + with(`+442079460958`, strings.Repeat("a", 257)) + "]", nil, nil, plain, 422, false},
		{"many problems", `[{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1,"r":1,"s":1,"t":1,"u":1,"v":1}]`, nil, nil, plain, 422, false},
		{"no report", "[1]", nil, nil, plain, 422, false},
		{"no array", good, nil, nil, plain, 400, false},
		{"too many", "[" + strings.Repeat(good+",", 1000) + good + "]", nil, nil, plain, 413, false},
		{"content type", "[]", []string{"Content-Type", "text/plain"}, nil, plain, 415, false},
		{"encoding", "[" + good + "]", []string{"Content-Encoding", "br"}, nil, plain, 415, false},
		{"lines", good + "\n" + goodB, []string{"Content-Type", "application/x-ndjson"}, nil, plain, 202, true},
		{"unknown", "[" + good + "]", nil, ErrUnknown, plain, 503, true},
		{"device connects", "[" + device("connected", session) + "]", nil, nil, plain, 202, true},
		{"device connects and says more", "[" + device("connected", session+`,"via_device_id":"g","transport":"t","address_hash":"a","firmware":"f","model":"m","manufacturer":"x","zone":"Europe/Berlin","new_name":null,"link_kind":""`) + "]", nil, nil, plain, 202, true},
		{"device disconnects", "[" + device("disconnected", session+`,"initiated_by_client":true,"disconnect_reason":"auth_error"`) + "]", nil, nil, plain, 202, true},
		{"device renamed", "[" + device("renamed", `"new_name":"n"`) + "," + device("renamed", `"new_name":""`) + "]", nil, nil, plain, 202, false},
		{"device linked", "[" + device("linked", `"other_device_id":"o"`) + "," + device("unlinked", `"other_device_id":"o","link_kind":"k"`) + "]", nil, nil, plain, 202, true},
		{"device without session", "[" + device("connected", `"model":"m"`) + "]", nil, nil, plain, 422, false},
		{"device of two kinds", "[" + device("connected", session+`,"new_name":"n"`) + "]", nil, nil, plain, 422, false},
		{"device linked in a session", "[" + device("linked", session+`,"other_device_id":"o"`) + "]", nil, nil, plain, 422, false},
		{"device renamed and ended", "[" + device("renamed", `"new_name":"n","disconnect_reason":"throttled"`) + "]", nil, nil, plain, 422, false},
		{"device with a bad reason", "[" + device("disconnected", session+`,"disconnect_reason":"bored"`) + "]", nil, nil, plain, 422, false},
		{"device that is a report", "[" + good + "]", nil, nil, plain, 422, false},
		{"report that is a device", "[" + device("connected", session) + "]", nil, nil, plain, 422, false},
		{"overloaded", "[" + good + "]", nil, ErrOverloaded, plain, 503, true},
		{"key", "[" + good + "]", []string{"Authorization", "Bearer a.x"}, nil, keys, 202, true},
		{"no key", "[" + good + "]", []string{"Authorization", "Bearer a.y"}, nil, keys, 401, true},
	} {
		l := &memoryLog{}
		if c.fail != nil {
			l.fail = func(event.Event) error { return c.fail }
		}
		d := newDoor(t, l, c.options)
		path := "/v1/reports"
		if strings.HasPrefix(c.name, "device") {
			path = "/v1/device-events"
		}
		request := func() *http.Request {
			return postTo(path, c.body, append([]string{"Authorization", "Bearer a.x"}, c.header...)...)
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, request())
		if w.Code != c.status {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		check(t, v, c.name, request(), w.Result())
		if c.name == "lines" {
			continue // the validator reads one JSON value; the lines are the items of "call" and "text"
		}
		if ok, errs := v.ValidateHttpRequestSync(request()); ok != c.request {
			t.Errorf("%s: the description takes the request: %v, want %v", c.name, ok, c.request)
			for _, e := range errs {
				t.Log(e.Message, e.Reason, e.SchemaValidationErrors)
			}
		}
	}
	quota := newDoor(t, &memoryLog{}, keys)
	full := "[" + strings.Repeat("1,", 999) + "1]"
	for i, want := range []int{422, 429} {
		r := func() *http.Request { return post(full, "Authorization", "Bearer a.x") }
		w := httptest.NewRecorder()
		quota.ServeHTTP(w, r())
		if w.Code != want {
			t.Errorf("request %d: %d", i, w.Code)
		}
		check(t, v, "quota", r(), w.Result())
	}
	busy := newDoor(t, &memoryLog{}, nil)
	busy.bytes.used = busy.bytes.max
	w := httptest.NewRecorder()
	busy.ServeHTTP(w, post("[]"))
	check(t, v, "capacity", post("[]"), w.Result())
}

func check(t *testing.T, v validator.Validator, name string, r *http.Request, answer *http.Response) {
	t.Helper()
	body, _ := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if ok, errs := v.ValidateHttpResponse(r, answer); !ok {
		t.Errorf("%s: the answer %d %s is not as described", name, answer.StatusCode, body)
		for _, e := range errs {
			t.Log(e.Message, e.Reason, e.SchemaValidationErrors)
		}
	}
}

// described is the fields of a schema, which of them are required, and the enums; a struct's JSON names must be the same.
func described[T any](t *testing.T, schema string) (enums map[string][]string) {
	t.Helper()
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties yaml.Node
				Required   []string
			}
		}
	}
	if err := yaml.Unmarshal(Description, &doc); err != nil {
		t.Fatal(err)
	}
	report := doc.Components.Schemas[schema]
	var got, want []string
	enums = map[string][]string{}
	for i := 0; i < len(report.Properties.Content); i += 2 {
		name := report.Properties.Content[i].Value
		got = append(got, name)
		var p struct{ Enum []*string }
		if err := report.Properties.Content[i+1].Decode(&p); err != nil {
			t.Fatal(err)
		}
		for _, symbol := range p.Enum {
			if symbol != nil {
				enums[name] = append(enums[name], *symbol)
			}
		}
	}
	typ := reflect.TypeFor[T]()
	var required []string
	for i := range typ.NumField() {
		name, rest, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		want = append(want, name)
		if rest == "" {
			required = append(required, name)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: fields\n got %v\nwant %v", schema, got, want)
	}
	if !reflect.DeepEqual(report.Required, required) {
		t.Errorf("%s: required: got %v, want %v", schema, report.Required, required)
	}
	return enums
}

// The fields and enums of a device event are those of event.DeviceSubmitted.
func TestDescriptionHasTheFieldsOfDevices(t *testing.T) {
	enums := described[event.DeviceSubmitted](t, "DeviceEventSubmitted")
	if !slices.Equal(enums["disconnect_reason"], event.DisconnectReasons()) {
		t.Errorf("disconnect_reason: %v", enums["disconnect_reason"])
	}
	for i, symbol := range enums["kind"] {
		if k, ok := event.ParseDeviceEventKind(symbol); !ok || int(k) != 1+i {
			t.Errorf("kind: %s is symbol %d, %v", symbol, k, ok)
		}
	}
	if event.DeviceEventKind(len(enums["kind"])+1).String() != "symbol(6)" {
		t.Error("the event package knows kinds that the description lacks")
	}
}

// The fields and enums of a report are those of event.Submitted.
func TestDescriptionHasTheFields(t *testing.T) {
	enums := described[event.Submitted](t, "ReportSubmitted")
	if !slices.Equal(enums["outcome"], event.Outcomes()) {
		t.Errorf("outcome: %v", enums["outcome"])
	}
	for name, parse := range map[string]func(string) (uint8, bool){
		"kind":            func(s string) (uint8, bool) { k, ok := event.ParseKind(s); return uint8(k), ok },
		"direction":       func(s string) (uint8, bool) { k, ok := event.ParseDirection(s); return uint8(k), ok },
		"forwarding_kind": func(s string) (uint8, bool) { k, ok := event.ParseForwardingKind(s); return uint8(k), ok },
	} {
		first := uint8(1)
		if name == "forwarding_kind" {
			first = 0
		}
		for i, symbol := range enums[name] {
			if n, ok := parse(symbol); !ok || n != first+uint8(i) {
				t.Errorf("%s: %s is symbol %d, %v", name, symbol, n, ok)
			}
		}
	}
	if event.Kind(len(enums["kind"])+1).String() != "symbol(3)" || event.Direction(len(enums["direction"])+1).String() != "symbol(3)" ||
		event.ForwardingKind(len(enums["forwarding_kind"])).String() != "symbol(5)" {
		t.Error("the event package knows symbols that the description lacks")
	}
}

func TestDescriptionIsServed(t *testing.T) {
	w := httptest.NewRecorder()
	newDoor(t, &memoryLog{}, func(o *Options) {
		o.Anonymous, o.Keys = false, []Key{{ID: "a", SHA256: []string{hash("x")}}}
	}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.yaml", nil))
	if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), Description) || w.Header().Get("Content-Type") != "application/yaml" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
