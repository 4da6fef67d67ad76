package daemon

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// NewLogger writes lines of level (debug, info, warn, error) and above to w, in format text or json. Every text in them goes
// through Scrub; numbers do not.
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	options := &slog.HandlerOptions{ReplaceAttr: scrubAttr}
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	at, ok := levels[level]
	if !ok {
		return nil, fmt.Errorf("log level %q: want debug, info, warn or error", level)
	}
	options.Level = at
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("log format %q: want text or json", format)
}

// verbatim is text that is known to hold nothing of people.
type verbatim string

// scrubAttr is Scrub for whatever an attribute may be. Numbers, times and durations are kinds of their own and pass.
func scrubAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(Scrub(a.Value.String()))
	case slog.KindAny:
		a.Value = scrubAny(a.Value)
	}
	return a
}

func scrubAny(v slog.Value) slog.Value {
	switch x := v.Any().(type) {
	case nil, slog.Level, *slog.Source:
		return v
	case verbatim:
		return slog.StringValue(string(x))
	case error:
		return slog.StringValue(Scrub(x.Error()))
	case fmt.Stringer:
		return slog.StringValue(Scrub(x.String()))
	case encoding.TextMarshaler:
		if text, err := x.MarshalText(); err == nil {
			return slog.StringValue(Scrub(string(text)))
		}
	case []byte:
		return slog.StringValue(Scrub(string(x)))
	}
	return scrubTree(v)
}

// scrubTree is for structs, maps and lists: as JSON, whose texts are scrubbed and whose numbers are not. What holds
// nothing to scrub stays as it is.
func scrubTree(v slog.Value) slog.Value {
	data, err := json.Marshal(v.Any())
	if err != nil { // a func or a channel: its print holds no text of ours
		return slog.StringValue(Scrub(fmt.Sprint(v.Any())))
	}
	var tree any
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if decoder.Decode(&tree) != nil {
		return slog.StringValue(Scrub(string(data)))
	}
	changed := false
	tree = scrubJSON(tree, &changed)
	if !changed {
		return v
	}
	return slog.AnyValue(tree)
}

func scrubJSON(tree any, changed *bool) any {
	switch x := tree.(type) {
	case string:
		s := Scrub(x)
		*changed = *changed || s != x
		return s
	case []any:
		for i := range x {
			x[i] = scrubJSON(x[i], changed)
		}
	case map[string]any:
		clean := make(map[string]any, len(x))
		for key, value := range x {
			k := Scrub(key)
			*changed = *changed || k != key
			clean[k] = scrubJSON(value, changed)
		}
		return clean
	}
	return tree
}
