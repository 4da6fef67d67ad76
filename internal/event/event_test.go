package event_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"sort"
	"strings"
	"testing"

	"switchboard/internal/event"
)

// The vectors below stay for ever: an id that changed would make every fact of the past a new one.
func TestGoldenIDs(t *testing.T) {
	call := &event.CallReported{
		Common:      event.Common{Subject: "+447700900001", OccurredAt: 1_325_376_864_000, UTCOffsetS: 3600},
		Report:      event.Report{Counterpart: "+447700900002", Direction: event.Out, Outcome: event.Answered, AntennaID: "702"},
		CallDetails: event.CallDetails{DurationS: 860},
	}
	text := &event.TextReported{
		Common: event.Common{Subject: "tél \"7\"\n", OccurredAt: -1, ZoneUnknown: true},
		Report: event.Report{Counterpart: event.Withheld, Direction: event.In, LatE7: -1, Repeat: 2},
	}
	amended := &event.CallReportAmended{Common: call.Common, Report: call.Report, CallDetails: call.CallDetails, Kind: event.Call, Amends: event.IDOf(call), Revision: 1}
	connect := &event.DeviceConnected{
		Common:      event.Common{Subject: "lamp", OccurredAt: 1_772_439_330_000, UTCOffsetS: 3600, Reason: "noise"},
		Session:     event.Session{SessionID: "s-1", SessionSeq: 2},
		Description: event.Description{ViaDeviceID: "gw", Transport: "zigbee", AddressHash: "h", Firmware: "2.4.1", Model: "LED1545G12", Manufacturer: "IKEA"},
	}
	for _, c := range []struct {
		e           event.Event
		content, id string
	}{
		{call, `{"antenna_id":"702","counterpart":"+447700900002","direction":"out","duration_s":860,"occurred_at":1325376864000,"outcome":"answered","subject":"+447700900001","type":"CallReported","utc_offset_s":3600}`, "a7360105-63ee-8a27-84d3-ae1de0a9a5d8"},
		{text, `{"counterpart":"withheld","direction":"in","lat_e7":-1,"occurred_at":-1,"repeat":2,"subject":"tél \"7\"\n","type":"TextReported","zone_unknown":true}`, "8c000945-871d-8f27-b780-6cc095865b81"},
		{amended, `{"amends":"ID","antenna_id":"702","counterpart":"+447700900002","direction":"out","duration_s":860,"kind":"call","occurred_at":1325376864000,"outcome":"answered","revision":1,"subject":"+447700900001","type":"CallReportAmended","utc_offset_s":3600}`, "f1220844-69d6-895f-8042-ac3ed8098091"},
		{connect, `{"address_hash":"h","firmware":"2.4.1","manufacturer":"IKEA","model":"LED1545G12","occurred_at":1772439330000,"session_id":"s-1","session_seq":2,"subject":"lamp","transport":"zigbee","type":"DeviceConnected","utc_offset_s":3600,"via_device_id":"gw"}`, "cf0d437b-60be-8506-8a48-d4fa14ecdb0e"},
		{&event.DeviceDisconnected{Common: connect.Common, Session: connect.Session, DisconnectReason: event.ConnectionLost, InitiatedByClient: true}, `{"disconnect_reason":"connection_lost","initiated_by_client":true,"occurred_at":1772439330000,"session_id":"s-1","session_seq":2,"subject":"lamp","type":"DeviceDisconnected","utc_offset_s":3600}`, "6603fd74-0bce-8e70-bcd2-dc09e988c3bc"},
		{&event.DeviceRenamed{Common: connect.Common, Rename: event.Rename{OldName: "a", NewName: "b", RenamedBy: "c"}}, `{"new_name":"b","occurred_at":1772439330000,"old_name":"a","renamed_by":"c","subject":"lamp","type":"DeviceRenamed","utc_offset_s":3600}`, "485dcacd-3f70-84ff-aca8-bd496803dd6e"},
		{&event.DeviceLinked{Common: connect.Common, Link: event.Link{OtherDeviceID: "x", LinkKind: "radio"}}, `{"link_kind":"radio","occurred_at":1772439330000,"other_device_id":"x","subject":"lamp","type":"DeviceLinked","utc_offset_s":3600}`, "71684b95-e51a-8e8a-83b6-55f56ba69442"},
		{&event.DeviceUnlinked{Common: connect.Common, Link: event.Link{OtherDeviceID: "x"}}, `{"occurred_at":1772439330000,"other_device_id":"x","subject":"lamp","type":"DeviceUnlinked","utc_offset_s":3600}`, "0a351396-7848-8d8e-8bdb-089b7d531f1c"},
	} {
		want := strings.ReplaceAll(strings.ReplaceAll(c.content, "\n", `\n`), "ID", event.IDOf(call).String())
		want = strings.ReplaceAll(want, `l "7"`, `l \"7\"`)
		if got := string(event.AppendContent(nil, c.e)); got != want {
			t.Errorf("content\n got %s\nwant %s", got, want)
		}
		if got := event.IDOf(c.e).String(); got != c.id {
			t.Errorf("%s: id %s, want %s", c.e.Type(), got, c.id)
		}
	}
}

