package view

import (
	"strings"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// linked is the other device's side of links, which is kept while a link lasts.
const linked = "linked"

// LinksKey is the key of the links that a device declared or ended, a hash of other device to link.
func LinksKey(id event.Subject) string { return Links + ":" + string(id) }

// LinkedKey is the key of the devices that declare a link to another one, a hash of device to link. Links that ended are not in it.
func LinkedKey(other string) string { return linked + ":" + other }

// FormatEdge is a link as stored: its stamp, linked or unlinked, and its kind, which may be empty and hold spaces.
func FormatEdge(e *fold.Edge) string {
	word := " unlinked "
	if e.Linked {
		word = " linked "
	}
	return formatTimeStamp(&e.Stamp) + word + e.Kind
}

// ParseEdge reads what FormatEdge wrote.
func ParseEdge(s string) (*fold.Edge, error) {
	stamp, text, err := parseTimeStamp(s)
	word, kind, spaced := strings.Cut(text, " ")
	if err != nil || !spaced || word != "linked" && word != "unlinked" {
		return nil, errDevice
	}
	is := word == "linked"
	return &fold.Edge{Stamp: stamp, Linked: is, Was: is, Kind: kind}, nil
}

// readLinks asks for the edges that the queue touches.
func (d *Device) readLinks(ask func(key string, fields []string, fill func([]Value) error)) {
	if !d.set.Has(Links) || d.state.AllEdges {
		return
	}
	var names []string
	for _, q := range d.queue {
		other := fold.EdgeOf(q.event)
		if _, known := d.state.Edges[other]; other != "" && !known {
			d.state.Edges[other] = nil // asked; the answer replaces it
			names = append(names, other)
		}
	}
	if names == nil {
		return
	}
	ask(LinksKey(d.id), names, func(values []Value) error {
		for i, v := range values {
			if !v.OK {
				continue
			}
			edge, err := ParseEdge(v.Text)
			if err != nil {
				return err
			}
			d.state.Edges[names[i]] = edge
		}
		return nil
	})
}

func (d *Device) projectLinks(dst []Mutation) []Mutation {
	if len(d.state.Changed) == 0 {
		return dst
	}
	args := make([]string, 0, 2*len(d.state.Changed))
	for _, other := range d.state.Changed {
		args = append(args, other, FormatEdge(d.state.Edges[other]))
	}
	dst = append(dst, Mutation{SetFields, LinksKey(d.id), args})
	for i, other := range d.state.Changed {
		switch edge := d.state.Edges[other]; {
		case edge.Linked:
			dst = append(dst, Mutation{SetFields, LinkedKey(other), []string{string(d.id), args[2*i+1]}})
		case edge.Was:
			dst = append(dst, Mutation{DropFields, LinkedKey(other), []string{string(d.id)}})
		}
	}
	return dst
}
