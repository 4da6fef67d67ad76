package console

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Style is what the reader's screen can do.
type Style struct {
	Color bool // ANSI colours, 256 of them
	Width int  // columns; 0: 80
}

func (s Style) width() int {
	if s.Width <= 0 {
		return 80
	}
	return max(s.Width, 40)
}

func (s Style) paint(code, t string) string {
	if !s.Color || t == "" {
		return t
	}
	return "\x1b[" + code + "m" + t + "\x1b[0m"
}

func (s Style) bold(t string) string { return s.paint("1", t) }
func (s Style) dim(t string) string  { return s.paint("2", t) }
func (s Style) warn(t string) string { return s.paint("33", t) }
func (s Style) bar(t string) string  { return s.paint("36", t) }

// printer writes lines and keeps the first error.
type printer struct {
	Style
	w   io.Writer
	err error
}

func (s Style) printer(w io.Writer) *printer { return &printer{Style: s, w: w} }

func (p *printer) line(t string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, strings.TrimRight(t, " ")+"\n")
	}
}

// title is a heading, and what belongs on its right if there is room.
func (p *printer) title(left, right string) {
	gap := p.width() - utf8.RuneCountInString(left) - utf8.RuneCountInString(right)
	if gap < 2 {
		p.line(p.bold(left))
		p.line(p.dim(right))
		return
	}
	p.line(p.bold(left) + strings.Repeat(" ", gap) + p.dim(right))
}

// wrapped writes words in as many lines as they need.
func (p *printer) wrapped(first string, words []string, paint func(string) string) {
	line := first
	for i, word := range words {
		if i > 0 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > p.width() {
			p.line(paint(line))
			line = strings.Repeat(" ", utf8.RuneCountInString(first))
		} else if i > 0 {
			line += " "
		}
		line += word
	}
	p.line(paint(line))
}

// para is a text in as many lines as it needs.
func (p *printer) para(t string, paint func(string) string) { p.wrapped("", strings.Fields(t), paint) }

// table writes rows; a column whose header begins with > is aligned to the right, one without any value is left
// out. Without a header the rows stand alone.
func (p *printer) table(header []string, rows [][]string) {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Box = table.StyleBoxLight
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Options = table.Options{SeparateHeader: true}
	style.Format = table.FormatOptions{}
	t.SetStyle(style)
	configs := make([]table.ColumnConfig, len(header))
	head := make(table.Row, len(header))
	for i, h := range header {
		name, right := strings.CutPrefix(h, ">")
		head[i] = p.bold(name)
		configs[i] = table.ColumnConfig{Number: i + 1, Align: text.AlignLeft, AlignHeader: text.AlignLeft, Hidden: empty(rows, i)}
		if right {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	t.SetColumnConfigs(configs)
	if header != nil {
		t.AppendHeader(head)
	}
	for _, r := range rows {
		t.AppendRow(cells(r))
	}
	for line := range strings.Lines(t.Render()) {
		p.line(strings.TrimRight(line, " \n"))
	}
}

func empty(rows [][]string, column int) bool {
	for _, r := range rows {
		if r[column] != "" {
			return false
		}
	}
	return true
}

func cells(values []string) table.Row {
	row := make(table.Row, len(values))
	for i, v := range values {
		row[i] = v
	}
	return row
}

func repeat(t string, n int) string { return strings.Repeat(t, max(n, 0)) }

// count is a number with commas.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// counted is a number of things: 1 place, 2 places.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return count(int64(n)) + " " + thing
}

// some is a number, and a dot for 0.
func some(n int64) string {
	if n == 0 {
		return "·"
	}
	return count(n)
}

// talk is seconds as h:mm:ss or m:ss, and a dot for 0.
func talk(seconds int64) string {
	switch {
	case seconds == 0:
		return "·"
	case seconds < 0:
		return "-" + talk(-seconds)
	case seconds < 3600:
		return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%s:%02d:%02d", count(seconds/3600), seconds/60%60, seconds%60)
}

// age is a duration in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// figure is a computed number with as many digits as tell something; "–" for unknown.
func figure(v *float64) string {
	if v == nil {
		return "–"
	}
	switch x := *v; {
	case x == math.Trunc(x) && math.Abs(x) < 1e15:
		return count(int64(x))
	case math.Abs(x) >= 1000:
		return count(int64(math.Round(x)))
	case math.Abs(x) >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	default:
		return strconv.FormatFloat(x, 'f', 3, 64)
	}
}

// brief is figure in six columns at most.
func brief(v float64) string {
	switch x := math.Abs(v); {
	case x >= 1e9:
		return strconv.FormatFloat(v, 'e', 0, 64)
	case x >= 1e6:
		return strconv.FormatFloat(v/1e6, 'f', 1, 64) + "M"
	case x >= 1e5:
		return strconv.FormatFloat(v/1e3, 'f', 0, 64) + "k"
	case x >= 1e4:
		return strconv.FormatFloat(v/1e3, 'f', 1, 64) + "k"
	}
	return figure(&v)
}

// fit is a whole number in so many columns, at least three: exact if it can be, else 12k, .4M, 12M.
func fit(n int64, columns int) string {
	if digits := strconv.FormatInt(n, 10); len(digits) <= columns {
		return digits
	}
	switch {
	case n < 100_000:
		return strconv.FormatInt(n/1000, 10) + "k"
	case n < 1_000_000:
		return "." + strconv.FormatInt(n/100_000, 10) + "M"
	case n < 100_000_000:
		return strconv.FormatInt(n/1_000_000, 10) + "M"
	}
	return ">>>"
}

// instant is an instant in UTC, to the second.
func instant(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05Z") }

// stamp is an instant in JSON.
func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.999Z07:00") }

// local is an instant as the reporter's clock showed it.
func local(ms int64, offsetS int32) time.Time {
	return time.UnixMilli(ms).In(time.FixedZone("", int(offsetS)))
}
