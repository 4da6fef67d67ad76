package intake

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"switchboard/internal/event"
)

func TestFieldsAreThoseOfDeviceSubmitted(t *testing.T) {
	typ := reflect.TypeFor[event.DeviceSubmitted]()
	var want, got []string
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		want = append(want, name)
	}
	for _, f := range deviceShape.fields {
		got = append(got, f.name)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// What encoding/json writes of a device event is read back, each field into its own place.
func TestDecodeDeviceJSONReadsEveryField(t *testing.T) {
	var want event.DeviceSubmitted
	v := reflect.ValueOf(&want).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(v.Type().Field(i).Name + " \"\\\né")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Pointer:
			p := reflect.New(f.Type().Elem())
			p.Elem().SetInt(int64(i) - 9)
			f.Set(p)
		default:
			f.SetInt(int64(i) - 20)
		}
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeDeviceJSON(data); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

func deviceIntake(t testing.TB) *Intake {
	t.Helper()
	in, err := New(Options{Now: func() time.Time { return time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestAcceptDevice(t *testing.T) {
	in := deviceIntake(t)
	common := event.Common{Subject: "lamp 1", OccurredAt: 1_772_445_600_000, UTCOffsetS: 3600, RecordedAt: in.now().UnixMilli()}
	unknown := common
	unknown.UTCOffsetS, unknown.ZoneUnknown = 0, true
	for _, c := range []struct {
		json string
		want event.Event
	}{
		{`{"kind":"connected","device":"lamp 1","occurred_at":"2026-03-02T11:00:00+01:00","session_id":"a","session_seq":0,"via_device_id":"gw","transport":"zigbee","address_hash":"h","firmware":"2","model":"m","manufacturer":"i"}`,
			&event.DeviceConnected{Common: common, Session: event.Session{SessionID: "a"}, Description: event.Description{ViaDeviceID: "gw", Transport: "zigbee", AddressHash: "h", Firmware: "2", Model: "m", Manufacturer: "i"}}},
		{`{"kind":"disconnected","device":"lamp 1","occurred_at":1772445600000,"zone":"Europe/Berlin","session_id":"a","session_seq":9007199254740993,"initiated_by_client":true,"disconnect_reason":"throttled"}`,
			&event.DeviceDisconnected{Common: common, Session: event.Session{SessionID: "a", SessionSeq: 9007199254740993}, InitiatedByClient: true, DisconnectReason: event.Throttled}},
		{`{"kind":"renamed","device":"lamp 1","occurred_at":1772445600000,"utc_offset_s":3600,"old_name":"x","new_name":"y z","renamed_by":"me","initiated_by_client":false,"disconnect_reason":"unknown"}`,
			&event.DeviceRenamed{Common: common, Rename: event.Rename{OldName: "x", NewName: "y z", RenamedBy: "me"}}},
		{`{"kind":"linked","device":"lamp 1","occurred_at":1772445600000,"other_device_id":"o","link_kind":"radio"}`,
			&event.DeviceLinked{Common: unknown, Link: event.Link{OtherDeviceID: "o", LinkKind: "radio"}}},
		{`{"kind":"unlinked","device":"lamp 1","occurred_at":1772445600000,"other_device_id":"o"}`,
			&event.DeviceUnlinked{Common: unknown, Link: event.Link{OtherDeviceID: "o"}}},
	} {
		got, err := in.AcceptDeviceJSON([]byte(c.json))
		c.want.Envelope().ID = event.IDOf(c.want)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", c.json, err, got, c.want)
		}
	}
}

func TestAcceptDeviceRefuses(t *testing.T) {
	in := deviceIntake(t)
	const good = `{"kind":"connected","device":"d","occurred_at":1772445600000,"session_id":"a","session_seq":1}`
	const link = `{"kind":"linked","device":"d","occurred_at":1772445600000,"other_device_id":"o"}`
	for _, c := range []struct{ from, old, new, want string }{
		{good, `"connected"`, `"fax"`, "kind: must be connected, renamed, linked, unlinked or disconnected"},
		{good, `"connected"`, `"unknown"`, "kind: must be connected, renamed, linked, unlinked or disconnected"},
		{good, `"kind":"connected",`, ``, "kind: is required"},
		{good, `"device":"d",`, ``, "device: is required"},
		{good, `"d"`, `" d"`, "device: must not begin or end with white space"},
		{good, `"d"`, `"a\nb"`, "device: must not contain control characters"},
		{good, `"d"`, `"` + strings.Repeat("x", 257) + `"`, "device: must be at most 256 bytes"},
		{good, `1772445600000`, `0`, "occurred_at: is required"},
		{good, `1772445600000`, `1999999999999`, "occurred_at: must not be more than 5 minutes in the future"},
		{good, `1772445600000`, `"soon"`, "occurred_at: must be RFC 3339, such as 2026-01-31T09:00:00+01:00, or Unix milliseconds"},
		{good, `1772445600000`, `1772445600000,"zone":"Nowhere"`, "zone: must be an IANA time zone, such as Europe/Berlin"},
		{good, `1772445600000`, `1772445600000,"zone":"Europe/Berlin","utc_offset_s":0`, "utc_offset_s: must be the offset of zone at occurred_at, or be left out"},
		{good, `"session_id":"a",`, ``, "session_id: is required"},
		{good, `,"session_seq":1`, ``, "session_seq: is required"},
		{good, `"session_seq":1`, `"session_seq":null`, "session_seq: is required"},
		{good, `"session_seq":1`, `"session_seq":-1`, "session_seq: must be >= 0"},
		{good, `"session_seq":1`, `"session_seq":1.0`, "session_seq: must be a whole number, without fraction or exponent"},
		{good, `"session_seq":1`, `"session_seq":1,"session_seq":1`, "session_seq: is given twice"},
		{good, `"session_seq":1`, `"session_seq":1,"via_device_id":"d"`, "via_device_id: must not be the device itself"},
		{good, `"session_seq":1`, `"session_seq":1,"disconnect_reason":"throttled"`, "disconnect_reason: must not be given for connected"},
		{good, `"session_seq":1`, `"session_seq":1,"new_name":"n"`, "new_name: must not be given for connected"},
		{good, `"connected"`, `"disconnected","disconnect_reason":"bored"`, "disconnect_reason: " + oneReason},
		{good, `"connected"`, `"disconnected","model":"m"`, "model: must not be given for disconnected"},
		{good, `"session_seq":1`, `"session_seq":1,"duration_s":1`, "duration_s: unknown field"},
		{good, `"session_seq":1`, `"session_seq":1,"attempt":-1`, "attempt: must be >= 0"},
		{link, `,"other_device_id":"o"`, ``, "other_device_id: is required"},
		{link, `"o"`, `"d"`, "other_device_id: must not be the device itself"},
		{link, `"o"`, `"o","session_seq":0`, "session_seq: must not be given for linked"},
		{link, `"linked"`, `"renamed"`, "other_device_id: must not be given for renamed"},
		{`{"kind":"renamed","device":"d","occurred_at":1,"new_name":" "}`, "", "", "new_name: is required"},
	} {
		_, err := in.AcceptDeviceJSON([]byte(strings.Replace(c.from, c.old, c.new, 1)))
		var all Errors
		if !errors.As(err, &all) || err.Error() != c.want {
			t.Errorf("%s for %s: got %v, want %s", c.new, c.old, err, c.want)
		}
	}
}

func TestImportOfDevices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "devices.ndjson")
	text := `{"kind":"linked","device":"d","occurred_at":1772445600000,"other_device_id":"o"}

{"kind":"linked","device":"d","occurred_at":1772445600000,"other_device_id":"o","batch":"again"}
{"kind":"call","subscriber":"s","direction":"in","started_at":1}
{"kind":"renamed","device":"d","occurred_at":1772445600000,"new_name":"n"}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	in := deviceIntake(t)
	r, err := in.Open(path, FileOptions{Format: "device-ndjson"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var types []string
	var rejects []string
	for {
		e, reject, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if reject != nil {
			rejects = append(rejects, strings.TrimPrefix(reject.String(), path))
			continue
		}
		if e.Envelope().Source != r.Source() {
			t.Errorf("source %q", e.Envelope().Source)
		}
		types = append(types, e.Type())
	}
	if want := []string{"DeviceLinked", "DeviceLinked", "DeviceRenamed"}; !reflect.DeepEqual(types, want) || r.About() != event.Devices {
		t.Errorf("%v about %s", types, r.About())
	}
	if want := []string{":4: subscriber: unknown field"}; !reflect.DeepEqual(rejects, want) {
		t.Errorf("rejects %v", rejects)
	}
	if s := r.Stats(); s.Rows != 4 || s.Events != 3 || s.Rejected != 1 || s.Duplicates != 1 || s.Repeats != 0 {
		t.Errorf("%+v", s)
	}
	for want, o := range map[string]FileOptions{
		"format device-ndjson: each event says device, zone and time itself; no option for them is taken": {Format: "device-ndjson", Zone: "Europe/Berlin"},
		"format device-ndjson: there are no numbers to be read, so that no region is taken":               {Format: "device-ndjson", Region: "GB"},
	} {
		if _, err := in.Open(path, o); err == nil || err.Error() != want {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// Whatever is accepted is a fact that the contract takes, and nothing panics.
func FuzzAcceptDevice(f *testing.F) {
	f.Add([]byte(`{"kind":"connected","device":"d","occurred_at":1772445600000,"session_id":"a","session_seq":1}`))
	f.Add([]byte(`{"kind":"linked","device":"d","occurred_at":"2026-03-02T11:00:00+01:00","other_device_id":"o"}`))
	in := deviceIntake(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := in.AcceptDeviceJSON(data)
		if err != nil {
			var all Errors
			if !errors.As(err, &all) {
				t.Fatalf("%T", err)
			}
			return
		}
		if err := event.Validate(e); err != nil || e.About() != event.Devices || e.Envelope().ID != event.IDOf(e) {
			t.Fatalf("%+v: %v", e, err)
		}
	})
}
