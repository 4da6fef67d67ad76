package topology

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"switchboard/config/unit"
)

// entry reads the values of one topic, group or flow, and remembers where each came from and which
// were asked for.
type entry struct {
	section, name string
	at            *tree
	defaults      *tree // of topics; nil otherwise
	asked         []string
	places        places
	errs          *Errors
}

// places is where a value stands: section name key -> file:line.
type places map[[3]string]string

// find is the value of a key, from the entry or the defaults, or nil.
func (e *entry) find(key string) *tree {
	e.asked = append(e.asked, key)
	found := e.at.keys[key]
	if found == nil && e.defaults != nil {
		found = e.defaults.keys[key]
	}
	if found != nil {
		e.places[[3]string{e.section, e.name, key}] = found.place
	}
	return found
}

func (e *entry) fail(at *tree, key, problem string) {
	*e.errs = append(*e.errs, &Error{File: at.place, Section: e.section, Name: e.name, Key: key, Problem: problem})
}

// scalar is the text of a value that must not be a list, a mapping or null; false if there is none.
func (e *entry) scalar(key string) (*tree, string, bool) {
	at := e.find(key)
	if at == nil {
		return nil, "", false
	}
	if at.leaf == nil || at.leaf.Kind != yaml.ScalarNode || at.leaf.Tag == "!!null" {
		e.fail(at, key, "want one value")
		return nil, "", false
	}
	return at, strings.TrimSpace(at.leaf.Value), true
}

func (e *entry) text(key string) string {
	_, s, _ := e.scalar(key)
	return s
}

func (e *entry) number(key string, bits int) int64 {
	at, s, ok := e.scalar(key)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil || n < 1 {
		e.fail(at, key, strconv.Quote(s)+" is not a whole number of at least 1")
	}
	return n
}

func (e *entry) duration(key string) time.Duration {
	at, s, ok := e.scalar(key)
	if !ok {
		return 0
	}
	d, err := unit.ParseDuration(s)
	switch {
	case err != nil:
		e.fail(at, key, err.Error())
	case d < time.Millisecond || d%time.Millisecond != 0:
		e.fail(at, key, strconv.Quote(s)+" is not a whole number of milliseconds above 0")
	}
	return d
}

func (e *entry) bytes(key string) unit.Bytes {
	at, s, ok := e.scalar(key)
	if !ok {
		return 0
	}
	b, err := unit.ParseBytes(s)
	switch {
	case err != nil:
		e.fail(at, key, err.Error())
	case b == 0:
		e.fail(at, key, "must be more than 0")
	}
	return b
}

func (e *entry) list(key string) []string {
	at := e.find(key)
	if at == nil {
		return nil
	}
	if at.leaf == nil || at.leaf.Kind != yaml.SequenceNode {
		e.fail(at, key, "want a list, such as [a, b]")
		return nil
	}
	items := []string{}
	for _, item := range at.leaf.Content {
		if item.Kind != yaml.ScalarNode || slices.Contains(items, item.Value) {
			e.fail(at, key, "want a list of names, each once")
			return nil
		}
		items = append(items, item.Value)
	}
	return items
}

// settings is a mapping of Kafka's names to values, taken as text.
func (e *entry) settings(key string) map[string]string {
	at := e.find(key)
	if at == nil {
		return nil
	}
	if at.keys == nil {
		e.fail(at, key, "want a mapping of Kafka's topic settings to values")
		return nil
	}
	values := map[string]string{}
	for name, value := range at.keys {
		if value.leaf == nil || value.leaf.Kind != yaml.ScalarNode || value.leaf.Tag == "!!null" {
			e.fail(value, key+"."+name, "want one value")
			continue
		}
		values[name] = value.leaf.Value
	}
	return values
}

// finish complains about every key that nobody asked for.
func (e *entry) finish() {
	for _, key := range e.at.order {
		if !slices.Contains(e.asked, key) {
			e.fail(e.at.keys[key], key, "unknown key; known are "+strings.Join(slices.Sorted(slices.Values(e.asked)), ", "))
		}
	}
}
