package console

import (
	"math"
	"strings"
)

const blocks = "▁▂▃▄▅▆▇█"

// sparkline draws values in at most so many columns, the largest as a full block; 0 is a dot and NaN a gap. When there are
// more values than columns, neighbours share one, as their mean.
func sparkline(values []float64, columns int) string {
	if len(values) > columns {
		values = squeeze(values, columns)
	}
	top := 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			top = max(top, v)
		}
	}
	block := []rune(blocks)
	var b strings.Builder
	for _, v := range values {
		switch {
		case math.IsNaN(v):
			b.WriteByte(' ')
		case v <= 0 || top == 0:
			b.WriteRune('·')
		default:
			b.WriteRune(block[min(int(v/top*float64(len(block))), len(block)-1)])
		}
	}
	return b.String()
}

func squeeze(values []float64, columns int) []float64 {
	out := make([]float64, columns)
	for i := range out {
		from, to := i*len(values)/columns, (i+1)*len(values)/columns
		sum, n := 0.0, 0
		for _, v := range values[from:to] {
			if !math.IsNaN(v) {
				sum += v
				n++
			}
		}
		out[i] = math.NaN()
		if n > 0 {
			out[i] = sum / float64(n)
		}
	}
	return out
}

// gauge is a bar of up to so many columns, in eighths.
func gauge(part, whole float64, columns int) string {
	if whole <= 0 || part <= 0 {
		return ""
	}
	eighths := int(math.Round(part / whole * float64(8*columns)))
	if eighths == 0 {
		return "▏"
	}
	bar := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return bar
}
