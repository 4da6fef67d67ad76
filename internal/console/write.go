package console

import (
	"encoding/json"
	"fmt"
	"io"
)

// Answer is what every query comes to.
type Answer interface {
	// Text writes the answer for people.
	Text(w io.Writer, s Style) error
}

// Write writes an answer as table (or "") or json, and indicators as bandicoot. Timelines as csv and bandicoot are
// streams: see Console.Stream.
func Write(w io.Writer, a Answer, format string, s Style) error {
	switch format {
	case "table", "":
		return a.Text(w, s)
	case "json":
		return JSON(w, a)
	case "bandicoot":
		if i, ok := a.(*IndicatorsAnswer); ok {
			return i.Bandicoot(w)
		}
	}
	return &BadQuery{"format", fmt.Sprintf("%q is not one of this query's", format)}
}

// JSON writes an answer as JSON, indented.
func JSON(w io.Writer, a Answer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(a)
}
