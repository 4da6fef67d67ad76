package unit

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "512": 512, "512B": 512, "1000B": 1000, "900KiB": 900 * KiB, " 64 MiB ": 64 * MiB, "2GiB": 2 * GiB, "1TiB": TiB,
	} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "-1MiB", "1.5MiB", "1MB", "1mib", "1e3", "9000000TiB", "9223372036854775808"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", text, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "250ms": 250 * time.Millisecond, "5s": 5 * time.Second, "400d": 400 * day, "1d12h": 36 * time.Hour, " 14d ": 14 * day, "-1s": -time.Second,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "d", "-1d", "1.5d", "1d-1h", "1d5", "5 apples", "200000000d", "106751d48h"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(400 * day))
	f.Add(int64(64 * MiB))
	f.Add(int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, n int64) {
		if n < 0 {
			n = ^n
		}
		if got, err := ParseBytes(Bytes(n).String()); err != nil || got != Bytes(n) {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", Bytes(n), got, err, n)
		}
		text := FormatDuration(time.Duration(n))
		if got, err := ParseDuration(text); err != nil || got != time.Duration(n) {
			t.Errorf("ParseDuration(%q) = %d, %v, want %d", text, got, err, n)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"1d", "64MiB", "1d2h3m", "d", "99999999999999999999TiB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := ParseBytes(s); err == nil && b < 0 {
			t.Errorf("ParseBytes(%q) = %d", s, b)
		}
		if d, err := ParseDuration(s); err == nil && strings.Contains(s, "d") && d < 0 {
			t.Errorf("ParseDuration(%q) = %d", s, d)
		}
	})
}
