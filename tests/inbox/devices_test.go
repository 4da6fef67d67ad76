package inbox

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/tests/backend"
)

// TestDevices: devices.inbox becomes facts of devices.lifecycle, and a report is no device event.
func TestDevices(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := newSite(t, b)
		want := map[event.ID]bool{}
		var records []*kgo.Record
		put := func(value []byte) *kgo.Record {
			r := &kgo.Record{Topic: b.Prefix + "devices.inbox", Value: value}
			records = append(records, r)
			return r
		}
		for _, name := range []string{"kitchen", "cellar", "roof"} {
			d := event.DeviceSubmitted{Kind: "renamed", Device: "lamp-7", OccurredAt: 1_709_510_400_000 + int64(len(name)), NewName: name}
			value, err := s.Encoder.EncodeDeviceSubmitted(nil, &d)
			if err != nil {
				t.Fatal(err)
			}
			put(value)
			put(value)
			e, err := s.intake.AcceptDevice(d)
			if err != nil {
				t.Fatal(err)
			}
			want[e.Envelope().ID] = true
		}
		d := event.DeviceSubmitted{Kind: "renamed", Device: "lamp-7", OccurredAt: 1}
		nameless, err := s.Encoder.EncodeDeviceSubmitted(nil, &d)
		if err != nil {
			t.Fatal(err)
		}
		bad := map[*kgo.Record]string{put(s.bytes(report("x", 1))): pipeline.ClassUnexpected, put(nameless): pipeline.ClassInvalidField}
		s.Write(records...)
		in := s.Ingest(nil)
		s.Until("the facts are there", func() bool { return s.count(s.Devices) == 6 })
		s.Until("the letters are there", func() bool { return len(s.letters()) == len(bad) })
		in.Stop()
		letters := s.letters()
		for r, class := range bad {
			if letters[position(r)].Class != class {
				t.Errorf("%s: %+v, want %s", position(r), letters[position(r)], class)
			}
		}
		decoder, err := avrowire.NewDecoder(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range s.Read(s.Devices) {
			e, err := decoder.Decode(r.Value)
			if err != nil || !want[e.Envelope().ID] || e.Envelope().Source != "inbox" || string(r.Key) != string(e.Envelope().ID[:]) ||
				r.Partition != event.PartitionOf(e.Envelope().Subject, partitions) {
				t.Errorf("%v %v", e, err)
			}
		}
	})
}
