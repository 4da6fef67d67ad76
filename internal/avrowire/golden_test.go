package avrowire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"switchboard/internal/event"
	"switchboard/schemas"
)

// golden is a value as it was once written. It is kept for ever: what stands in the log must stay readable.
type golden struct {
	Value  string         `json:"value"`  // hexadecimal
	Fields map[string]any `json:"fields"` // every field of the schema it was written with; null where nothing was said
}

// goldenCases makes the values of which the bytes are kept.
var goldenCases = map[string]func(any){
	"full": func(v any) {
		enums := enumsOf(v)
		visit(reflect.ValueOf(v), func(name string, f reflect.Value) {
			switch f.Kind() {
			case reflect.String:
				f.SetString("Zoë's " + name)
				if enums[name] != nil {
					f.SetString(symbolsOf(enums[name])[2])
				} else if name == "amends" {
					f.SetString("00112233-4455-8677-8899-aabbccddeeff")
				}
			case reflect.Bool:
				f.SetBool(true)
			case reflect.Int32:
				f.SetInt(int64(len(name)) * 1000)
			case reflect.Int64:
				f.SetInt(1_772_439_330_123 + int64(len(name)))
			case reflect.Uint8:
				f.SetUint(uint64(len(symbolsOf(f.Type())) - 1))
			case reflect.Array:
				for i := range f.Len() {
					f.Index(i).SetUint(uint64(i*17 + len(name)))
				}
			case reflect.Pointer:
				p := reflect.New(f.Type().Elem())
				p.Elem().SetInt(-3600)
				f.Set(p)
			}
		})
	},
	"minimal": func(v any) {
		switch s := v.(type) {
		case *event.Submitted:
			*s = event.Submitted{Kind: "text", Subscriber: "s", Direction: "in", StartedAt: 1, Outcome: "unknown"}
		case *event.DeviceSubmitted:
			*s = event.DeviceSubmitted{Kind: "renamed", Device: "d", OccurredAt: 1, DisconnectReason: "unknown"}
		}
	},
	"extremes": func(v any) {
		enums := enumsOf(v)
		visit(reflect.ValueOf(v), func(name string, f reflect.Value) {
			switch f.Kind() {
			case reflect.String:
				if enums[name] != nil {
					f.SetString("unknown")
				} else if name != "amends" {
					f.SetString(strings.Repeat("漢", 100))
				}
			case reflect.Int32:
				f.SetInt(math.MinInt32)
			case reflect.Int64:
				f.SetInt(-62_135_596_800_000) // year 1; the first that Python can say
			case reflect.Array:
				for i := range f.Len() {
					f.Index(i).SetUint(0xff)
				}
			case reflect.Pointer:
				p := reflect.New(f.Type().Elem())
				p.Elem().SetInt(math.MaxInt32)
				f.Set(p)
			}
		})
	},
}

func goldenFile(s schemas.Schema, name string) string {
	return filepath.Join("testdata", strings.TrimSuffix(s.File, "avsc")+name+".golden.json")
}

