package config

import (
	"cmp"
	"slices"
	"strings"
)

// Error is one thing wrong with the config. A program that meets it ends with ExitCode. It never holds the value
// of a secret.
type Error struct {
	Key     string // such as kafka.brokers, or the variable or file that is no key
	Problem string
	Hint    string // what to do, perhaps empty
}

// ExitCode is how a program ends that cannot run with its config.
const ExitCode = 2

// ExitCode tells whoever runs a process what it should end with.
func (e *Error) ExitCode() int { return ExitCode }

// Error is key: problem (hint).
func (e *Error) Error() string {
	s := e.Key + ": " + e.Problem
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Errors is everything wrong at once, sorted by key.
type Errors []*Error

// Error is a line for each.
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

func (e *Errors) add(key, problem, hint string) {
	*e = append(*e, &Error{Key: key, Problem: problem, Hint: hint})
}

// err is the sorted list, or nil if nothing is wrong.
func (e Errors) err() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Problem, b.Problem))
	})
	return e
}
