package avrowire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/twmb/avro"

	"switchboard/internal/event"
	"switchboard/schemas"
)

// ErrUnknownID is what a SchemaByID returns for an id that no schema has.
var ErrUnknownID = errors.New("no schema has this id")

// SchemaByID finds the writer's schema that a Confluent frame names. It returns ErrUnknownID when
// there is none, which condemns the value; any other error, such as a registry that does not
// answer, does not: Decode returns it as it is, and the caller tries again later.
type SchemaByID func(id uint32) (schema string, err error)

// Decoder reads values written in any published version, as the current one. It is safe for
// concurrent use, takes no bytes from what it is given into what it returns, and needs memory in
// proportion to the value's length, whatever the value claims.
type Decoder struct {
	byFingerprint map[uint64]*reading
	current       map[string]current // by record
	schemaByID    SchemaByID

	mu   sync.Mutex                          // held to extend byID
	byID atomic.Pointer[map[uint32]*reading] // never changed, replaced
}

// current is what values of one record are read as.
type current struct {
	schema *avro.Schema
	land   *sync.Pool // of landing; nil for a record that is no fact
}

// reading is how values of one writer's schema are read.
type reading struct {
	writer  string       // for people: CallReported v1, or schema 7
	record  string       // ours that it is read as
	schema  *avro.Schema // the writer's, resolved to the current one
	land    *sync.Pool
	refused *Error // the schema is known, and no use
}

// NewDecoder makes a Decoder. Without byID, values in Confluent's frame are of an unknown schema.
func NewDecoder(byID SchemaByID) (*Decoder, error) {
	d := &Decoder{byFingerprint: map[uint64]*reading{}, current: map[string]current{}, schemaByID: byID}
	d.byID.Store(&map[uint32]*reading{})
	for _, r := range records() {
		s, ok := schemas.Current(r.name)
		if !ok {
			return nil, fmt.Errorf("avrowire: no schema of %s", r.name)
		}
		schema, err := avro.Parse(s.Text)
		if err != nil {
			return nil, fmt.Errorf("avrowire: %s: %w", s.Version, err)
		}
		c := current{schema: schema}
		if r.land != nil {
			c.land = &sync.Pool{New: func() any {
				l := r.land()
				l.reset()
				return l
			}}
		}
		d.current[r.name] = c
	}
	for _, s := range schemas.All() {
		writer, err := avro.Parse(s.Text)
		if err != nil {
			return nil, fmt.Errorf("avrowire: %s: %w", s.Version, err)
		}
		r, err := d.resolve(s.String(), s.Record, writer)
		if err != nil {
			return nil, fmt.Errorf("avrowire: %w", err)
		}
		d.byFingerprint[s.Fingerprint] = r
	}
	return d, nil
}

func (d *Decoder) resolve(name, record string, writer *avro.Schema) (*reading, error) {
	c, ok := d.current[record]
	if !ok {
		return nil, fmt.Errorf("%s is of the record %.64q, which is none of ours", name, record)
	}
	schema, err := avro.Resolve(writer, c.schema)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read as %s: %w", name, record, err)
	}
	return &reading{writer: name, record: record, schema: schema, land: c.land}, nil
}

// Decode reads the value of a fact. What can never be decoded gets an *Error; any other error
// comes from SchemaByID and says nothing about the value.
func (d *Decoder) Decode(value []byte) (event.Event, error) {
	r, body, err := d.open(value)
	if err != nil {
		return nil, err
	}
	if r.land == nil {
		return nil, &Error{Unexpected, r.writer + " is no fact"}
	}
	l := r.land.Get().(landing)
	defer func() {
		l.reset()
		r.land.Put(l)
	}()
	if err := r.read(body, l); err != nil {
		return nil, err
	}
	return l.take(), nil
}

// DecodeSubmitted reads the value of a submitted report; its errors are those of Decode.
func (d *Decoder) DecodeSubmitted(value []byte) (*event.Submitted, error) {
	s := new(event.Submitted)
	if err := d.incoming(value, submitted, "report", s); err != nil {
		return nil, err
	}
	return s, nil
}

// incoming reads the value of a record that is no fact yet; what names it in the error.
func (d *Decoder) incoming(value []byte, record, what string, into any) error {
	r, body, err := d.open(value)
	if err != nil {
		return err
	}
	if r.record != record {
		return &Error{Unexpected, r.writer + " is no submitted " + what}
	}
	return r.read(body, into)
}

