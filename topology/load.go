package topology

import (
	"embed"
	"fmt"
	"os"
	"slices"
	"strings"
)

//go:embed *.yaml
var files embed.FS

const base = "topology.yaml"

// File is one YAML file: a base, or an overlay over it.
type File struct {
	Name string // for messages
	Data []byte
}

// Load reads topology.yaml, over it the overlay that this program has for the environment, if it has one (dev),
// and over that the given files, later ones winning. knownEvents are the names of all record types
// that flows may carry. The error is Errors, or that of a file that cannot be read.
func Load(env string, knownEvents []string, overlays ...string) (Topology, error) {
	data, err := files.ReadFile(base)
	if err != nil {
		return Topology{}, fmt.Errorf("read embedded topology: %w", err)
	}
	all := []File{{Name: base, Data: data}}
	if data, err := files.ReadFile(env + ".yaml"); err == nil && env+".yaml" != base {
		all = append(all, File{Name: env + ".yaml", Data: data})
	}
	for _, name := range overlays {
		data, err := os.ReadFile(name)
		if err != nil {
			return Topology{}, fmt.Errorf("read topology overlay: %w", err)
		}
		all = append(all, File{Name: name, Data: data})
	}
	return Parse(knownEvents, all...)
}

// Parse merges the files, later ones over earlier ones, and validates the result. The error is Errors.
func Parse(knownEvents []string, files ...File) (Topology, error) {
	var errs Errors
	var merged *tree
	for _, f := range files {
		t := parseTree(f.Name, f.Data, &errs)
		switch {
		case t == nil:
		case t.keys == nil:
			errs = append(errs, &Error{File: f.Name, Problem: "want topics, groups and flows"})
		case merged == nil:
			merged = t
		default:
			merged.overlay(t, 0, &errs)
		}
	}
	if merged == nil || len(errs) > 0 {
		return Topology{}, errs.err()
	}
	found := places{}
	topology := build(merged, found, &errs)
	if len(errs) > 0 { // rules about values that could not be read would only confuse
		return Topology{}, errs.err()
	}
	return topology, topology.validate(knownEvents, found).err()
}

// build turns the merged tree into a Topology, sorted by names.
func build(root *tree, found places, errs *Errors) Topology {
	var t Topology
	for _, key := range root.order {
		if !slices.Contains([]string{"defaults", "topics", "groups", "flows"}, key) {
			errs.add(root.keys[key].place, "", "", key, "unknown section; known are defaults, topics, groups, flows")
		}
	}
	defaults := root.keys["defaults"]
	for _, e := range entries(root, "topics", "topic", found, errs) {
		e.defaults = defaults
		t.Topics = append(t.Topics, e.topic())
	}
	for _, e := range entries(root, "groups", "group", found, errs) {
		t.Groups = append(t.Groups, Group{Name: e.name, Role: e.text("role"), Purpose: e.text("purpose")})
		e.finish()
	}
	for _, e := range entries(root, "flows", "flow", found, errs) {
		t.Flows = append(t.Flows, Flow{Topic: e.name, WrittenBy: e.list("written_by"), ReadBy: e.list("read_by"), Events: e.list("events")})
		e.finish()
	}
	if defaults != nil && defaults.keys != nil {
		known := []string{"replication", "min_insync", "max_message_bytes", "segment"}
		e := entry{section: "defaults", at: defaults, asked: known, places: found, errs: errs}
		e.finish()
	}
	return t
}

// entries is one entry for each name of a section, in ascending order of names.
func entries(root *tree, section, singular string, found places, errs *Errors) []*entry {
	at := root.keys[section]
	if at == nil {
		return nil
	}
	var list []*entry
	names := slices.Clone(at.order)
	slices.Sort(names)
	for _, name := range names {
		if at.keys[name].keys == nil {
			errs.add(at.keys[name].place, singular, name, "", "want a mapping")
			continue
		}
		found[[3]string{singular, name, ""}] = at.keys[name].place
		list = append(list, &entry{section: singular, name: name, at: at.keys[name], places: found, errs: errs})
	}
	return list
}

func (e *entry) topic() Topic {
	t := Topic{
		Name:             e.name,
		Kind:             Kind(e.text("kind")),
		Purpose:          e.text("purpose"),
		Key:              e.text("key"),
		PartitionBy:      e.text("partition_by"),
		Partitions:       int32(e.number("partitions", 32)),
		Replication:      int16(e.number("replication", 16)),
		MinInsync:        int16(e.number("min_insync", 16)),
		Policy:           e.list("cleanup_policy"),
		Retention:        e.duration("retention"),
		MinCompactionLag: e.duration("min_compaction_lag"),
		MaxCompactionLag: e.duration("max_compaction_lag"),
		DeleteRetention:  e.duration("delete_retention"),
		Segment:          e.duration("segment"),
		SegmentBytes:     e.bytes("segment_bytes"),
		MaxMessageBytes:  e.bytes("max_message_bytes"),
		Timestamp:        e.text("timestamp"),
		Settings:         e.settings("settings"),
	}
	slices.Sort(t.Policy)
	e.finish()
	return t
}

func (e *Errors) add(file, section, name, key string, problem ...string) {
	*e = append(*e, &Error{File: file, Section: section, Name: name, Key: key, Problem: strings.Join(problem, "")})
}
