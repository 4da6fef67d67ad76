package view

import (
	"encoding/base64"
	"strconv"
	"strings"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// The stamps in values of devices and links. Event ids are 22 characters of base64url.

// formatSessionStamp is session_seq, 0 for what a connect says and 1 for a disconnect, and the event id, with dots between.
func formatSessionStamp(s *fold.SessionStamp) string {
	b := append(strconv.AppendInt(nil, s.Seq, 10), ".0."...)
	if s.End {
		b[len(b)-2] = '1'
	}
	return string(base64.RawURLEncoding.AppendEncode(b, s.Fact[:]))
}

// parseSessionStamp reads a stamp off a value; rest is what stands behind it and a space.
func parseSessionStamp(value string) (s fold.SessionStamp, rest string, err error) {
	stamp, rest, spaced := strings.Cut(value, " ")
	part := strings.Split(stamp, ".")
	if !spaced || len(part) != 3 || part[1] != "0" && part[1] != "1" {
		return s, "", errDevice
	}
	s.Seq, err = strconv.ParseInt(part[0], 10, 64)
	s.End = part[1] == "1"
	if err != nil || !parseFact(&s.Fact, part[2]) {
		return s, "", errDevice
	}
	return s, rest, nil
}

// formatTimeStamp is Unix milliseconds and the event id, with a dot between.
func formatTimeStamp(t *fold.TimeStamp) string {
	b := append(strconv.AppendInt(nil, t.Ms, 10), '.')
	return string(base64.RawURLEncoding.AppendEncode(b, t.Fact[:]))
}

// parseTimeStamp reads a stamp off a value; rest is what stands behind it and a space.
func parseTimeStamp(value string) (t fold.TimeStamp, rest string, err error) {
	stamp, rest, spaced := strings.Cut(value, " ")
	ms, fact, _ := strings.Cut(stamp, ".")
	t.Ms, err = strconv.ParseInt(ms, 10, 64)
	if err != nil || !spaced || !parseFact(&t.Fact, fact) {
		return t, "", errDevice
	}
	return t, rest, nil
}

// parseFact reads an event id; no fact has the zero id.
func parseFact(id *event.ID, s string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) != len(id) {
		return false
	}
	copy(id[:], raw)
	return !id.IsZero()
}