// open reads the frame.
func (d *Decoder) open(value []byte) (*reading, []byte, error) {
	switch {
	case len(value) >= 2 && value[0] == singleObject0 && value[1] == singleObject1:
		if len(value) < singleObjectFrame {
			return nil, nil, &Error{BadFrame, fmt.Sprintf("ends within the fingerprint, after %d bytes", len(value))}
		}
		fingerprint := binary.LittleEndian.Uint64(value[2:])
		r, ok := d.byFingerprint[fingerprint]
		if !ok {
			return nil, nil, &Error{UnknownSchema, fmt.Sprintf("no schema has the fingerprint %016x", fingerprint)}
		}
		return r, value[singleObjectFrame:], nil
	case len(value) >= 1 && value[0] == confluent0:
		if len(value) < confluentFrame {
			return nil, nil, &Error{BadFrame, fmt.Sprintf("ends within the schema id, after %d bytes", len(value))}
		}
		r, err := d.registered(binary.BigEndian.Uint32(value[1:]))
		if err != nil {
			return nil, nil, err
		}
		if r.refused != nil {
			return nil, nil, r.refused
		}
		return r, value[confluentFrame:], nil
	case len(value) == 0:
		return nil, nil, &Error{BadFrame, "is empty"}
	}
	return nil, nil, &Error{BadFrame, "begins neither with C3 01 nor with 00"}
}

// maxSchemaBytes bounds what a writer's schema can make us parse.
const maxSchemaBytes = 256 << 10

// registered finds the reading of a registry's schema. An id names one schema for ever, so both
// verdicts are kept; ids that do not exist are not kept, so that the table is bounded by the registry.
func (d *Decoder) registered(id uint32) (*reading, error) {
	if r, ok := (*d.byID.Load())[id]; ok {
		return r, nil
	}
	unknown := func(reason string) *Error {
		return &Error{UnknownSchema, fmt.Sprintf("schema id %d: %s", id, reason)}
	}
	if d.schemaByID == nil {
		return nil, unknown("there is no table of schema ids and no registry")
	}
	text, err := d.schemaByID(id)
	if errors.Is(err, ErrUnknownID) {
		return nil, unknown("no schema has it")
	}
	if err != nil {
		return nil, fmt.Errorf("find schema %d: %w", id, err)
	}
	r := d.foreign(fmt.Sprintf("schema %d", id), text)
	d.mu.Lock()
	defer d.mu.Unlock()
	table := maps.Clone(*d.byID.Load())
	table[id] = r
	d.byID.Store(&table)
	return r, nil
}

// foreign resolves a schema that somebody else wrote.
func (d *Decoder) foreign(name, text string) *reading {
	refuse := func(reason string) *reading { return &reading{refused: &Error{UnknownSchema, reason}} }
	if len(text) > maxSchemaBytes {
		return refuse(fmt.Sprintf("%s has more than %d bytes", name, maxSchemaBytes))
	}
	writer, err := avro.Parse(text)
	if err != nil {
		return refuse(name + " is no Avro schema")
	}
	root := writer.Root()
	r, err := d.resolve(name, root.Name[strings.LastIndexByte(root.Name, '.')+1:], writer)
	if err != nil {
		return refuse(err.Error())
	}
	return r
}

// read decodes a body. The strings of one record share one copy of it, and whoever keeps a string
// keeps these few hundred bytes alive. Pointing into the value itself would save that copy (a tenth of the time) and
// keep a whole fetched batch; by default twmb/avro copies strings into blocks of 1 KiB that records share.
func (r *reading) read(body []byte, into any) error {
	rest, err := r.schema.Decode(append([]byte(nil), body...), into, avro.AliasInput())
	if err != nil {
		return &Error{BadAvro, r.writer + ": " + reason(err)}
	}
	if len(rest) > 0 {
		return &Error{BadAvro, fmt.Sprintf("%s: %d bytes trail", r.writer, len(rest))}
	}
	return nil
}

// reason says what is wrong without what was read: a decoder's own text may quote the value.
func reason(err error) string {
	problem := "is not valid"
	var short *avro.ShortBufferError
	if errors.As(err, &short) {
		problem = "ends early"
	}
	var semantic *avro.SemanticError
	if errors.As(err, &semantic) && semantic.Field != "" {
		return fmt.Sprintf("field %.64s: %s", semantic.Field, problem)
	}
	return "the body " + problem
}
