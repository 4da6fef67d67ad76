package console

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

var weekdays = [7]string{"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"}

// shades are the steps of a heat map without colours; heatColors those with: 256-colour backgrounds from dark blue over
// green to yellow, so that they differ in lightness too.
var (
	shades     = [...]string{"·", "░", "▒", "▓", "█"}
	heatColors = [...]int{236, 17, 24, 30, 36, 42, 113, 184, 220}
)

// heatMap draws 7 days by 24 hours in 80 columns, with the totals of each day on the right, those of each hour below,
// and a legend. unit is what the numbers are.
func (p *printer) heatMap(m *[7][24]int64, unit string) {
	var most, whole int64
	var hours [24]int64
	var days [7]int64
	for d := range m {
		for h, v := range m[d] {
			most, whole = max(most, v), whole+v
			hours[h] += v
			days[d] += v
		}
	}
	p.line("   " + p.dim(hourScale()+"  all"))
	for d := range m {
		var b strings.Builder
		b.WriteString(weekdays[d] + " ")
		for _, v := range m[d] {
			b.WriteString(p.heatCell(v, most))
		}
		p.line(b.String() + pad(fit(days[d], 4), 5))
	}
	for i, line := range hourTotals(&hours) {
		if i == 0 {
			line += pad(fit(whole, 4), 5)
		}
		p.line("   " + p.dim(line))
	}
	p.line("   " + p.bar(hourBars(&hours)))
	p.legend(most, unit)
}

// heatCell is three columns: with colours the number on its step, without a shade. Zero is faint.
func (p *printer) heatCell(v, most int64) string {
	if !p.Color {
		return strings.Repeat(shades[step(v, most, len(shades))], 2) + " "
	}
	n := step(v, most, len(heatColors))
	text := pad(fit(v, 3), 3)
	if v == 0 {
		text = "  ·"
	}
	ink := 252
	if n >= 5 {
		ink = 16 // black on bright
	}
	return fmt.Sprintf("\x1b[38;5;%d;48;5;%dm%s\x1b[0m", ink, heatColors[n], text)
}

// step is which of n steps a value has: 0 for none, the last for the most.
func step(v, most int64, n int) int {
	if v <= 0 || most <= 0 {
		return 0
	}
	return 1 + int((v-1)*int64(n-1)/most)
}

func hourScale() string {
	var b strings.Builder
	for h := range 24 {
		b.WriteString(fmt.Sprintf("%02d ", h))
	}
	return b.String()
}

// hourTotals are the totals below their columns: in one line, or when they are wider than two digits in two, the even hours
// above the odd ones.
func hourTotals(hours *[24]int64) []string {
	var one, even, odd strings.Builder
	wide := false
	odd.WriteString("   ")
	for h, v := range hours {
		wide = wide || v > 99
		one.WriteString(pad(fit(v, 3), 2) + " ")
		if h%2 == 0 {
			even.WriteString(left(fit(v, 5), 6))
		} else {
			odd.WriteString(left(fit(v, 5), 6))
		}
	}
	if !wide {
		return []string{one.String()}
	}
	return []string{even.String(), odd.String()}
}

func hourBars(hours *[24]int64) string {
	values := make([]float64, 24)
	for h, v := range hours {
		values[h] = float64(v)
	}
	var b strings.Builder
	for _, r := range sparkline(values, 24) {
		b.WriteString(strings.Repeat(string(r), 2) + " ")
	}
	return b.String()
}

// legend tells what a step stands for.
func (p *printer) legend(most int64, unit string) {
	var b strings.Builder
	if p.Color {
		for n := range heatColors {
			b.WriteString(fmt.Sprintf("\x1b[48;5;%dm  \x1b[0m", heatColors[n]))
		}
		p.line("   0 " + b.String() + " " + count(most) + " " + unit)
		return
	}
	for n, shade := range shades {
		if low, high, ok := stepRange(n, most); ok {
			b.WriteString("  " + shade + shade + " " + rangeName(low, high))
		}
	}
	p.line(" " + b.String() + "  " + unit)
}

// stepRange are the values of a step of shades; not ok: it has none.
func stepRange(n int, most int64) (low, high int64, ok bool) {
	if n == 0 {
		return 0, 0, true
	}
	steps := int64(len(shades) - 1)
	low = (int64(n-1)*most+steps-1)/steps + 1
	high = (int64(n)*most + steps - 1) / steps
	return low, high, low <= high
}

func rangeName(low, high int64) string {
	if low == high {
		return count(low)
	}
	return count(low) + "–" + count(high)
}

func pad(t string, columns int) string {
	return strings.Repeat(" ", max(columns-utf8.RuneCountInString(t), 0)) + t
}

func left(t string, columns int) string {
	return t + strings.Repeat(" ", max(columns-utf8.RuneCountInString(t), 0))
}
