package pipeline

import (
	"testing"

	"switchboard/internal/event"
)

// FuzzCertificate: what is taken for ours is what we write, to the byte, and says the offset at which it was found.
func FuzzCertificate(f *testing.F) {
	ours := Certificate{TopicID: event.TopicID{1, 2, 3}, Next: 50, Generation: "g1", Run: "R", Version: "v1"}.String()
	for _, text := range []string{ours, "", "v1|", "v2|x", ours + "|", "them", "v1||||||"} {
		f.Add(text, int64(50))
	}
	f.Fuzz(func(t *testing.T, metadata string, offset int64) {
		c, origin := ReadCertificate(metadata, offset)
		switch origin {
		case Ours:
			if c.String() != metadata || c.Next != offset {
				t.Errorf("%q at %d is read as %+v", metadata, offset, c)
			}
		default:
			if c != (Certificate{}) {
				t.Errorf("%q is not ours, and says %+v", metadata, c)
			}
		}
		// Whatever stands in the fields, no separator lets one certificate be read as another.
		own := Certificate{Next: offset, Generation: "g", Run: "r", Version: metadata}
		if back, origin := ReadCertificate(own.String(), offset); origin == Ours && back != own {
			t.Errorf("%+v is read as %+v", own, back)
		}
	})
}
