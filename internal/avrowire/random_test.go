package avrowire

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"

	"github.com/twmb/avro"

	"switchboard/internal/event"
)

// visit calls do for every field with an avro name, those of embedded structs included.
func visit(v reflect.Value, do func(name string, field reflect.Value)) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			visit(v.Field(i), do)
		} else if name := strings.Split(f.Tag.Get("avro"), ",")[0]; name != "" {
			do(name, v.Field(i))
		}
	}
}

// symbolsOf lists the symbols of an enum type, in the order of its numbers.
func symbolsOf(t reflect.Type) []string {
	var list []string
	for n := 0; ; n++ {
		v := reflect.New(t).Elem()
		v.SetUint(uint64(n))
		s := v.Interface().(fmt.Stringer).String()
		if strings.HasPrefix(s, "symbol(") {
			return list
		}
		list = append(list, s)
	}
}

// Enums that are text in event.Submitted and event.DeviceSubmitted.
var submittedEnums = map[string]reflect.Type{
	"kind":            reflect.TypeFor[event.Kind](),
	"direction":       reflect.TypeFor[event.Direction](),
	"outcome":         reflect.TypeFor[event.Outcome](),
	"forwarding_kind": reflect.TypeFor[event.ForwardingKind](),
}

var deviceEnums = map[string]reflect.Type{
	"kind":              reflect.TypeFor[event.DeviceEventKind](),
	"disconnect_reason": reflect.TypeFor[event.DisconnectReason](),
}

// enumsOf are the enums that a record has as text.
func enumsOf(v any) map[string]reflect.Type {
	switch v.(type) {
	case *event.Submitted:
		return submittedEnums
	case *event.DeviceSubmitted:
		return deviceEnums
	}
	return nil
}

var texts = []string{"+447700900123", "withheld", "x", "null", "Zoë 漢字 \U0001F4DE", "with\x00nul", strings.Repeat("long ", 60), "234-15-1234-56789"}

// fill gives every field a value with the probability p, and leaves the others zero; a value may
// be zero, too, where zero is not "not said".
func fill(r *rand.Rand, p float64, into any) {
	enums := enumsOf(into)
	visit(reflect.ValueOf(into), func(name string, f reflect.Value) {
		enum := enums[name]
		required := enum != nil && name != "forwarding_kind"
		if !required && r.Float64() >= p {
			return
		}
		if enum != nil {
			symbols := symbolsOf(enum)
			f.SetString(symbols[r.IntN(len(symbols))])
			return
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString(texts[r.IntN(len(texts))])
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int32:
			f.SetInt(randomInt(r, math.MinInt32, math.MaxInt32))
		case reflect.Int64:
			f.SetInt(randomInt(r, math.MinInt64, math.MaxInt64))
		case reflect.Uint8:
			f.SetUint(uint64(r.IntN(len(symbolsOf(f.Type())))))
		case reflect.Array:
			for i := range f.Len() {
				f.Index(i).SetUint(uint64(r.Uint32() & 0xff))
			}
		case reflect.Pointer:
			p := reflect.New(f.Type().Elem())
			if r.IntN(3) > 0 {
				p.Elem().SetInt(randomInt(r, math.MinInt32, math.MaxInt32))
			}
			f.Set(p)
		default:
			panic("no generator for " + name + " " + f.Type().String())
		}
	})
}

func randomInt(r *rand.Rand, low, high int64) int64 {
	switch r.IntN(8) {
	case 0:
		return low
	case 1:
		return high
	case 2:
		return -1
	}
	n := int64(r.Uint64() >> (1 + r.IntN(62)))
	return min(max(n, low), high)
}

// values makes one of every record.
func values(r *rand.Rand, p float64) []any {
	var list []any
	for _, f := range facts {
		e := f.land().take()
		fill(r, p, e)
		list = append(list, e)
	}
	s, d := new(event.Submitted), new(event.DeviceSubmitted)
	fill(r, p, s)
	fill(r, p, d)
	return append(list, s, d)
}

func nameOf(v any) string {
	switch v := v.(type) {
	case event.Event:
		return v.Type()
	case *event.DeviceSubmitted:
		return deviceSubmitted
	}
	return submitted
}

// fieldsOf is a value by the names of its schema, in terms that any Avro library takes: what is zero
// and has a default is left out, enums are symbols.
func fieldsOf(v any, schema *avro.Schema) map[string]any {
	m := map[string]any{}
	visit(reflect.ValueOf(v), func(name string, f reflect.Value) {
		switch x := f.Interface().(type) {
		case event.ID:
			m[name] = x
		case event.Subject:
			m[name] = string(x)
		case fmt.Stringer:
			m[name] = x.String()
		case *int32:
			if x != nil {
				m[name] = *x
			}
		case *int64:
			if x != nil {
				m[name] = *x
			}
		default:
			m[name] = x
		}
	})
	for _, f := range schema.Root().Fields {
		value := reflect.ValueOf(m[f.Name])
		said := f.Name == "utc_offset_s" || f.Name == "session_seq" // a pointer tells 0 from not said
		unknown := f.Name == "forwarding_kind" && nameOf(v) != submitted && m[f.Name] == "unknown"
		if f.HasDefault && value.IsValid() && (value.IsZero() && !said || unknown) {
			delete(m, f.Name)
		}
	}
	return m
}

func encode(e *Encoder, dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case *event.Submitted:
		return e.EncodeSubmitted(dst, v)
	case *event.DeviceSubmitted:
		return e.EncodeDeviceSubmitted(dst, v)
	}
	return e.Encode(dst, v.(event.Event))
}

func decode(d *Decoder, name string, value []byte) (any, error) {
	switch name {
	case submitted:
		s, err := d.DecodeSubmitted(value)
		if err != nil {
			return nil, err
		}
		return s, nil
	case deviceSubmitted:
		s, err := d.DecodeDeviceSubmitted(value)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	e, err := d.Decode(value)
	if err != nil {
		return nil, err
	}
	return e, nil
}
