package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"switchboard/internal/event"
)

func TestFieldsAreThoseOfSubmitted(t *testing.T) {
	typ := reflect.TypeFor[event.Submitted]()
	var want, got []string
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		want = append(want, name)
	}
	for _, f := range reportShape.fields {
		got = append(got, f.name)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// What encoding/json writes of a report is read back, each field into its own place.
func TestDecodeJSONReadsEveryField(t *testing.T) {
	var want event.Submitted
	v := reflect.ValueOf(&want).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(v.Type().Field(i).Name + " \"\\/\b\f\n\r\t\u0001é\U0001F600\u2028")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Pointer:
			o := int32(-7)
			f.Set(reflect.ValueOf(&o))
		default:
			f.SetInt(int64(i) - 20)
		}
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeJSON(data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	indented, _ := json.MarshalIndent(want, " ", "\t")
	if got, err := DecodeJSON(indented); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("indented: got  %+v, %v", got, err)
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	for _, c := range []struct{ json, want string }{
		{``, "is not valid JSON at byte 0"},
		{`{"kind":"call"`, "is not valid JSON at byte 14"},
		{`{"kind":"call",}`, "is not valid JSON at byte 16"},
		{`{'kind':'call'}`, "is not valid JSON at byte 2"},
		{`{"duration_s":NaN}`, "is not valid JSON at byte 15"},
		{`{"duration_s":-Infinity}`, "is not valid JSON at byte 16"},
		{`{"duration_s":01}`, "is not valid JSON at byte 16"},
		{`{} {}`, "is not valid JSON at byte 4"},
		{`[]`, "must be a JSON object"},
		{`"call"`, "must be a JSON object"},
		{`null`, "must be a JSON object"},
		{"{\"kind\":\"c\xff\"}", "must be UTF-8"},
		{"{\"kind\":\"a\nb\"}", "is not valid JSON at byte 11"},
		{`{"kind":"call","kind":"call"}`, "kind: is given twice"},
		{`{"kind":"call","k\u0069nd":null}`, "kind: is given twice"},
		{`{"Kind":"call"}`, "Kind: unknown field"},
		{`{"colour":{"a":[1,"}"]},"kind":"call"}`, "colour: unknown field"},
		{`{"` + strings.Repeat("é", 60) + `":1}`, strings.Repeat("é", 32) + "...: unknown field"},
		{`{"a\nb":1}`, `a\nb: unknown field`},
		{`{"\ud800":1}`, "has a field name with half a surrogate pair"},
		{`{"kind":"\ud800"}`, "kind: must not contain half a surrogate pair"},
		{`{"kind":"\ud800\u0041"}`, "kind: must not contain half a surrogate pair"},
		{`{"kind":"\udc00\ud800"}`, "kind: must not contain half a surrogate pair"},
		{`{"kind":1}`, "kind: must be a string"},
		{`{"kind":["call"]}`, "kind: must be a string"},
		{`{"withheld":"true"}`, "withheld: must be true or false"},
		{`{"withheld":0}`, "withheld: must be true or false"},
		{`{"duration_s":"61"}`, "duration_s: must be a whole number"},
		{`{"duration_s":true}`, "duration_s: must be a whole number"},
		{`{"duration_s":{}}`, "duration_s: must be a whole number"},
		{`{"duration_s":61.0}`, "duration_s: must be a whole number, without fraction or exponent"},
		{`{"duration_s":1e3}`, "duration_s: must be a whole number, without fraction or exponent"},
		{`{"duration_s":2147483648}`, "duration_s: must fit in 32 bits"},
		{`{"started_at":9223372036854775808}`, "started_at: must be Unix milliseconds, or a string in RFC 3339"},
		{`{"started_at":1.5}`, "started_at: must be Unix milliseconds, or a string in RFC 3339"},
		{`{"started_at":"2026-01-31 09:00:00"}`, "started_at: must be RFC 3339, such as 2026-01-31T09:00:00+01:00, or Unix milliseconds"},
		{`{"started_at":"2026-01-31T9:00:00Z"}`, "started_at: must be RFC 3339, such as 2026-01-31T09:00:00+01:00, or Unix milliseconds"},
		{`{"started_at":"2026-02-30T09:00:00Z"}`, "started_at: must be RFC 3339, such as 2026-01-31T09:00:00+01:00, or Unix milliseconds"},
		{`{"answered_at":"yesterday"}`, "answered_at: must be RFC 3339, such as 2026-01-31T09:00:00+01:00, or Unix milliseconds"},
		{`{"kind":"` + strings.Repeat("a", MaxItemBytes) + `"}`, "must be at most 65536 bytes"},
		{strings.Repeat("[", 60000), "is not valid JSON at byte 10001"},
	} {
		_, err := DecodeJSON([]byte(c.json))
		var all Errors
		if !errors.As(err, &all) || err.Error() != c.want {
			t.Errorf("%.60q: got %v, want %s", c.json, err, c.want)
		}
	}
	_, err := DecodeJSON([]byte(`{"kind":1,"x":2,"duration_s":"3","kind":null}`))
	var all Errors
	if !errors.As(err, &all) || len(all) != 4 {
		t.Errorf("want 4 problems, got %v", err)
	}
}

func TestItems(t *testing.T) {
	for _, c := range []struct {
		framing Framing
		text    string
		want    string // index@line:text, separated by |
		err     string
	}{
		{Array, ` [ {"a":1} , {"b":[2,"],\"["]},3,"x,]" ] ` + "\n", `0@1:{"a":1} |1@1:{"b":[2,"],\"["]}|2@1:3|3@1:"x,]" `, ""},
		{Array, "[]", "", ""},
		{Array, "\uFEFF[\n{},\n{bad},\n{}\n]", "0@2:{}|1@3:{bad}|2@4:{}\n", ""},
		{Array, `["` + strings.Repeat("x", 30) + `",1]`, "0@1:must be at most 20 bytes|1@1:1", ""},
		{Array, "", "", "line 1: want a JSON array"},
		{Array, "\n{}", "", "line 2: want a JSON array"},
		{Array, "hello", "", "line 1: want a JSON array"},
		{Array, "[", "", "line 1: the array is not closed"},
		{Array, "[1", "", "line 1: the array is not closed"},
		{Array, `["a]`, "", "line 1: the array is not closed"},
		{Array, "[1,", "0@1:1", "line 1: the array is not closed"},
		{Array, "[1,]", "0@1:1", "line 1: want an item"},
		{Array, "[,1]", "", "line 1: want an item"},
		{Array, "[1]2", "0@1:1", "line 1: something follows the array"},
		{Array, "[{}}]", "", "line 1: the array is not closed"},
		{Array, "[1]\x00", "0@1:1", "line 1: something follows the array"},
		{Array, `["\`, "", "line 1: the array is not closed"},
		{Array, "[1,\n\n", "0@1:1", "line 3: the array is not closed"},
		{NDJSON, "{\"a\":1}\r\n\n  {bad\n{\"b\":2}", `0@1:{"a":1}|1@3:{bad|2@4:{"b":2}`, ""},
		{NDJSON, "\uFEFF1\n" + strings.Repeat("x", 50000) + "\n\n2\n\n", "0@1:1|1@2:must be at most 20 bytes|2@4:2", ""},
		{NDJSON, "", "", ""},
	} {
		var got []string
		var failed string
		for item, err := range Items([]byte(c.text), c.framing, 20) {
			switch {
			case err != nil:
				failed = err.Error()
			case item.Problem != nil:
				got = append(got, place(item)+item.Problem.Error())
			default:
				got = append(got, place(item)+string(item.Data))
			}
		}
		if s := strings.Join(got, "|"); s != c.want || failed != c.err {
			t.Errorf("%.60q:\n got %q, %q\nwant %q, %q", c.text, s, failed, c.want, c.err)
		}
	}
}

func place(i Item) string {
	return string(rune('0'+i.Index)) + "@" + string(rune('0'+i.Line)) + ":"
}

// Decoding never panics, and what it takes means the same to encoding/json.
func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{
		`{"kind":"call","subscriber":"+442079460958","direction":"out","started_at":1769850000000,"duration_s":61}`,
		`{"kind":"text","started_at":"2026-01-31T10:00:00+01:00","withheld":true,"counterpart":null}`,
		`{"a":{"b":[1,{"c":"}\"]\\"}]},"kind":"\ud83d\ude00\u0041"}`, `{}`, `[{}]`, `{"kind":"\\"}`, " {\n} ", `{"":-0}`, "{\"\\ud800\":0}",
		`{"utc_offset_s":-1,"lat_e7":-0,"lon_e7":12}`,
	} {
		f.Add([]byte(s))
	}
	in := newIntake(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := DecodeJSON(data)
		if err != nil {
			var all Errors
			if !errors.As(err, &all) || len(all) == 0 || !utf8.ValidString(err.Error()) {
				t.Fatalf("%q: error %#v", data, err)
			}
			return
		}
		var want event.Submitted
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(&want); err == nil {
			if want.UTCOffsetS == nil && got.UTCOffsetS != nil {
				t.Fatalf("%q: offset %d out of nothing", data, *got.UTCOffsetS)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%q:\n got %+v\nwant %+v", data, got, want)
			}
		} else if !bytes.Contains(data, []byte("_at")) {
			t.Fatalf("%q: encoding/json says %v", data, err)
		}
		e, err := in.Accept(got)
		if err != nil {
			return
		}
		if e.Envelope().ID != event.IDOf(e) || event.Validate(e) != nil {
			t.Fatalf("%q: bad fact %+v", data, e)
		}
	})
}

// The framing never panics, never yields more than it may keep, and of a valid array yields what
// encoding/json finds in it.
func FuzzItems(f *testing.F) {
	for _, s := range []string{`[{"a":1},{"b":"],"}]`, "{}\n{}\n\n", "[1,[2,{\"x\":\"\\\"\"}],3]", "[", "[]x", "\uFEFF[]"} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, lines bool) {
		framing := Array
		if lines {
			framing = NDJSON
		}
		var got []string
		for item, err := range Items(data, framing, 1000) {
			if err != nil {
				got = nil
				break
			}
			if len(item.Data) > 1000 || item.Index != len(got) {
				t.Fatalf("item %d of %d bytes after %d", item.Index, len(item.Data), len(got))
			}
			got = append(got, string(bytes.TrimSpace(item.Data)))
		}
		var want []json.RawMessage
		if lines || len(data) > 1000 || json.Unmarshal(data, &want) != nil || want == nil {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %d items, want %d", data, len(got), len(want))
		}
		for i := range want {
			if got[i] != string(want[i]) {
				t.Fatalf("%q: item %d is %q, want %q", data, i, got[i], want[i])
			}
		}
	})
}

func BenchmarkAcceptJSON(b *testing.B) {
	in := newIntake(b)
	data := []byte(`{"kind":"call","subscriber":"+442079460958","direction":"out","started_at":1769850000000,"utc_offset_s":0,"counterpart":"020 7946 0000","duration_s":61,"outcome":"answered"}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := in.AcceptJSON(data); err != nil {
			b.Fatal(err)
		}
	}
}
