package pipeline

import (
	"strings"
	"testing"

	"switchboard/internal/event"
)

func TestCertificate(t *testing.T) {
	c := Certificate{TopicID: event.TopicID{0xff, 1, 2, 3}, Next: 1234, Generation: "ehx9k", Run: "RUN", Version: "0123456789abcdef-dirty"}
	text := c.String()
	// Golden: commits with it stand in groups, and every later version must know them again.
	if want := "v1|_wECAwAAAAAAAAAAAAAAAA|1234|ehx9k|RUN|0123456789abcdef-dirty|78d5dc12"; text != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if got, origin := ReadCertificate(text, 1234); origin != Ours || got != c {
		t.Errorf("read as %d: %+v", origin, got)
	}
	if got, origin := ReadCertificate(text, 1233); origin != Reset || got != (Certificate{}) {
		t.Errorf("at another offset read as %d: %+v", origin, got)
	}
	if empty := (Certificate{}).String(); len(empty) > 100 {
		t.Errorf("an empty certificate has %d bytes", len(empty))
	}
	const brokerLimit = 4096
	c.Version, c.Run = strings.Repeat("x", 100), strings.Repeat("y", 26)
	if n := len(c.String()); n > brokerLimit/10 {
		t.Errorf("a certificate has %d bytes", n)
	}
}

// Any damage to a certificate makes it worth as little as none, and never foreign, as long as it begins like one of ours.
func TestCertificateDamaged(t *testing.T) {
	text := Certificate{TopicID: event.TopicID{7}, Next: 50, Generation: "g", Run: "r", Version: "v"}.String()
	for i := range len(text) {
		for _, b := range []byte{'0', 'x', '|', text[i] ^ 1, text[i] ^ 0x20} {
			if b == text[i] {
				continue
			}
			damaged := text[:i] + string(b) + text[i+1:]
			_, origin := ReadCertificate(damaged, 50)
			if origin == Ours {
				t.Errorf("%q is believed", damaged)
			}
			if begins := ourPrefix.MatchString(damaged); begins != (origin == Reset) {
				t.Errorf("%q: origin %d", damaged, origin)
			}
		}
		if _, origin := ReadCertificate(text[:i], 50); origin == Ours {
			t.Errorf("%q is believed", text[:i])
		}
	}
}

func TestOrigin(t *testing.T) {
	for metadata, want := range map[string]Origin{
		"":                        Reset, // kafka-consumer-groups --reset-offsets
		"v1|":                     Reset,
		"v12|a|b":                 Reset, // a version of ours that is not known yet
		"v1|a|b|c|d|e|f":          Reset,
		"v1|a|b|c|d|e|f|g":        Reset,
		"v":                       Foreign,
		"v1":                      Foreign,
		"vx|":                     Foreign,
		" v1|":                    Foreign,
		"V1|":                     Foreign,
		"hello":                   Foreign,
		`{"app":"flink"}`:         Foreign,
		"\x00\x01":                Foreign, // Kafka Streams writes a base64 partition time; this is nobody's
		"AQAAAYxu2dkK":            Foreign,
		strings.Repeat("x", 4096): Foreign,
	} {
		if _, got := ReadCertificate(metadata, 0); got != want {
			t.Errorf("%.40q: origin %d, want %d", metadata, got, want)
		}
	}
}
