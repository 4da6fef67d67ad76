package topology

import (
	"cmp"
	"slices"
	"strings"
)

// Error is one thing wrong with the files of a topology.
type Error struct {
	File    string // name:line of the value in question; empty if the topology came from no file
	Section string // topic, group, flow, defaults; empty for the file as a whole
	Name    string // of the topic, group or flow
	Key     string // such as retention; empty for the entry as a whole
	Problem string
}

// ExitCode is 2: files of a topology are config. (A cluster that differs is *Mismatch, and ends with 1.)
func (e *Error) ExitCode() int { return 2 }

// Error is file:line: section name: key: problem, without what is empty.
func (e *Error) Error() string {
	parts := []string{e.File, strings.TrimSpace(e.Section + " " + e.Name), e.Key, e.Problem}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": ")
}

// Errors is everything wrong at once, sorted by section, name and key.
type Errors []*Error

// Error is one line for each.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each one to errors.As.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// err is the sorted list, or nil if nothing is wrong.
func (e Errors) err() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Section, b.Section), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Problem, b.Problem))
	})
	return e
}