// TestGolden reads the golden bytes of every version, and writes those of the current one again.
// GOLDEN=1 makes what is missing, and never changes what is there.
func TestGolden(t *testing.T) {
	enc, dec := codecs(t)
	for _, s := range schemas.All() {
		for name, set := range goldenCases {
			t.Run(s.String()+" "+name, func(t *testing.T) {
				file := goldenFile(s, name)
				text, err := os.ReadFile(file)
				missing := errors.Is(err, fs.ErrNotExist)
				if err != nil && !missing {
					t.Fatal(err)
				}
				var value []byte
				if s.State == schemas.StateCurrent {
					v := emptyOf(s.Record)
					set(v)
					if value, err = encode(enc, nil, v); err != nil {
						t.Fatal(err)
					}
					if missing && os.Getenv("GOLDEN") == "1" {
						text = goldenText(t, s, v, value)
						if err := os.WriteFile(file, text, 0o644); err != nil {
							t.Fatal(err)
						}
						missing = false
					}
				}
				if missing {
					t.Fatalf("%s is missing: of the current version it is made with GOLDEN=1, of an old one it must be found again", file)
				}
				var kept golden
				if err := json.Unmarshal(text, &kept); err != nil {
					t.Fatal(err)
				}
				was, err := hex.DecodeString(kept.Value)
				if err != nil {
					t.Fatal(err)
				}
				if value != nil && !bytes.Equal(value, was) {
					t.Errorf("it is written otherwise now\nis  %x\nwas %x", value, was)
				}
				got, err := decode(dec, s.Record, was)
				if err != nil {
					t.Fatal(err)
				}
				for field, is := range plainFields(t, got) {
					if want, ok := kept.Fields[field]; ok && !reflect.DeepEqual(is, want) && (want != nil || !isZero(is)) {
						t.Errorf("%s is %v, want %v", field, is, want)
					}
				}
			})
		}
	}
}

func isZero(v any) bool { return v == nil || v == "unknown" || reflect.ValueOf(v).IsZero() }

func emptyOf(recordName string) any {
	for _, r := range facts {
		if r.name == recordName {
			return r.land().take()
		}
	}
	if recordName == deviceSubmitted {
		return new(event.DeviceSubmitted)
	}
	return new(event.Submitted)
}

// plainFields is a value as it is told in a golden file: what JSON makes of it.
func plainFields(t *testing.T, v any) map[string]any {
	t.Helper()
	m := map[string]any{}
	visit(reflect.ValueOf(v), func(name string, f reflect.Value) {
		m[name] = f.Interface()
		if s, ok := f.Interface().(fmt.Stringer); ok {
			m[name] = s.String()
		}
	})
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	clear(m)
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func goldenText(t *testing.T, s schemas.Schema, v any, value []byte) []byte {
	t.Helper()
	g := golden{Value: hex.EncodeToString(value), Fields: plainFields(t, v)}
	for _, f := range currentSchema(t, s.Record).Root().Fields {
		said := f.Name == "utc_offset_s" || f.Name == "session_seq" // a pointer tells 0 from not said
		if f.HasDefault && f.Default == nil && isZero(g.Fields[f.Name]) && !said &&
			!(s.Record == submitted && g.Fields[f.Name] == "unknown") {
			g.Fields[f.Name] = nil
		}
	}
	text, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// fastavro is the version that reads our bytes in TestPythonReads.
const fastavro = "1.13.1"

// TestPythonReads gives the golden bytes to a reader in another language by another author.
func TestPythonReads(t *testing.T) {
	python, err := pythonWithFastavro(t)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no Python reader: %v", err)
		}
		t.Skipf("NOT CHECKED BY A SECOND IMPLEMENTATION: no Python reader: %v", err)
	}
	out, err := exec.Command(python, filepath.Join("testdata", "read_golden.py"), filepath.Join("..", "..", "schemas"), "testdata").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := fmt.Sprintf("read %d\n", len(schemas.All())*len(goldenCases)); string(out) != want {
		t.Errorf("got:\n%swant:\n%s", out, want)
	}
}

// pythonWithFastavro finds, or installs into the user's cache, a Python that has fastavro.
func pythonWithFastavro(t *testing.T) (string, error) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	home := filepath.Join(cache, "switchboard", "fastavro-"+fastavro)
	python := filepath.Join(home, "bin", "python")
	works := func() bool {
		out, err := exec.Command(python, "-c", "import fastavro; print(fastavro.__version__)").Output()
		return err == nil && strings.TrimSpace(string(out)) == fastavro
	}
	if works() {
		return python, nil
	}
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", home},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "fastavro==" + fastavro},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out)
		}
	}
	if !works() {
		return "", fmt.Errorf("fastavro %s was installed and cannot be imported", fastavro)
	}
	return python, nil
}
