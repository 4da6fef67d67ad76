package intake

import (
	"strconv"
	"strings"
	"time"

	"switchboard/internal/event"
)

// field reads the JSON value of one field of a T; the answer is the problem, "" for none.
type field[T any] struct {
	name string
	read func(s *T, value []byte, implied **int32) string
}

// reportShape is the names of event.Submitted, one line each; a test holds them equal.
var reportShape = newShape(
	func(s *event.Submitted) (**int32, string) { return &s.UTCOffsetS, s.Zone },
	[]field[event.Submitted]{
		{"kind", text(func(s *event.Submitted) *string { return &s.Kind })},
		{"subscriber", text(func(s *event.Submitted) *string { return &s.Subscriber })},
		{"direction", text(func(s *event.Submitted) *string { return &s.Direction })},
		{"started_at", when(func(s *event.Submitted) *int64 { return &s.StartedAt })},
		{"region", text(func(s *event.Submitted) *string { return &s.Region })},
		{"counterpart", text(func(s *event.Submitted) *string { return &s.Counterpart })},
		{"withheld", flag(func(s *event.Submitted) *bool { return &s.Withheld })},
		{"outcome", text(func(s *event.Submitted) *string { return &s.Outcome })},
		{"duration_s", number(func(s *event.Submitted) *int32 { return &s.DurationS })},
		{"ring_s", number(func(s *event.Submitted) *int32 { return &s.RingS })},
		{"utc_offset_s", number(func(s *event.Submitted) *int32 { s.UTCOffsetS = new(int32); return s.UTCOffsetS })},
		{"zone", text(func(s *event.Submitted) *string { return &s.Zone })},
		{"answered_at", answeredAt},
		{"forwarded_from", text(func(s *event.Submitted) *string { return &s.ForwardedFrom })},
		{"forwarding_kind", text(func(s *event.Submitted) *string { return &s.ForwardingKind })},
		{"tac", text(func(s *event.Submitted) *string { return &s.TAC })},
		{"handset", text(func(s *event.Submitted) *string { return &s.Handset })},
		{"sim", text(func(s *event.Submitted) *string { return &s.SIM })},
		{"cell", text(func(s *event.Submitted) *string { return &s.Cell })},
		{"antenna_id", text(func(s *event.Submitted) *string { return &s.AntennaID })},
		{"lat_e7", number(func(s *event.Submitted) *int32 { return &s.LatE7 })},
		{"lon_e7", number(func(s *event.Submitted) *int32 { return &s.LonE7 })},
		{"geohash", text(func(s *event.Submitted) *string { return &s.Geohash })},
		{"repeat", number(func(s *event.Submitted) *int32 { return &s.Repeat })},
		{"amends", text(func(s *event.Submitted) *string { return &s.Amends })},
		{"revision", number(func(s *event.Submitted) *int32 { return &s.Revision })},
		{"source", text(func(s *event.Submitted) *string { return &s.Source })},
		{"reporter", text(func(s *event.Submitted) *string { return &s.Reporter })},
		{"native_id", text(func(s *event.Submitted) *string { return &s.NativeID })},
		{"batch", text(func(s *event.Submitted) *string { return &s.Batch })},
		{"attempt", number(func(s *event.Submitted) *int32 { return &s.Attempt })},
		{"actor", text(func(s *event.Submitted) *string { return &s.Actor })},
		{"reason", text(func(s *event.Submitted) *string { return &s.Reason })},
		{"correlation_id", text(func(s *event.Submitted) *string { return &s.CorrelationID })},
		{"causation_id", text(func(s *event.Submitted) *string { return &s.CausationID })},
	},
)

const badSurrogate = "must not contain half a surrogate pair"

func text[T any](of func(*T) *string) func(*T, []byte, **int32) string {
	return func(s *T, value []byte, _ **int32) string {
		if value[0] != '"' {
			return "must be a string"
		}
		t, ok := unquote(value)
		if !ok {
			return badSurrogate
		}
		*of(s) = t
		return ""
	}
}

func number[T any](of func(*T) *int32) func(*T, []byte, **int32) string {
	return func(s *T, value []byte, _ **int32) string {
		n, problem := whole(value, 32)
		if problem == "" {
			*of(s) = int32(n)
		}
		return problem
	}
}

func whole(value []byte, bits int) (int64, string) {
	if c := value[0]; c != '-' && (c < '0' || c > '9') {
		return 0, "must be a whole number"
	}
	for _, c := range value[1:] {
		if c < '0' || c > '9' {
			return 0, "must be a whole number, without fraction or exponent"
		}
	}
	n, err := strconv.ParseInt(string(value), 10, bits)
	if err != nil {
		return 0, "must fit in " + strconv.Itoa(bits) + " bits"
	}
	return n, ""
}

func flag[T any](of func(*T) *bool) func(*T, []byte, **int32) string {
	return func(s *T, value []byte, _ **int32) string {
		switch string(value) {
		case "true", "false":
			*of(s) = value[0] == 't'
			return ""
		}
		return "must be true or false"
	}
}

// when is the instant of what happened, which may say the offset as well.
func when[T any](of func(*T) *int64) func(*T, []byte, **int32) string {
	return func(s *T, value []byte, implied **int32) string {
		ms, offset, problem := instant(value)
		*of(s), *implied = ms, offset
		return problem
	}
}

func answeredAt(s *event.Submitted, value []byte, _ **int32) string {
	ms, _, problem := instant(value)
	s.AnsweredAt = ms
	return problem
}

// instant reads Unix milliseconds or RFC 3339; offset is nil unless the text says one.
func instant(value []byte) (ms int64, offset *int32, problem string) {
	if value[0] != '"' {
		ms, problem = whole(value, 64)
		if problem != "" {
			problem = "must be Unix milliseconds, or a string in RFC 3339"
		}
		return ms, nil, problem
	}
	t, _ := unquote(value)
	ms, offset, ok := parseRFC3339(t)
	if !ok {
		return 0, nil, "must be RFC 3339, such as 2026-01-31T09:00:00+01:00, or Unix milliseconds"
	}
	return ms, offset, ""
}

// parseRFC3339 reads an instant; offset is nil for Z and -00:00, which say nothing about the place.
func parseRFC3339(text string) (ms int64, offset *int32, ok bool) {
	t, err := time.Parse(time.RFC3339Nano, text)
	// time.Parse also takes hours of one digit and a comma before the fraction.
	if err != nil || text[len("2026-01-31T00")] != ':' || strings.Contains(text, ",") {
		return 0, nil, false
	}
	if !strings.HasSuffix(text, "Z") && !strings.HasSuffix(text, "-00:00") {
		_, o := t.Zone()
		o32 := int32(o)
		offset = &o32
	}
	return t.UnixMilli(), offset, true
}
