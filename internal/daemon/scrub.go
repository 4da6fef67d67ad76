package daemon

import (
	"regexp"
	"slices"
	"strings"
)

const scrubbedNumber = "[number]"

// minDigits is the length of the shortest text taken for a phone number.
const minDigits = 7

// safe is what holds long runs of digits and nothing of people. Anything else that looks like a number is taken for one.
var safe = regexp.MustCompile(`(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b` + // event ids
	`|/[0-9]{1,5}@[0-9]+(?:\.\.[0-9]+)?` + // positions, topic/7@123 and topic/7@123..456
	`|\bv[0-9]+\.[0-9]+\.[0-9]+-[0-9a-z.-]+` + // versions of modules
	`|:[0-9]{2}:[0-9]{2}\.[0-9]+` + // fractions of a clock's second
	`|\b[0-9]+\.[0-9]+(?:ns|us|µs|ms|s)\b` + // durations
	`|\b[0-9a-f]{16,}\b`) // digests and fingerprints; see safeSpans

// Scrub replaces what looks like a phone number in s by [number]: after a plus, 7 digits or more with separators between them;
// else 7 digits or more in a row, that are not part of an event id, a position, a version, a time or a digest.
// It is a backstop for what nobody should have logged.
func Scrub(s string) string {
	if !hasNumber(s) {
		return s
	}
	var b strings.Builder
	for done, spans := 0, safeSpans(s); done < len(s); {
		if len(spans) > 0 && done == spans[0][0] {
			b.WriteString(s[done:spans[0][1]])
			done, spans = spans[0][1], spans[1:]
			continue
		}
		limit := len(s)
		if len(spans) > 0 {
			limit = spans[0][0]
		}
		end, isNumber := scan(s, done, limit)
		if isNumber {
			b.WriteString(scrubbedNumber)
		} else {
			b.WriteString(s[done:end])
		}
		done = end
	}
	return b.String()
}

// hasNumber is a cheap look: whether minDigits digits stand close enough together that Scrub must look.
func hasNumber(s string) bool {
	digits, gap := 0, 0
	for i := range len(s) {
		if isDigit(s[i]) {
			digits, gap = digits+1, 0
			if digits >= minDigits {
				return true
			}
		} else if gap++; gap > maxGap {
			digits = 0
		}
	}
	return false
}

// safeSpans is where s must stay as it is. A match of digits alone is none: a digest has letters too.
func safeSpans(s string) [][]int {
	onlyDigits := func(span []int) bool { return strings.Trim(s[span[0]:span[1]], "0123456789") == "" }
	return slices.DeleteFunc(safe.FindAllStringIndex(s, -1), onlyDigits)
}

// maxGap is how many separators may stand between two digits of a number.
const maxGap = 2

// scan reads from start to the end of what may be a number, or else over one byte or one run of digits, and not beyond limit.
func scan(s string, start, limit int) (end int, isNumber bool) {
	plus := s[start] == '+'
	if !plus && !isDigit(s[start]) {
		return start + 1, false
	}
	digits, gap := 0, 0
	end = start + 1
	if !plus {
		digits = 1
	}
	for i := start + 1; i < limit; i++ {
		switch {
		case isDigit(s[i]):
			digits, gap, end = digits+1, 0, i+1
			continue
		case plus && gap < maxGap && strings.IndexByte(" -./()", s[i]) >= 0:
			gap++
			continue
		}
		break
	}
	return end, digits >= minDigits
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
