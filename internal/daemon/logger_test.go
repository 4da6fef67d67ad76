package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestScrub(t *testing.T) {
	for in, want := range map[string]string{
		"":                                     "",
		"+41791234567":                         "[number]",
		"call from +41 79 123 45 67 at 12":     "call from [number] at 12",
		"(+1 (555) 123-4567)":                  "([number])",
		"41791234567":                          "[number]",
		"0041791234567 and 07912345678":        "[number] and [number]",
		"card:41791234567":                     "card:[number]",
		"subscriber41791234567x":               "subscriber[number]x",
		"310150123456789":                      "[number]", // IMSI
		"89014103211118510720":                 "[number]", // ICCID
		"+41 79":                               "+41 79",
		"123456":                               "123456",
		"2026-11-24T16:28:39.123456789+00:00":  "2026-11-24T16:28:39.123456789+00:00",
		"calls.reports/7@123456789: bad":       "calls.reports/7@123456789: bad",
		"calls.reports/7@123456789..223456789": "calls.reports/7@123456789..223456789",
		"mail@41791234567":                     "mail@[number]",
		"/41791234567@41791234567":             "/[number]@[number]",
		"12345678-1234-8123-8123-123456789012": "12345678-1234-8123-8123-123456789012",
		"v0.0.0-20261124162839-01f206a7e32c":   "v0.0.0-20261124162839-01f206a7e32c",
		"took 1.234567891s":                    "took 1.234567891s",
		"9f86d081884c7d65 is one":              "9f86d081884c7d65 is one",
		"1234567890123456":                     "[number]",
		"41791234567abc":                       "[number]abc",
		"127.0.0.1:19092":                      "127.0.0.1:19092",
		"ünï 41791234567 ☎":                    "ünï [number] ☎",
	} {
		if got := Scrub(in); got != want {
			t.Errorf("Scrub(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("+41 79 123 45 67 /7@123456789 12345678-1234-8123-8123-123456789012")
	f.Fuzz(func(t *testing.T, s string) {
		once := Scrub(s)
		if utf8.ValidString(s) && !utf8.ValidString(once) {
			t.Errorf("Scrub(%q) = %q breaks UTF-8", s, once)
		}
		if strings.Count(once, scrubbedNumber) == 0 && once != s {
			t.Errorf("Scrub(%q) = %q", s, once)
		}
	})
}

func TestLoggerScrubsTextsAndNotNumbers(t *testing.T) {
	const number = "41791234567"
	type subject struct {
		ID     string
		Offset int64
	}
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log, err := NewLogger(&out, "debug", format)
		if err != nil {
			t.Fatal(err)
		}
		log.With("who", number).WithGroup("g").Debug("about "+number,
			"err", errors.New("for "+number), "bytes", []byte(number), "list", []string{number}, "map", map[string]string{number: number},
			"struct", subject{number, 1234567890}, "pointer", &subject{number, 1}, "nil", nil, "func", func() {},
			slog.Group("deep", "s", number), "offset", 123456789, "u", uint64(223456789), "f", 1234567.5,
			"took", 1234567*time.Millisecond, "at", time.UnixMilli(1234567890123), "addr", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 19092})
		got := out.String()
		if strings.Contains(got, number) {
			t.Errorf("%s: the number shows:\n%s", format, got)
		}
		for _, want := range []string{"123456789", "223456789", "1234567890", "127.0.0.1:19092"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %s is gone:\n%s", format, want, got)
			}
		}
	}
}

func TestLogLevels(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, "warn", "text")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("no")
	log.Warn("yes")
	if strings.Contains(out.String(), "no") || !strings.Contains(out.String(), "level=WARN msg=yes") {
		t.Error(out.String())
	}
	for _, bad := range [][2]string{{"trace", "text"}, {"info", "xml"}, {"", ""}} {
		if _, err := NewLogger(&out, bad[0], bad[1]); err == nil {
			t.Errorf("NewLogger(%q, %q) takes it", bad[0], bad[1])
		}
	}
}

func BenchmarkScrub(b *testing.B) {
	for name, s := range map[string]string{"plain": "partition calls.reports/7 claimed by processor", "position": "decode report at calls.reports/7@123456789: bad_frame", "number": "no contact 41791234567"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Scrub(s)
			}
		})
	}
}
