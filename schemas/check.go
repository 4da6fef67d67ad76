package schemas

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/twmb/avro"
)

// Namespace is the Avro namespace of every record.
const Namespace = "switchboard"

// Set is a set of schemas to check: the files, their pins, and the list of versions.
type Set struct {
	Files fs.FS
	List  []Version
}

// Check checks the published schemas; see Set.Check.
func Check() error { return Set{files, list}.Check() }

// Check proves that every version can be read by the next one and by the one before, that nothing
// published was edited, and that the rules of this project hold: prose on everything, null first
// and by default in what is optional, "unknown" first and by default in every enum. It returns all
// problems, each naming record, version and field, as in "CallReported v2: field duration_s: ...".
func (s Set) Check() error {
	c := checker{set: s, parsed: map[Version]*avro.Schema{}}
	c.list()
	c.pins()
	for _, v := range s.List {
		c.version(v)
	}
	for i := 1; i < len(s.List); i++ {
		if before, after := s.List[i-1], s.List[i]; before.Record == after.Record {
			c.neighbours(before, after)
		}
	}
	return errors.Join(c.errs...)
}

type checker struct {
	set    Set
	parsed map[Version]*avro.Schema // what could be parsed
	errs   []error
}

func (c *checker) fail(v Version, field, format string, a ...any) {
	where := v.String() + ": "
	if field != "" {
		where += "field " + field + ": "
	}
	c.errs = append(c.errs, errors.New(where+fmt.Sprintf(format, a...)))
}

// list checks the list of versions against itself and against the files.
func (c *checker) list() {
	listed := map[string]bool{}
	for i, v := range c.set.List {
		listed[v.File] = true
		first := i == 0 || c.set.List[i-1].Record != v.Record
		last := i == len(c.set.List)-1 || c.set.List[i+1].Record != v.Record
		switch {
		case first && v.Number != 1, !first && v.Number != c.set.List[i-1].Number+1:
			c.fail(v, "", "the versions of a record stand together in the list, 1, 2, 3 ...")
		case last && v.State != StateCurrent, !last && v.State != StateOld:
			c.fail(v, "", "the last version of a record is current, those before are old")
		}
		if want := fmt.Sprintf("%s.v%d.avsc", snake(v.Record), v.Number); v.File != want {
			c.fail(v, "", "its file is %s, want %s", v.File, want)
		}
	}
	all, err := fs.Glob(c.set.Files, "*.avsc")
	if err != nil {
		c.errs = append(c.errs, err)
	}
	for _, file := range all {
		if !listed[file] {
			c.errs = append(c.errs, fmt.Errorf("%s: not in the list of versions", file))
		}
	}
}

// pins parses what is listed and compares it with what was published.
func (c *checker) pins() {
	pins, err := readPins(c.set.Files)
	if err != nil {
		c.errs = append(c.errs, err)
	}
	for _, v := range c.set.List {
		text, err := fs.ReadFile(c.set.Files, v.File)
		if err != nil {
			c.fail(v, "", "%v", err)
			continue
		}
		schema, err := avro.Parse(string(text))
		if err != nil {
			c.fail(v, "", "%s is no Avro schema: %v", v.File, err)
			continue
		}
		c.parsed[v] = schema
		if pins == nil {
			continue
		}
		is, err := pinOf(schema)
		if err != nil {
			c.fail(v, "", "%v", err)
		} else if want, ok := pins[v.File]; !ok {
			c.fail(v, "", "%s has no line in %s; it would be %q", v.File, pinFile, strings.TrimSpace(is.line(v.File)))
		} else if is != want {
			c.fail(v, "", "%s was edited after it was published (fingerprint %016x, was %016x): put it back and add a version", v.File, is.rabin, want.rabin)
		}
	}
}

// pinOf computes the pin of a schema.
func pinOf(schema *avro.Schema) (pin, error) {
	var p pin
	p.rabin = binary.BigEndian.Uint64(schema.Fingerprint(avro.NewRabin()))
	sum := sha256.Sum256(schema.Canonical())
	p.canonical = hex.EncodeToString(sum[:])
	var tree any
	d := json.NewDecoder(strings.NewReader(schema.String()))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return p, err
	}
	meaning, err := json.Marshal(withoutProse(tree)) // keys ascending
	if err != nil {
		return p, err
	}
	sum = sha256.Sum256(meaning)
	p.meaning = hex.EncodeToString(sum[:])
	return p, nil
}

