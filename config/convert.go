package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/config/unit"
)

// convert turns what YAML or the environment gave for a key into its type. YAML gives strings, numbers,
// booleans and lists, the environment strings only. Nothing is rounded, cut or guessed. Its errors show
// the value, except of a secret or an API key.
func convert(raw any, to reflect.Type) (any, error) {
	if to.Kind() == reflect.Slice {
		return convertList(raw, to)
	}
	if to.Kind() == reflect.String { // never from a number: 007 and 1e3 would come out as something else
		s, isString := raw.(string)
		switch {
		case !isString:
			return nil, errors.New("want text: put it in quotes")
		case to == reflect.TypeFor[Secret]():
			return Secret(s), nil
		}
		return strings.TrimSpace(s), nil
	}
	text, isText := scalarText(raw)
	if !isText {
		return nil, fmt.Errorf("want %s", wanted(to))
	}
	switch to {
	case reflect.TypeFor[APIKey]():
		return parseAPIKey(text)
	case reflect.TypeFor[SchemaID]():
		return parseSchemaID(text)
	case reflect.TypeFor[time.Duration]():
		return unit.ParseDuration(text)
	case reflect.TypeFor[unit.Bytes]():
		return unit.ParseBytes(text)
	case reflect.TypeFor[bool]():
		if text == "true" || text == "false" {
			return text == "true", nil
		}
	case reflect.TypeFor[int]():
		if n, err := strconv.Atoi(text); err == nil {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%q: want %s", text, wanted(to))
}

// scalarText is how a person would have written a scalar.
func scalarText(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return strings.TrimSpace(v), true
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

// convertList takes a list, or text with commas between items.
func convertList(raw any, to reflect.Type) (any, error) {
	var items []any
	switch v := raw.(type) {
	case []any:
		items = v
	case string:
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
	default:
		return nil, errors.New("want a list")
	}
	list := reflect.MakeSlice(to, 0, len(items))
	for i, item := range items {
		one, err := convert(item, to.Elem())
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		list = reflect.Append(list, reflect.ValueOf(one))
	}
	return list.Interface(), nil
}

func wanted(to reflect.Type) string {
	switch to {
	case reflect.TypeFor[bool]():
		return "true or false"
	case reflect.TypeFor[int]():
		return "a whole number"
	}
	return "one value, as default.yaml shows it"
}

// hook is convert as viper's decoder calls it: before each value, with the type of its field.
func hook(from, to reflect.Type, raw any) (any, error) {
	isLeaf := func(l leaf) bool { return l.kind == to }
	if from == to || !slices.ContainsFunc(leaves, isLeaf) {
		return raw, nil
	}
	return convert(raw, to)
}
