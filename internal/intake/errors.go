package intake

import (
	"fmt"

	"switchboard/internal/event"
)

// OptionError says which of FileOptions is wrong, whatever the file holds.
type OptionError struct{ Problem string }

func (e *OptionError) Error() string { return e.Problem }

func badOption(format string, args ...any) error { return &OptionError{fmt.Sprintf(format, args...)} }

// Errors are the problems of one item, at most 20, in the order of the fields. A problem of the item as a
// whole, such as broken JSON, has no field. Nothing in it quotes a value of the input, names of
// unknown fields excepted.
type Errors []*event.FieldError

// Error is the first problem, such as `duration_s: must be >= 0`.
func (e Errors) Error() string { return e.first("") }

// In is the first problem with the place of the item in front, such as
// `items[3].duration_s: must be >= 0`.
func (e Errors) In(item string) string { return e.first(item) }

func (e Errors) first(item string) string {
	if len(e) == 0 {
		return item
	}
	switch p := e[0]; {
	case p.Field == "" && item == "":
		return p.Problem
	case p.Field == "":
		return item + ": " + p.Problem
	case item == "":
		return p.Error()
	default:
		return item + "." + p.Error()
	}
}

// Unwrap gives the single problems to errors.As.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i, p := range e {
		list[i] = p
	}
	return list
}

func problem(field, text string) Errors { return Errors{{Field: field, Problem: text}} }

// maxProblems bounds what one item can make us say.
const maxProblems = 20

func (e *Errors) add(field, text string) {
	if len(*e) >= maxProblems {
		return
	}
	*e = append(*e, &event.FieldError{Field: field, Problem: text})
}

func (e *Errors) check(field string, ok bool, text string) {
	if !ok {
		e.add(field, text)
	}
}
