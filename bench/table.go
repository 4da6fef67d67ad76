package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
)

// row is one line of the table. What does not apply is nil.
type row struct {
	Row   string   `json:"row"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit"`
	Limit *float64 `json:"limit"` // the same thing without what we add, in the same unit
	Ratio *float64 `json:"ratio"` // of speeds: value to limit where they are rates, limit to value where they are times
	Goal  *float64 `json:"goal"`  // of the ratio if there is one, else of the value
	Met   *bool    `json:"met"`

	by string // what limits it, for people
}

// figure is a row that is compared with nothing.
func figure(name string, value float64, unit, by string) row {
	return row{Row: name, Value: value, Unit: unit, by: by}
}

// against is a row that must reach goal times its limit.
func against(name string, value float64, unit string, limit, goal float64, by string) row {
	ratio := value / limit
	met := ratio >= goal
	return row{Row: name, Value: value, Unit: unit, Limit: &limit, Ratio: &ratio, Goal: &goal, Met: &met, by: by}
}

// beside is a row of a rate beside another one, with no goal.
func beside(name string, value float64, unit string, limit float64, by string) row {
	ratio := value / limit
	return row{Row: name, Value: value, Unit: unit, Limit: &limit, Ratio: &ratio, by: by}
}

// faster is a row of a time: its speed must reach goal times that of its limit.
func faster(name string, value float64, unit string, limit, goal float64, by string) row {
	r := share(name, value, unit, limit, by)
	met := *r.Ratio >= goal
	r.Goal, r.Met = &goal, &met
	return r
}

// share is a row of a time beside its limit, with no goal.
func share(name string, value float64, unit string, limit float64, by string) row {
	ratio := limit / value
	return row{Row: name, Value: value, Unit: unit, Limit: &limit, Ratio: &ratio, by: by}
}

// below is a row whose value must not exceed goal.
func below(name string, value float64, unit string, goal float64, by string) row {
	met := value <= goal
	return row{Row: name, Value: value, Unit: unit, Goal: &goal, Met: &met, by: by}
}

func printTable(w io.Writer, rows []row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ROW\tVALUE\tUNIT\tLIMIT\tRATIO\tGOAL\tMET\tLIMITED BY")
	for _, r := range rows {
		ratio, goal, met := "", "", ""
		if r.Ratio != nil {
			ratio = fmt.Sprintf("%.2f", *r.Ratio)
		}
		switch {
		case r.Goal != nil && r.Ratio != nil:
			goal = fmt.Sprintf(">= %.2g", *r.Goal)
		case r.Goal != nil:
			goal = "<= " + number(*r.Goal)
		}
		if r.Met != nil {
			met = map[bool]string{true: "yes", false: "NO"}[*r.Met]
		}
		limit := ""
		if r.Limit != nil {
			limit = number(*r.Limit)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Row, number(r.Value), r.Unit, limit, ratio, goal, met, r.by)
	}
	t.Flush()
}

// number has three digits that count below 100, and separators of thousands above.
func number(v float64) string {
	if math.Abs(v) < 100 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	var b strings.Builder
	for i, d := range digits {
		if n := len(digits) - i; i > 0 && n%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

func writeJSON(dir, name string, v any) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), append(text, '\n'), 0o644)
}
