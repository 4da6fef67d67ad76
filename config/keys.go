package config

import (
	"reflect"
	"strings"
)

const envPrefix = "SWITCHBOARD_"

// noKeys are variables with our prefix that are no keys; a * ends a family.
var noKeys = []string{
	"SWITCHBOARD_LOCAL_DIR", "SWITCHBOARD_LONG", "SWITCHBOARD_REQUIRE_REAL", "SWITCHBOARD_BACKEND_*", "SWITCHBOARD_TEST_*",
}

func isNoKey(variable string) bool {
	for _, known := range noKeys {
		family, isFamily := strings.CutSuffix(known, "*")
		if variable == known || isFamily && strings.HasPrefix(variable, family) {
			return true
		}
	}
	return false
}

// leaf is one key that has a value.
type leaf struct {
	key  string // kafka.sasl.password
	kind reflect.Type
}

func (l leaf) secret() bool { return l.kind == reflect.TypeFor[Secret]() }

// variable is the name of its environment variable.
func (l leaf) variable() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(l.key, ".", "_"))
}

// leaves are all keys, in the order of the structs.
var leaves = leavesOf(reflect.TypeFor[Config](), "")

func leavesOf(t reflect.Type, under string) []leaf {
	var found []leaf
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("mapstructure")
		switch {
		case name == "-":
		case f.Type.Kind() == reflect.Struct:
			found = append(found, leavesOf(f.Type, under+name+".")...)
		default:
			found = append(found, leaf{key: under + name, kind: f.Type})
		}
	}
	return found
}

func leafOf(key string) (leaf, bool) {
	for _, l := range leaves {
		if l.key == key {
			return l, true
		}
	}
	return leaf{}, false
}

// isSection says whether there are keys below key.
func isSection(key string) bool {
	for _, l := range leaves {
		if strings.HasPrefix(l.key, key+".") {
			return true
		}
	}
	return false
}

// nearest is the hint for a name that nobody knows: the known one that differs least, if it is near.
func nearest(name string, known []string) string {
	best, distance := "", 1+len(name)/4
	for _, k := range known {
		if d := editDistance(name, k); d <= distance {
			best, distance = k, d-1
		}
	}
	if best == "" {
		return "default.yaml lists every key"
	}
	return "did you mean " + best + "?"
}

// editDistance is the number of letters to insert, delete or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