// Every field that can be set makes the content of a fact other, except those that say how it came here or are derived.
func TestContentIsEveryFieldButNoise(t *testing.T) {
	noise := map[string]bool{}
	for _, f := range []string{"event_id", "recorded_at", "source", "reporter", "native_id", "batch", "attempt", "actor", "reason", "correlation_id", "causation_id",
		"counterpart_region", "counterpart_type", "prefix_bucket", "numbering_version"} {
		noise[f] = true
	}
	for _, zero := range event.Types() {
		empty := string(event.AppendContent(nil, zero))
		if empty != `{"type":"`+zero.Type()+`"}` {
			t.Errorf("an empty %s has content %s", zero.Type(), empty)
		}
		all := reflect.New(reflect.TypeOf(zero).Elem())
		eachField(all.Elem(), func(name string, v reflect.Value) {
			one := reflect.New(reflect.TypeOf(zero).Elem())
			eachField(one.Elem(), func(n string, v reflect.Value) {
				if n == name {
					fill(v)
				}
			})
			fill(v)
			changed := string(event.AppendContent(nil, one.Interface().(event.Event))) != empty
			if changed == noise[name] {
				t.Errorf("%s.%s: part of the content: %t, want %t", zero.Type(), name, changed, !noise[name])
			}
		})
		content := event.AppendContent(nil, all.Interface().(event.Event))
		checkCanonical(t, content)
	}
}

func eachField(v reflect.Value, f func(name string, v reflect.Value)) {
	for i := range v.NumField() {
		if v.Type().Field(i).Anonymous {
			eachField(v.Field(i), f)
		} else {
			f(v.Type().Field(i).Tag.Get("avro"), v.Field(i))
		}
	}
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x\"\\\x01é")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Array:
		v.Index(0).SetUint(7)
	case reflect.Uint8:
		v.SetUint(1)
	default:
		v.SetInt(1)
	}
}

// checkCanonical holds content against RFC 8785: names ascending, and the same bytes as a JSON encoder that does not escape.
func checkCanonical(t *testing.T, content []byte) {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(content, &fields); err != nil {
		t.Fatalf("%s: %v", content, err)
	}
	var names []string
	dec := json.NewDecoder(strings.NewReader(string(content)))
	for depth := 0; dec.More() || depth == 0; depth = 1 {
		tok, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := tok.(string); ok {
			names = append(names, s)
			if _, err := dec.Token(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !sort.StringsAreSorted(names) || len(names) != len(fields) {
		t.Errorf("names are not ascending and unique: %v", names)
	}
}

// The vectors are those of Apache Kafka's own UtilsTest.testMurmur2.
func TestPartitionsAreKafkas(t *testing.T) {
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		for _, n := range []int32{1, 3, 12, 64} {
			want := (hash & 0x7fffffff) % n
			if got := event.PartitionOf(event.Subject(key), n); got != want {
				t.Errorf("%q of %d: partition %d, want %d", key, n, got, want)
			}
		}
	}
}

func TestTokens(t *testing.T) {
	var a, b event.Token
	a.Topic[3] = 9
	b.Topic = a.Topic
	a.Cover(7, 41)
	a.Cover(7, 12)
	b.Cover(7, 100)
	b.Cover(0, 0)
	if err := a.Merge(b); err != nil {
		t.Fatal(err)
	}
	got, err := event.ParseToken(a.String())
	if err != nil || !reflect.DeepEqual(got, a) || got.Next[7] != 101 || got.Next[0] != 1 {
		t.Fatalf("token %v became %v (%v)", a, got, err)
	}
	other := event.Token{Topic: event.TopicID{1}}
	other.Cover(0, 1)
	if err := a.Merge(other); err == nil {
		t.Error("tokens of two topics were merged")
	}
}

func FuzzToken(f *testing.F) {
	f.Add("AQ")
	tok := event.Token{}
	tok.Cover(3, 4)
	f.Add(tok.String())
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := event.ParseToken(s)
		if err != nil {
			return
		}
		again, err := event.ParseToken(tok.String())
		if err != nil || !reflect.DeepEqual(tok, again) {
			t.Fatalf("%q: %v became %v (%v)", s, tok, again, err)
		}
	})
}

func TestIDText(t *testing.T) {
	var id event.ID
	for i := range id {
		id[i] = byte(rand.IntN(256))
	}
	back, err := event.ParseID(id.String())
	if err != nil || back != id {
		t.Fatalf("%s became %s (%v)", id, back, err)
	}
	for _, bad := range []string{"", "x", strings.Repeat("0", 36), id.String() + "0"} {
		if _, err := event.ParseID(bad); err == nil {
			t.Errorf("%q was taken for an id", bad)
		}
	}
}

func TestWeeks(t *testing.T) {
	for ms, want := range map[int64]event.Week{
		0: "1970-W01", 1_325_376_000_000: "2011-W52", 1_325_462_400_000: "2012-W01", -62_135_596_800_000: "0001-W01", 1_609_459_200_000: "2020-W53",
	} {
		if got := event.WeekOf(ms); got != want {
			t.Errorf("%d: %s, want %s", ms, got, want)
		}
	}
	for ms := int64(-62_135_596_800_000); ms <= 253_402_300_799_999; ms += 7 * 24 * 60 * 60 * 1000 { // every Monday of the years 1 to 9999
		week := event.WeekOf(ms)
		if start, ok := week.StartMs(); start != ms || !ok || event.WeekOf(ms-1) >= week {
			t.Fatalf("%s begins at %d (%v), want %d, after %s", week, start, ok, ms, event.WeekOf(ms-1))
		}
	}
	for _, bad := range []event.Week{"", "2012", "2012-W5", "2012-W00", "2012-W53", "2012-W99", "2012-X05", "2012-W+5", "+012-W05", "10000-W01"} {
		if ms, ok := bad.StartMs(); ok {
			t.Errorf("%q begins at %d", bad, ms)
		}
	}
}
