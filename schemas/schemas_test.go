package schemas

import (
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/twmb/avro"
)

func TestPublishedSchemasHold(t *testing.T) {
	pinMissing(t)
	if err := Check(); err != nil {
		t.Error(err)
	}
}

// pinMissing adds a line for each new schema when GOLDEN=1; a line that is there is never changed.
func pinMissing(t *testing.T) {
	if os.Getenv("GOLDEN") != "1" {
		return
	}
	pins, err := readPins(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(pinFile, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	added := false
	for _, v := range list {
		if _, there := pins[v.File]; there {
			continue
		}
		text, err := os.ReadFile(v.File)
		if err != nil {
			t.Fatal(err)
		}
		schema, err := avro.Parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		p, err := pinOf(schema)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(p.line(v.File)); err != nil {
			t.Fatal(err)
		}
		added = true
	}
	if added {
		t.Skip("pins were added: run the tests again")
	}
}

func TestLookups(t *testing.T) {
	if len(All()) != len(list) || len(published().byFingerprint) != len(list) {
		t.Fatalf("%d schemas, %d fingerprints, %d in the list", len(All()), len(published().byFingerprint), len(list))
	}
	for _, s := range All() {
		if got, ok := ByFingerprint(s.Fingerprint); !ok || got != s {
			t.Errorf("%s: not found by its fingerprint", s)
		}
		if got, ok := Current(s.Record); !ok || got.State != StateCurrent {
			t.Errorf("%s has no current version", s.Record)
		}
	}
	if _, ok := ByFingerprint(0); ok {
		t.Error("fingerprint 0 is known")
	}
	if _, ok := Current("Nothing"); ok {
		t.Error("Nothing has a current version")
	}
}

// A good schema of two versions, to be broken.
const (
	goodV1 = `{"type":"record","name":"CallReported","namespace":"switchboard","doc":"A call.","owner":"calls",
"example":{"subject":"s","started_at":"2026-03-02T08:15:30Z"},"fields":[
{"name":"subject","type":"string","doc":"Who."},
{"name":"started_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When."},
{"name":"duration_s","type":"int","default":0,"doc":"How long."},
{"name":"direction","type":{"type":"enum","name":"Direction","doc":"Which way.","symbols":["unknown","in","out"],"default":"unknown"},"default":"unknown","doc":"Which way."},
{"name":"cell","type":["null","string"],"default":null,"doc":"Where."}
]}`
	added = `,{"name":"sim","type":["null","string"],"default":null,"doc":"Which card."}
]}`
)

var goodV2 = strings.Replace(goodV1, "\n]}", added, 1)

// set makes a set of versions with right pins, so that only what a test breaks is broken.
func set(t *testing.T, texts ...string) Set {
	t.Helper()
	s := Set{}
	files := fstest.MapFS{}
	pins := ""
	for i, text := range texts {
		v := Version{"CallReported", i + 1, "", StateOld}
		v.File = "call_reported.v" + string(rune('1'+i)) + ".avsc"
		if i == len(texts)-1 {
			v.State = StateCurrent
		}
		s.List = append(s.List, v)
		files[v.File] = &fstest.MapFile{Data: []byte(text)}
		schema, err := avro.Parse(text)
		if err != nil {
			continue
		}
		p, err := pinOf(schema)
		if err != nil {
			t.Fatal(err)
		}
		pins += p.line(v.File)
	}
	files[pinFile] = &fstest.MapFile{Data: []byte(pins)}
	s.Files = files
	return s
}

func TestCheckNamesTheField(t *testing.T) {
	if err := set(t, goodV1, goodV2).Check(); err != nil {
		t.Fatalf("the good set: %v", err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"type changed", `"type":"int","default":0`, `"type":"string","default":""`, "CallReported v2: field duration_s: v2 cannot read v1: "},
		{"widened", `"type":"int","default":0`, `"type":"long","default":0`, "CallReported v2: field duration_s: v1 cannot read v2: "},
		{"made optional", `"type":"int","default":0`, `"type":["null","int"],"default":null`, "CallReported v2: field duration_s: v1 cannot read v2: "},
		{"renamed", `"name":"subject"`, `"name":"whom"`, "CallReported v2: field whom: v2 cannot read v1: "},
		{"removed without default", `{"name":"subject","type":"string","doc":"Who."},`, ``, "CallReported v2: field subject: v1 cannot read v2: "},
		{"added without default", `["null","string"],"default":null,"doc":"Which card."`, `"string","doc":"Which card."`, "CallReported v2: field sim: v2 cannot read v1: "},
		{"added with the default implied", `"default":null,"doc":"Which card."`, `"doc":"Which card."`, "CallReported v2: field sim: is optional, its default must be null"},
		{"other logical type", `timestamp-millis`, `timestamp-micros`, `CallReported v2: field started_at: its logical type was "timestamp-millis" and is "timestamp-micros"`},
		{"symbol in the middle", `"in","out"`, `"in","both","out"`, "CallReported v2: field direction: symbols are only ever added at the end of the enum Direction"},
		{"symbol taken out", `"in","out"`, `"in"`, "CallReported v2: field direction: symbols are only ever added at the end of the enum Direction"},
		{"no unknown", `["unknown","in","out"],"default":"unknown"},"default":"unknown"`, `["in","out"]},"default":"in"`, `CallReported v2: field direction: "unknown" must be the first symbol and the default of the enum Direction`},
		{"no enum default", `"out"],"default":"unknown"}`, `"out"]}`, `CallReported v2: field direction: "unknown" must be`},
		{"no enum doc", `"name":"Direction","doc":"Which way."`, `"name":"Direction"`, "CallReported v2: field direction: the enum Direction has no doc"},
		{"no field doc", `,"doc":"How long."`, ``, "CallReported v2: field duration_s: has no doc"},
		{"no record doc", `"doc":"A call.",`, ``, "CallReported v2: the record has no doc"},
		{"no owner", `"owner":"calls",`, ``, "CallReported v2: the record has no owner"},
		{"no example", `"example":{"subject":"s","started_at":"2026-03-02T08:15:30Z"},`, ``, "CallReported v2: the record has no example"},
		{"example lacks a field", `"subject":"s",`, ``, "CallReported v2: field subject: the example cannot be written"},
		{"example with a stray field", `"subject":"s",`, `"subject":"s","colour":"red",`, "CallReported v2: field colour: stands in the example only"},
		{"null last", `"type":["null","string"],"default":null,"doc":"Where."`, `"type":["string","null"],"default":"","doc":"Where."`, "CallReported v2: field cell: the only union is null and one type"},
		{"no null default", `"default":null,"doc":"Where."`, `"doc":"Where."`, "CallReported v2: field cell: is optional, its default must be null"},
		{"camel case", `"name":"sim"`, `"name":"simCard"`, "CallReported v2: field simCard: names are in snake_case"},
		{"a time as a number", `"name":"sim","type":["null","string"]`, `"name":"seen_at","type":["null","long"]`, "CallReported v2: field seen_at: is a time"},
		{"a list", `"name":"sim","type":["null","string"],"default":null`, `"name":"sims","type":{"type":"array","items":"string"},"default":[]`, "CallReported v2: field sims: a array in a record"},
		{"another record", `"name":"CallReported"`, `"name":"Call"`, "CallReported v2: it is the record switchboard.Call, want the record switchboard.CallReported"},
		{"nothing new", added, "\n]}", "CallReported v2: has the fingerprint of v1"},
		{"no JSON", `"fields":[`, `"fields":`, "CallReported v2: call_reported.v2.avsc is no Avro schema"},
	} {
		t.Run(c.name, func(t *testing.T) {
			broken := strings.Replace(goodV2, c.old, c.new, 1)
			if broken == goodV2 {
				t.Fatal("the case breaks nothing")
			}
			err := set(t, goodV1, broken).Check()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestCheckSeesEdits(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		edited         bool
	}{
		{"a field", `"name":"cell"`, `"name":"site"`, true},
		{"a default, which the fingerprint does not see", `"default":0`, `"default":1`, true},
		{"a logical type, which the fingerprint does not see", `timestamp-millis`, `timestamp-micros`, true},
		{"prose", `How long.`, `How long it took, in seconds.`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := set(t, goodV1)
			edited := maps.Clone(s.Files.(fstest.MapFS))
			edited["call_reported.v1.avsc"] = &fstest.MapFile{Data: []byte(strings.Replace(goodV1, c.old, c.new, 1))}
			s.Files = edited
			err := s.Check()
			if got := err != nil && strings.Contains(err.Error(), "CallReported v1: call_reported.v1.avsc was edited after it was published"); got != c.edited {
				t.Errorf("edited: %v, want %v: %v", got, c.edited, err)
			}
		})
	}
}

func TestCheckSeesTheList(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*Set)
		want string
	}{
		{"a hole", func(s *Set) { s.List[1].Number = 3 }, "CallReported v3: the versions of a record stand together"},
		{"two current", func(s *Set) { s.List[0].State = StateCurrent }, "CallReported v1: the last version of a record is current, those before are old"},
		{"none current", func(s *Set) { s.List[1].State = StateOld }, "CallReported v2: the last version of a record is current"},
		{"another file", func(s *Set) { s.List[1].File = "call.v2.avsc" }, "CallReported v2: its file is call.v2.avsc, want call_reported.v2.avsc"},
		{"not listed", func(s *Set) { s.List = s.List[:1] }, "call_reported.v2.avsc: not in the list of versions"},
		{"not there", func(s *Set) { s.Files = fstest.MapFS{pinFile: &fstest.MapFile{}} }, "CallReported v1: open call_reported.v1.avsc"},
		{"not pinned", func(s *Set) {
			f := maps.Clone(s.Files.(fstest.MapFS))
			f[pinFile] = &fstest.MapFile{}
			s.Files = f
		}, "CallReported v2: call_reported.v2.avsc has no line in fingerprints.txt"},
		{"pins damaged", func(s *Set) {
			f := maps.Clone(s.Files.(fstest.MapFS))
			f[pinFile] = &fstest.MapFile{Data: []byte("# pins\ncall_reported.v1.avsc zz a b\n")}
			s.Files = f
		}, "schemas: fingerprints.txt:2: the fingerprint is no 16 hexadecimal digits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := set(t, goodV1, goodV2)
			c.do(&s)
			if err := s.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
