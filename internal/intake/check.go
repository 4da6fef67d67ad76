package intake

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"switchboard/internal/event"
)

const (
	minMs          = -62_135_596_800_000 // the year 1
	maxTextBytes   = 256
	maxReasonBytes = 1024
	maxRingS       = 86_400
	maxLatE7       = 900_000_000
	maxLonE7       = 1_800_000_000
)

var (
	mostDuration = fmt.Sprintf("must be <= %d", event.MaxDurationS)
	mostRing     = fmt.Sprintf("must be <= %d", maxRingS)
	oneOutcome   = "must be one of " + strings.Join(event.Outcomes(), ", ")
)

// text checks a text that names something: bounded, UTF-8, no control characters.
func (e *Errors) text(field, s string) { e.textUpTo(field, s, maxTextBytes) }

func (e *Errors) textUpTo(field, s string, most int) {
	switch {
	case len(s) > most:
		e.add(field, fmt.Sprintf("must be at most %d bytes", most))
	case !utf8.ValidString(s):
		e.add(field, "must be UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		e.add(field, "must not contain control characters")
	}
}

// checkTime checks when it was; field is started_at or occurred_at.
func checkTime(field string, ms int64, now time.Time, bad *Errors) {
	bad.check(field, ms != 0, "is required")
	bad.check(field, ms >= minMs, "must lie in the years 1 to 9999")
	bad.check(field, ms <= now.Add(MaxAhead).UnixMilli(), "must not be more than 5 minutes in the future")
}

// checkCall checks what only calls have, and that a text has none of it.
func checkCall(s *event.Submitted, text bool, now time.Time, bad *Errors) {
	bad.check("duration_s", s.DurationS >= 0, "must be >= 0")
	bad.check("duration_s", s.DurationS <= event.MaxDurationS, mostDuration)
	bad.check("ring_s", s.RingS >= 0, "must be >= 0")
	bad.check("ring_s", s.RingS <= maxRingS, mostRing)
	if s.AnsweredAt != 0 && !text {
		bad.check("answered_at", s.AnsweredAt >= s.StartedAt, "must not be before started_at")
		bad.check("answered_at", s.AnsweredAt <= now.Add(MaxAhead).UnixMilli(), "must not be more than 5 minutes in the future")
	}
	if !text {
		return
	}
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"duration_s", s.DurationS > 0}, {"ring_s", s.RingS > 0}, {"answered_at", s.AnsweredAt != 0},
		{"forwarded_from", s.ForwardedFrom != ""},
		{"forwarding_kind", s.ForwardingKind != "" && s.ForwardingKind != event.ForwardingUnknown.String()},
	} {
		bad.check(f.name, !f.given, "must not be given for a text")
	}
}

func checkPlace(s *event.Submitted, bad *Errors) {
	bad.check("tac", s.TAC == "" || digits(s.TAC, 8, 8), "must be 8 digits")
	bad.text("handset", s.Handset)
	bad.text("sim", s.SIM)
	bad.check("cell", s.Cell == "" || isCell(s.Cell), "must have the form mcc-mnc-lac-ci")
	bad.text("antenna_id", s.AntennaID)
	bad.check("lat_e7", s.LatE7 >= -maxLatE7 && s.LatE7 <= maxLatE7, "must be within 90 degrees (900000000)")
	bad.check("lon_e7", s.LonE7 >= -maxLonE7 && s.LonE7 <= maxLonE7, "must be within 180 degrees (1800000000)")
	bad.check("geohash", len(s.Geohash) <= 12 && strings.Trim(s.Geohash, "0123456789bcdefghjkmnpqrstuvwxyz") == "",
		"must be a geohash of at most 12 characters")
	bad.check("repeat", s.Repeat >= 0, "must be >= 0")
}

// isCell tells whether s is mcc-mnc-lac-ci: 3, 2 or 3, up to 8 (24 bits) and up to 11 digits (36 bits).
func isCell(s string) bool {
	p := strings.Split(s, "-")
	return len(p) == 4 && digits(p[0], 3, 3) && digits(p[1], 2, 3) && digits(p[2], 1, 8) && digits(p[3], 1, 11)
}

func digits(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, "0123456789") == ""
}

// amendment reads what makes a report the amendment of another one; zero if it is none.
func amendment(s *event.Submitted, bad *Errors) event.ID {
	if s.Amends == "" {
		bad.check("amends", s.Revision == 0, "is required with revision")
		return event.ID{}
	}
	id, err := event.ParseID(s.Amends)
	bad.check("amends", err == nil && !id.IsZero(), "must be the event id of the original report, 8-4-4-4-12 hexadecimal digits")
	bad.check("revision", s.Revision >= 1, "must be >= 1 with amends")
	return id
}

// checkMeta checks what says how it came here.
func checkMeta(s *event.Common, bad *Errors) {
	bad.text("source", s.Source)
	bad.text("reporter", s.Reporter)
	bad.text("native_id", s.NativeID)
	bad.text("batch", s.Batch)
	bad.check("attempt", s.Attempt >= 0, "must be >= 0")
	bad.text("actor", s.Actor)
	bad.textUpTo("reason", s.Reason, maxReasonBytes)
	bad.text("correlation_id", s.CorrelationID)
	bad.text("causation_id", s.CausationID)
}