// withoutProse takes out what people may word better later.
func withoutProse(tree any) any {
	switch t := tree.(type) {
	case map[string]any:
		for key, value := range t {
			if key == "doc" || key == "owner" || key == "example" {
				delete(t, key)
			} else {
				t[key] = withoutProse(value)
			}
		}
	case []any:
		for i := range t {
			t[i] = withoutProse(t[i])
		}
	}
	return tree
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// version checks one schema by itself.
func (c *checker) version(v Version) {
	schema := c.parsed[v]
	if schema == nil {
		return
	}
	root := schema.Root()
	if root.Type != "record" || root.Name != v.Record || root.Namespace != Namespace {
		c.fail(v, "", "it is the %s %s.%s, want the record %s.%s", root.Type, root.Namespace, root.Name, Namespace, v.Record)
		return
	}
	if root.Doc == "" {
		c.fail(v, "", "the record has no doc")
	}
	if owner, _ := root.Props["owner"].(string); owner == "" {
		c.fail(v, "", "the record has no owner")
	}
	for _, f := range root.Fields {
		c.field(v, f)
	}
	c.example(v, schema, root)
}

func (c *checker) field(v Version, f avro.SchemaField) {
	if f.Doc == "" {
		c.fail(v, f.Name, "has no doc")
	}
	if !snakeCase.MatchString(f.Name) {
		c.fail(v, f.Name, "names are in snake_case")
	}
	t := f.Type
	if t.Type == "union" {
		if len(t.Branches) != 2 || t.Branches[0].Type != "null" {
			c.fail(v, f.Name, "the only union is null and one type, in this order")
			return
		}
		if !f.HasDefault || f.Default != nil {
			c.fail(v, f.Name, "is optional, its default must be null")
		}
		t = t.Branches[1]
	}
	if strings.HasSuffix(f.Name, "_at") && (t.Type != "long" || t.LogicalType != "timestamp-millis") {
		c.fail(v, f.Name, "is a time, want a long of the logical type timestamp-millis")
	}
	switch t.Type {
	case "enum":
		if t.Doc == "" {
			c.fail(v, f.Name, "the enum %s has no doc", t.Name)
		}
		if len(t.Symbols) == 0 || t.Symbols[0] != "unknown" || t.EnumDefault != "unknown" {
			c.fail(v, f.Name, `"unknown" must be the first symbol and the default of the enum %s`, t.Name)
		}
	case "fixed":
		if t.Doc == "" {
			c.fail(v, f.Name, "the fixed %s has no doc", t.Name)
		}
	case "record", "array", "map":
		// Flat records cannot recurse, and what is no container cannot claim 200 million items.
		c.fail(v, f.Name, "a %s in a record is not provided for", t.Type)
	}
}

// example checks that the example is one: it must be writable as it stands.
func (c *checker) example(v Version, schema *avro.Schema, root *avro.SchemaNode) {
	example, _ := root.Props["example"].(map[string]any)
	if example == nil {
		c.fail(v, "", "the record has no example")
		return
	}
	for name := range example {
		if !slices.ContainsFunc(root.Fields, func(f avro.SchemaField) bool { return f.Name == name }) {
			c.fail(v, name, "stands in the example only")
		}
	}
	if _, err := schema.Encode(example); err != nil {
		var semantic *avro.SemanticError
		if errors.As(err, &semantic) && semantic.Field != "" {
			c.fail(v, semantic.Field, "the example cannot be written: %v", err)
		} else {
			c.fail(v, "", "the example cannot be written: %v", err)
		}
	}
}

// neighbours checks that two versions can read each other.
func (c *checker) neighbours(before, after Version) {
	older, newer := c.parsed[before], c.parsed[after]
	if older == nil || newer == nil {
		return
	}
	if bytes.Equal(older.Canonical(), newer.Canonical()) {
		c.fail(after, "", "has the fingerprint of v%d: on the wire the two cannot be told apart", before.Number)
	}
	c.reads(after, newer, before, older)
	c.reads(before, older, after, newer)
	was := map[string]avro.SchemaField{}
	for _, f := range older.Root().Fields {
		was[f.Name] = f
	}
	for _, f := range newer.Root().Fields {
		old, ok := was[f.Name]
		if !ok {
			continue
		}
		is, before := value(f.Type), value(old.Type)
		if is.LogicalType != before.LogicalType {
			c.fail(after, f.Name, "its logical type was %q and is %q: the same number means another thing", before.LogicalType, is.LogicalType)
		}
		if n := len(before.Symbols); len(is.Symbols) > 0 && (len(is.Symbols) < n || !slices.Equal(is.Symbols[:n], before.Symbols)) {
			c.fail(after, f.Name, "symbols are only ever added at the end of the enum %s", is.Name)
		}
	}
}

// value is the type of a field that is not null.
func value(t avro.SchemaNode) avro.SchemaNode {
	if t.Type == "union" && len(t.Branches) == 2 {
		return t.Branches[1]
	}
	return t
}

func (c *checker) reads(reader Version, as *avro.Schema, writer Version, written *avro.Schema) {
	err := avro.CheckCompatibility(written, as)
	if err == nil {
		return
	}
	newer := reader
	if writer.Number > reader.Number {
		newer = writer
	}
	var incompatible *avro.CompatibilityError
	if !errors.As(err, &incompatible) {
		c.fail(newer, "", "v%d cannot read v%d: %v", reader.Number, writer.Number, err)
		return
	}
	path := strings.TrimPrefix(incompatible.Path, Namespace+".")
	path = strings.TrimPrefix(strings.TrimPrefix(path, reader.Record), ".")
	c.fail(newer, path, "v%d cannot read v%d: %s", reader.Number, writer.Number, incompatible.Detail)
}

// snake turns CallReported into call_reported.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
