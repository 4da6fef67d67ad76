package avrowire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/avro"

	"switchboard/internal/event"
	"switchboard/schemas"
)

func codecs(t testing.TB) (*Encoder, *Decoder) {
	t.Helper()
	e, err := NewEncoder(nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(nil)
	if err != nil {
		t.Fatal(err)
	}
	return e, d
}

func currentSchema(t testing.TB, record string) *avro.Schema {
	t.Helper()
	s, ok := schemas.Current(record)
	if !ok {
		t.Fatalf("no schema of %s", record)
	}
	return avro.MustParse(s.Text)
}

func TestEveryEventCanBeWritten(t *testing.T) {
	var want, got []string
	for _, e := range event.Types() {
		want = append(want, e.Type())
	}
	for _, r := range facts {
		got = append(got, r.name)
		if r.land().take().Type() != r.name {
			t.Errorf("the line of %s makes a %s", r.name, r.land().take().Type())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("avrowire writes %v, there are %v", got, want)
	}
}

// The structs and the schemas have the same fields, and an enum's numbers are the positions of its
// symbols: the decoder sets them without a table.
func TestStructsFitTheSchemas(t *testing.T) {
	for _, v := range values(rand.New(rand.NewPCG(1, 1)), 0) {
		t.Run(nameOf(v), func(t *testing.T) {
			types := map[string]reflect.Type{}
			visit(reflect.ValueOf(v), func(name string, f reflect.Value) { types[name] = f.Type() })
			enums := map[string][]string{} // a later field only names its enum
			for _, f := range currentSchema(t, nameOf(v)).Root().Fields {
				typ, ok := types[f.Name]
				if !ok {
					t.Errorf("the struct has no field %s", f.Name)
					continue
				}
				delete(types, f.Name)
				node := f.Type
				if node.Type == "union" {
					node = node.Branches[1]
				}
				if node.Type == "enum" {
					enums[node.Name] = node.Symbols
					if enum := enumsOf(v)[f.Name]; typ.Kind() == reflect.String && enum != nil {
						typ = enum
					}
					if got := symbolsOf(typ); !slices.Equal(got, node.Symbols) {
						t.Errorf("%s: the schema has %v, %s has %v", f.Name, node.Symbols, typ, got)
					}
				}
			}
			for _, name := range slices.Sorted(maps.Keys(types)) {
				t.Errorf("the schema has no field %s", name)
			}
		})
	}
}

// Every optional field of a fact is read on the fast path, or is known not to be.
func TestLandings(t *testing.T) {
	for _, r := range facts {
		fast := map[string]bool{}
		l := reflect.ValueOf(r.land()).Elem()
		for i := range l.NumField() {
			if strings.HasPrefix(l.Type().Field(i).Name, "optional") {
				visit(l.Field(i), func(name string, _ reflect.Value) { fast[name] = true })
			}
		}
		for _, f := range currentSchema(t, r.name).Root().Fields {
			// twmb/avro has no fast path for enums.
			if want := f.Type.Type == "union" && f.Name != "forwarding_kind"; want != fast[f.Name] {
				t.Errorf("%s: %s: optional %v, has a pointer %v", r.name, f.Name, want, fast[f.Name])
			}
		}
	}
}

// Random values: written by goavro as twmb/avro would write them, read back as they were, whatever
// is set and unset, in both frames.
func TestRoundTripAndConformance(t *testing.T) {
	enc, dec := codecs(t)
	ids := SchemaIDs{}
	texts := map[uint32]string{}
	for i, s := range schemas.All() {
		id := uint32(100_000 + i)
		ids[s.Record], texts[id] = id, s.Text
	}
	confluentEnc, err := NewEncoder(ids)
	if err != nil {
		t.Fatal(err)
	}
	confluentDec, err := NewDecoder(func(id uint32) (string, error) { return texts[id], nil })
	if err != nil {
		t.Fatal(err)
	}
	reference := map[string]*avro.Schema{}
	for _, v := range values(rand.New(rand.NewPCG(0, 0)), 0) {
		reference[nameOf(v)] = currentSchema(t, nameOf(v))
	}
	r := rand.New(rand.NewPCG(7, 42))
	for i := range 1000 {
		p := []float64{0, 0.1, 0.5, 0.9, 1}[i%5]
		for _, v := range values(r, p) {
			name := nameOf(v)
			value, err := encode(enc, []byte("before"), v)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			value, ok := bytes.CutPrefix(value, []byte("before"))
			if !ok {
				t.Fatalf("%s: what was in dst is gone", name)
			}
			want, err := reference[name].AppendSingleObject(nil, fieldsOf(v, reference[name]))
			if err != nil {
				t.Fatalf("%s: twmb: %v", name, err)
			}
			if !bytes.Equal(value, want) {
				t.Fatalf("%s: goavro and twmb differ\ngoavro %x\ntwmb   %x\n%+v", name, value, want, v)
			}
			got, err := decode(dec, name, value)
			if err != nil || !reflect.DeepEqual(got, v) {
				t.Fatalf("%s: %v\ngot  %+v\nwant %+v", name, err, got, v)
			}

			framed, err := encode(confluentEnc, nil, v)
			if err != nil {
				t.Fatal(err)
			}
			if framed[0] != 0 || binary.BigEndian.Uint32(framed[1:]) != ids[name] || !bytes.Equal(framed[5:], value[10:]) {
				t.Fatalf("%s: Confluent's frame: %x", name, framed)
			}
			got, err = decode(confluentDec, name, framed)
			if err != nil || !reflect.DeepEqual(got, v) {
				t.Fatalf("%s: Confluent: %v", name, err)
			}
		}
	}
}

// What a decoder returns must not change when the caller uses the buffer again.
func TestDecodedStringsOutliveTheBuffer(t *testing.T) {
	enc, dec := codecs(t)
	for _, v := range values(rand.New(rand.NewPCG(3, 3)), 1) {
		value, err := encode(enc, nil, v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(dec, nameOf(v), value)
		if err != nil {
			t.Fatal(err)
		}
		for i := range value {
			value[i] = 0xAA
		}
		if !reflect.DeepEqual(got, v) {
			t.Errorf("%s changed with the buffer", nameOf(v))
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	enc, dec := codecs(t)
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 9))
			for range 200 {
				for _, v := range values(r, 0.5) {
					value, err := encode(enc, nil, v)
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := decode(dec, nameOf(v), value); err != nil || !reflect.DeepEqual(got, v) {
						t.Errorf("%s: %v", nameOf(v), err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestEncodeRefuses(t *testing.T) {
	enc, _ := codecs(t)
	out, err := enc.Encode([]byte("before"), &event.CallReported{Report: event.Report{Direction: 9}})
	if err == nil || !strings.Contains(err.Error(), `field "direction"`) || string(out) != "before" {
		t.Errorf("direction 9: %q, %v", out, err)
	}
	if _, err := enc.EncodeSubmitted(nil, &event.Submitted{Kind: "fax"}); err == nil {
		t.Error("a fax was written")
	}
	// What failed before must leave no trace in what is written next.
	a, err := enc.Encode(nil, &event.TextReported{Common: event.Common{Subject: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	fresh, _ := codecs(t)
	if b, _ := fresh.Encode(nil, &event.TextReported{Common: event.Common{Subject: "s"}}); !bytes.Equal(a, b) {
		t.Errorf("%x after a failure, want %x", a, b)
	}
	if _, err := NewEncoder(SchemaIDs{"CallReported": 1}); err == nil || !strings.Contains(err.Error(), "lack TextReported") {
		t.Errorf("ids that lack a record: %v", err)
	}
}

//fault:e1 frames and bodies of every kind of wrong
//fault:e3 values that are none
func TestBadValues(t *testing.T) {
	enc, _ := codecs(t)
	dec, err := NewDecoder(func(id uint32) (string, error) {
		switch id {
		case 1:
			return `{"type":"record","name":"Colour","fields":[{"name":"red","type":"int"}]}`, nil
		case 2:
			return `{"type":"record","name":"CallReported","namespace":"switchboard","fields":[{"name":"subject","type":"int"}]}`, nil
		case 3:
			return `{"type":"record"`, nil
		case 4:
			return `"string"`, nil
		case 5:
			return strings.Repeat(" ", maxSchemaBytes) + `"string"`, nil
		}
		return "", ErrUnknownID
	})
	if err != nil {
		t.Fatal(err)
	}
	good, err := enc.Encode(nil, &event.CallReported{Common: event.Common{Subject: "+447700900123", Source: "http"}})
	if err != nil {
		t.Fatal(err)
	}
	report, err := enc.EncodeSubmitted(nil, &event.Submitted{Kind: "call", Direction: "in", Subscriber: "+447700900123"})
	if err != nil {
		t.Fatal(err)
	}
	wrongEnum := bytes.Clone(good)
	wrongEnum[len(good)-1] = 7 // union branch of the last field
	for _, c := range []struct {
		name   string
		value  []byte
		class  Class
		reason string
	}{
		{"empty", nil, BadFrame, "is empty"},
		{"JSON", []byte(`{"subject":"+447700900123"}`), BadFrame, "begins neither with C3 01 nor with 00"},
		{"one byte", good[:1], BadFrame, "begins neither"},
		{"single-object version 2", append([]byte{0xC3, 2}, good[2:]...), BadFrame, "begins neither"},
		{"ends in the fingerprint", good[:9], BadFrame, "ends within the fingerprint, after 9 bytes"},
		{"ends in the schema id", []byte{0, 0, 0, 1}, BadFrame, "ends within the schema id, after 4 bytes"},
		{"fingerprint", append([]byte{0xC3, 1, 1, 2, 3, 4, 5, 6, 7, 8}, good[10:]...), UnknownSchema, "no schema has the fingerprint 0807060504030201"},
		{"unknown id", []byte{0, 0, 0, 0, 9, 1}, UnknownSchema, "schema id 9: no schema has it"},
		{"another record", []byte{0, 0, 0, 0, 1, 1}, UnknownSchema, `schema 1 is of the record "Colour", which is none of ours`},
		{"incompatible", []byte{0, 0, 0, 0, 2, 1}, UnknownSchema, "schema 2 cannot be read as CallReported: "},
		{"broken schema", []byte{0, 0, 0, 0, 3, 1}, UnknownSchema, "schema 3 is no Avro schema"},
		{"no record", []byte{0, 0, 0, 0, 4, 1}, UnknownSchema, `schema 4 is of the record "", which`},
		{"huge schema", []byte{0, 0, 0, 0, 5, 1}, UnknownSchema, "schema 5 has more than"},
		{"no body", good[:10], BadAvro, "CallReported v1: field event_id: ends early"},
		{"ends early", good[:len(good)-1], BadAvro, "CallReported v1: field causation_id: ends early"},
		{"trailing bytes", append(bytes.Clone(good), 0, 0, 0), BadAvro, "CallReported v1: 3 bytes trail"},
		{"no such branch", wrongEnum, BadAvro, "CallReported v1: field causation_id: is not valid"},
		{"no fact", report, Unexpected, "ReportSubmitted v1 is no fact"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // the second verdict comes from the table
				_, err := dec.Decode(c.value)
				var bad *Error
				if !errors.As(err, &bad) || bad.Class != c.class || !strings.Contains(bad.Reason, c.reason) {
					t.Fatalf("got  %v\nwant %s: %s", err, c.class, c.reason)
				}
				if strings.Contains(bad.Reason, "447700") {
					t.Errorf("the reason tells a number: %s", bad.Reason)
				}
			}
		})
	}
	if _, err := dec.DecodeSubmitted(good); err == nil || err.Error() != "unexpected_type: CallReported v1 is no submitted report" {
		t.Errorf("a fact as a submitted report: %v", err)
	}
	if _, err := dec.DecodeSubmitted(nil); err == nil {
		t.Error("nothing is a submitted report")
	}
	none, _ := NewDecoder(nil)
	if _, err := none.Decode([]byte{0, 0, 0, 0, 1, 1}); err == nil || !strings.HasPrefix(err.Error(), "unknown_schema: schema id 1: there is no table") {
		t.Errorf("Confluent's frame without a registry: %v", err)
	}
}

// A registry that does not answer condemns nothing, and is asked again; one that answers is asked once.
//
//fault:e2 a registry that does not answer is no poison
func TestRegistryThatFails(t *testing.T) {
	down, asked := errors.New("connection refused"), 0
	enc, err := NewEncoder(SchemaIDs{"CallReported": 7, "TextReported": 8, "CallReportAmended": 9, "ReportSubmitted": 10,
		"DeviceConnected": 11, "DeviceRenamed": 12, "DeviceLinked": 13, "DeviceUnlinked": 14, "DeviceDisconnected": 15, "DeviceEventSubmitted": 16})
	if err != nil {
		t.Fatal(err)
	}
	dec, err := NewDecoder(func(id uint32) (string, error) {
		asked++
		if asked == 1 {
			return "", down
		}
		s, _ := schemas.Current("CallReported")
		return s.Text, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	value, err := enc.Encode(nil, &event.CallReported{Common: event.Common{Subject: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	var bad *Error
	if _, err := dec.Decode(value); !errors.Is(err, down) || errors.As(err, &bad) {
		t.Errorf("got %v, want the registry's error", err)
	}
	for range 3 {
		if _, err := dec.Decode(value); err != nil {
			t.Error(err)
		}
	}
	if asked != 2 {
		t.Errorf("the registry was asked %d times", asked)
	}
}

// A producer with a schema of its own: another namespace, fields in another order, one of ours left
// out, one that we do not know, a narrower number, a symbol from the future.
func TestForeignSchema(t *testing.T) {
	const text = `{"type":"record","name":"ReportSubmitted","namespace":"com.example","fields":[
{"name":"started_at","type":"int"},
{"name":"colour","type":{"type":"array","items":"string"}},
{"name":"subscriber","type":"string"},
{"name":"counterpart","type":"string"},
{"name":"direction","type":{"type":"enum","name":"Direction","symbols":["out","sideways"]}},
{"name":"kind","type":{"type":"enum","name":"Kind","symbols":["text","call"]}}]}`
	dec, err := NewDecoder(func(uint32) (string, error) { return text, nil })
	if err != nil {
		t.Fatal(err)
	}
	body, err := avro.MustParse(text).Encode(map[string]any{
		"started_at": 5000, "colour": []string{"red"}, "subscriber": "s", "counterpart": "c", "direction": "sideways", "kind": "call",
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := dec.DecodeSubmitted(append([]byte{0, 0, 0, 0, 1}, body...))
	if err != nil {
		t.Fatal(err)
	}
	want := &event.Submitted{StartedAt: 5000, Subscriber: "s", Counterpart: "c", Direction: "unknown", Kind: "call", Outcome: "unknown"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The examples in the schemas are values that the code accepts, with the ids that it would give them.
func TestExamples(t *testing.T) {
	_, dec := codecs(t)
	for _, s := range schemas.All() {
		if s.State != schemas.StateCurrent {
			continue
		}
		t.Run(s.String(), func(t *testing.T) {
			schema := avro.MustParse(s.Text)
			example := schema.Root().Props["example"].(map[string]any)
			value, err := schema.AppendSingleObject(nil, example)
			if err != nil {
				t.Fatal(err)
			}
			v, err := decode(dec, s.Record, value)
			if err != nil {
				t.Fatal(err)
			}
			e, ok := v.(event.Event)
			if !ok {
				return
			}
			if err := event.Validate(e); err != nil {
				t.Error(err)
			}
			if got := event.IDOf(e).String(); got != example["event_id"] {
				t.Errorf("the example's event_id is %s, want %s", example["event_id"], got)
			}
		})
	}
}

// Bytes that claim more than they are must cost no more than they are.
//
//fault:e1 lengths that promise gigabytes take no memory
func TestHostileBytesStaySmall(t *testing.T) {
	dec, err := NewDecoder(func(uint32) (string, error) {
		return `{"type":"record","name":"ReportSubmitted","namespace":"switchboard","fields":[
{"name":"kind","type":"string"},
{"name":"tree","type":{"type":"record","name":"Tree","fields":[{"name":"child","type":["null","Tree"]},{"name":"list","type":{"type":"array","items":"null"}}]}}]}`, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	huge := binary.AppendVarint(nil, 2_000_000_000)
	var attacks [][]byte
	for _, s := range schemas.All() {
		frame := binary.LittleEndian.AppendUint64([]byte{0xC3, 1}, s.Fingerprint)
		for n := range 40 {
			attacks = append(attacks, append(append(bytes.Clone(frame), make([]byte, n)...), huge...))
			attacks = append(attacks, append(append(bytes.Clone(frame), bytes.Repeat([]byte{2}, n)...), huge...))
		}
		attacks = append(attacks, append(bytes.Clone(frame), bytes.Repeat([]byte{0xff}, 100)...))
	}
	attacks = append(attacks, append([]byte{0, 0, 0, 0, 1}, bytes.Repeat([]byte{2}, 1_000_000)...))
	for _, value := range attacks {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err1 := dec.Decode(value)
		_, err2 := dec.DecodeSubmitted(value)
		runtime.ReadMemStats(&after)
		if used, limit := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+3*len(value)); used > limit {
			t.Errorf("%d bytes %.20x cost %d bytes of memory", len(value), value, used)
		}
		if err1 == nil && err2 == nil {
			t.Errorf("%.20x was taken for both", value)
		}
	}
}

func FuzzDecode(f *testing.F) {
	enc, dec := codecs(f)
	r := rand.New(rand.NewPCG(11, 11))
	for _, p := range []float64{0, 0.5, 1} {
		for _, v := range values(r, p) {
			value, err := encode(enc, nil, v)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(value)
			for n := 1; n < 4; n++ {
				f.Add(value[:len(value)*n/4])
			}
		}
	}
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 1, 2})
	f.Fuzz(func(t *testing.T, value []byte) {
		was := bytes.Clone(value)
		for _, name := range []string{"fact", submitted, deviceSubmitted} {
			v, err := decode(dec, name, value)
			if err != nil {
				var bad *Error
				if !errors.As(err, &bad) || len(bad.Reason) > 400 {
					t.Fatalf("not a verdict: %v", err)
				}
				continue
			}
			// Whatever was accepted can be written and read again; it need not be the same bytes.
			again, err := encode(enc, nil, v)
			if err != nil {
				t.Fatalf("cannot be written: %v", err)
			}
			if back, err := decode(dec, name, again); err != nil || !reflect.DeepEqual(back, v) {
				t.Fatalf("%v\ngot  %+v\nwant %+v", err, back, v)
			}
		}
		if !bytes.Equal(value, was) {
			t.Fatal("the decoder wrote into the value")
		}
	})
}

// benchFact is about as long as the events of LIBRARIES.md.
func benchFact() *event.CallReported {
	e := &event.CallReported{
		Common:      event.Common{Subject: "+447700900123", OccurredAt: 1772439330000, RecordedAt: 1772439422000, Source: "http", Reporter: "phone-7f3a", NativeID: "4711", Batch: "b-20260302-17"},
		Report:      event.Report{Counterpart: "+447700900456", Direction: event.Out, Outcome: event.Answered, Cell: "234-15-1234-56789", CounterpartRegion: "GB", CounterpartType: event.Mobile, PrefixBucket: "44770", NumberingVersion: "9.0.1"},
		CallDetails: event.CallDetails{DurationS: 74, RingS: 6},
	}
	e.ID = event.IDOf(e)
	return e
}

func BenchmarkEncode(b *testing.B) {
	enc, _ := codecs(b)
	fact := benchFact()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = enc.Encode(buf[:0], fact); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(buf)), "bytes")
}

func BenchmarkDecode(b *testing.B) {
	enc, dec := codecs(b)
	value, err := enc.Encode(nil, benchFact())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dec.Decode(value); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeStrings is what Decode would cost if every string were copied, or none.
func BenchmarkDecodeStrings(b *testing.B) {
	enc, _ := codecs(b)
	value, err := enc.Encode(nil, benchFact())
	if err != nil {
		b.Fatal(err)
	}
	schema := currentSchema(b, "CallReported")
	for name, opts := range map[string][]avro.Opt{"each copied": nil, "all shared with the value": {avro.AliasInput()}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := schema.Decode(value[singleObjectFrame:], new(event.CallReported), opts...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
