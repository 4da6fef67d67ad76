package indicator

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Equal tells whether a figure equals a reference: |got - ref| <= 1e-9 |ref| + 1e-12.
func Equal(got, ref float64) bool { return math.Abs(got-ref) <= 1e-9*math.Abs(ref)+1e-12 }

// Comparable tells whether a key of bandicoot's flat export is an indicator that this package computes from
// reports alone: not the name, the reporting, or what needs coordinates.
func Comparable(key string) bool {
	return key != "name" && !strings.HasPrefix(key, "reporting__") && !strings.HasPrefix(key, "radius_of_gyration__")
}

// Differences compares with a reference and lists key, got and want of what differs, in order of keys. A key that
// only one side has differs; keys that are not Comparable are passed over. Where the table's standard deviation
// is 0, the reference's skewness and kurtosis are rounding noise and pass unless missing. compared counts all
// comparable keys, those included.
func (t Table) Differences(reference map[string]*float64) (differences []string, compared int) {
	for key, got := range t.All() {
		want, has := reference[key]
		switch {
		case !has:
			differences = append(differences, fmt.Sprintf("%s: got %s, not in the reference", key, figure(got)))
			continue
		case (got == nil) != (want == nil), got != nil && !Equal(*got, *want) && !t.noise(key):
			differences = append(differences, fmt.Sprintf("%s: got %s, want %s", key, figure(got), figure(want)))
		}
		compared++
	}
	var missing []string
	for key, want := range reference { // order-free: sorted below
		if _, has := t.Lookup(key); !has && Comparable(key) {
			missing = append(missing, fmt.Sprintf("%s: missing, want %s", key, figure(want)))
		}
	}
	slices.Sort(missing)
	return append(differences, missing...), compared
}

// noise tells whether the key is the skewness or kurtosis of equal values.
func (t Table) noise(key string) bool {
	for _, stat := range []string{"__skewness", "__kurtosis"} {
		if of, is := strings.CutSuffix(key, stat); is {
			std, _ := t.Lookup(of + "__std")
			return std != nil && *std == 0
		}
	}
	return false
}

func figure(v *float64) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(*v)
}
