package unit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// ParseDuration reads what time.ParseDuration reads, with whole days in front: 400d, 1d12h, 250ms. A
// number without a unit is an error, except 0.
func ParseDuration(s string) (time.Duration, error) {
	text := strings.TrimSpace(s)
	days, rest, hasDays := strings.Cut(text, "d")
	var total time.Duration
	if hasDays {
		n, err := strconv.ParseUint(days, 10, 31)
		if err != nil || n > uint64(math.MaxInt64/day) {
			return 0, notDuration(s)
		}
		total = time.Duration(n) * day
		if rest == "" {
			return total, nil
		}
		text = rest
	}
	d, err := time.ParseDuration(text)
	if err != nil || hasDays && d < 0 || d > math.MaxInt64-total {
		return 0, notDuration(s)
	}
	return total + d, nil
}

func notDuration(s string) error {
	return fmt.Errorf("%q is not a duration: want a number with a unit, such as 250ms, 5s, 6h or 14d", s)
}

// FormatDuration is the shortest form that ParseDuration reads back: 400d, 6h, 1m30s, 0s.
func FormatDuration(d time.Duration) string {
	if d <= 0 {
		return d.String()
	}
	var b strings.Builder
	if days := d / day; days > 0 {
		b.WriteString(strconv.FormatInt(int64(days), 10) + "d")
		d %= day
	}
	if hours := d / time.Hour; hours > 0 {
		b.WriteString(strconv.FormatInt(int64(hours), 10) + "h")
		d %= time.Hour
	}
	if minutes := d / time.Minute; minutes > 0 {
		b.WriteString(strconv.FormatInt(int64(minutes), 10) + "m")
		d %= time.Minute
	}
	if d > 0 {
		b.WriteString(d.String())
	}
	return b.String()
}
