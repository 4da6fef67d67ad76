package topology

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tree is YAML that remembers which file and line each value came from, so that a value can be
// overridden by a later file and a complaint still names the right one.
type tree struct {
	place string           // file:line
	keys  map[string]*tree // of a mapping
	order []string         // keys as first seen
	leaf  *yaml.Node       // a scalar or a list of scalars
}

// parseTree reads one file. Errors name file and line.
func parseTree(file string, data []byte, errs *Errors) *tree {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		*errs = append(*errs, &Error{File: file, Problem: strings.TrimPrefix(err.Error(), "yaml: ")})
		return nil
	}
	if len(doc.Content) == 0 {
		return &tree{place: file, keys: map[string]*tree{}}
	}
	return growTree(file, doc.Content[0], errs)
}

func growTree(file string, n *yaml.Node, errs *Errors) *tree {
	t := &tree{place: fmt.Sprintf("%s:%d", file, n.Line)}
	switch n.Kind {
	case yaml.MappingNode:
		t.keys = map[string]*tree{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if t.keys[key.Value] != nil {
				*errs = append(*errs, &Error{File: fmt.Sprintf("%s:%d", file, key.Line), Key: key.Value, Problem: "given twice"})
				continue
			}
			child := growTree(file, n.Content[i+1], errs)
			child.place = fmt.Sprintf("%s:%d", file, key.Line)
			t.keys[key.Value] = child
			t.order = append(t.order, key.Value)
		}
	case yaml.AliasNode:
		*errs = append(*errs, &Error{File: t.place, Problem: "anchors and aliases are not used here: write the value"})
		t.leaf = &yaml.Node{Kind: yaml.ScalarNode, Line: n.Line}
	default:
		t.leaf = n
	}
	return t
}

// overlay puts o over t: mappings key by key, anything else as a whole. Above depth 2 (section,
// name) a key that t lacks is an error: an overlay changes, it does not add.
func (t *tree) overlay(o *tree, depth int, errs *Errors) {
	for _, key := range o.order {
		over, under := o.keys[key], t.keys[key]
		switch {
		case under == nil && depth < 2:
			*errs = append(*errs, &Error{File: over.place, Key: key, Problem: "an overlay changes what is there and cannot add to it: no such name below it"})
		case under != nil && under.keys != nil && over.keys != nil:
			under.overlay(over, depth+1, errs)
		default:
			if under == nil {
				t.order = append(t.order, key)
			}
			t.keys[key] = over
		}
	}
}
