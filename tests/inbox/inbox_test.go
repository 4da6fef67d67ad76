package inbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/internal/app"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/tests/backend"
)

// TestForeignProducers: whatever wrote a report and however often, it counts once.
//
//fault:k14 whatever wrote it and however often: once
func TestForeignProducers(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := newSite(t, b)
		in := s.Ingest(nil)
		s.Start()
		s.Until("the inbox is ready", func() bool { return in.InboxReady() == nil })
		var all []event.Submitted
		sent := int64(0)
		expect := func(list []event.Submitted, times int) {
			t.Helper()
			all, sent = append(all, list...), sent+int64(times*len(list))
			if end := s.count(s.inbox); end != sent {
				t.Fatalf("%d records stand in the inbox, want %d", end, sent)
			}
		}
		t.Run("our bytes", func(t *testing.T) {
			list := reports("ours", 40)
			for range 2 {
				var values [][]byte
				for _, r := range list {
					values = append(values, s.bytes(r))
				}
				s.send(values...)
			}
			s.post(in.URL, list)
			expect(list, 2)
		})
		t.Run("python with the Confluent framing", func(t *testing.T) {
			program := python(t)
			list := reports("python", 40)
			var lines bytes.Buffer
			for _, r := range list {
				line, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				lines.Write(append(line, '\n'))
			}
			for range 2 {
				cmd := exec.Command(program, filepath.Join("testdata", "produce.py"), strings.Join(b.Brokers, ","), s.inbox, "../../schemas/report_submitted.v1.avsc", fmt.Sprint(reportID))
				cmd.Stdin = bytes.NewReader(lines.Bytes())
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			s.post(in.URL, list)
			expect(list, 2)
		})
		t.Run("kcat with single-object bytes", func(t *testing.T) {
			program := kcat(t)
			list := reports("kcat", 10)
			dir := t.TempDir()
			args := []string{"-P", "-b", strings.Join(b.Brokers, ","), "-t", s.inbox, "-k", "any key"}
			for i, r := range list {
				file := filepath.Join(dir, fmt.Sprint(i))
				if err := os.WriteFile(file, s.bytes(r), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, file)
			}
			for range 2 {
				if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			s.post(in.URL, list)
			expect(list, 2)
		})
		s.taken()
		s.exact(s.facts(all...))
		if letters := s.letters(); len(letters) > 0 {
			t.Errorf("dead letters: %v", letters)
		}
		// An operator's reset re-drives everything, and changes nothing.
		in.Stop()
		if got := s.group(); got != sent {
			t.Errorf("after the drain the group stands at %d, want %d", got, sent)
		}
		if resp, err := s.Admin.DeleteGroup(t.Context(), b.Prefix+"switchboard-inbox"); err != nil || resp.Err != nil {
			t.Fatal(err, resp.Err)
		}
		before := s.count(s.Reports)
		in = s.Ingest(nil)
		s.taken()
		if after := s.count(s.Reports); after != before+sent {
			t.Errorf("the facts went from %d to %d, want %d more", before, after, sent)
		}
		s.exact(s.facts(all...))
		in.Stop()
		s.Halt()
	})
}

// TestBadRecords: every kind of bad record becomes the documented dead letter, and the good ones around it are taken.
//
//fault:e1 in the inbox
//fault:e3 in the inbox
func TestBadRecords(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := newSite(t, b)
		good := func(n int) []byte { return s.bytes(report("good", n)) }
		fact := s.facts(report("fact", 1))[0]
		factBytes, err := s.Encoder.Encode(nil, fact)
		if err != nil {
			t.Fatal(err)
		}
		confluent := func(id uint32, body []byte) []byte {
			return append(binary.BigEndian.AppendUint32([]byte{0}, id), body...)
		}
		invalid := func(change func(*event.Submitted)) []byte {
			r := report("bad", 1)
			change(&r)
			return s.bytes(r)
		}
		tests := []struct {
			name, class, reason string // reason: how it begins
			value               []byte
		}{
			{"empty", pipeline.ClassBadFrame, "is empty", nil},
			{"JSON", pipeline.ClassBadFrame, "", []byte(`{"kind":"call"}`)},
			{"too short for a fingerprint", pipeline.ClassBadFrame, "", []byte{0xc3, 1, 2}},
			{"too short for an id", pipeline.ClassBadFrame, "", []byte{0, 0, 1}},
			{"cut", pipeline.ClassBadAvro, "", good(1)[:20]},
			{"bytes behind it", pipeline.ClassBadAvro, "", append(good(1), 0)},
			{"foreign fingerprint", pipeline.ClassUnknownSchema, "", append([]byte{0xc3, 1, 1, 2, 3, 4, 5, 6, 7, 8}, good(1)[10:]...)},
			{"foreign id", pipeline.ClassUnknownSchema, "", confluent(99, good(1)[10:])},
			{"a fact", pipeline.ClassUnexpected, "", factBytes},
			{"a fact in Confluent's frame", pipeline.ClassUnexpected, "", confluent(factID, factBytes[10:])},
			{"too large", pipeline.ClassTooLarge, "", bytes.Repeat([]byte{0xc3, 1}, 40<<10)},
			{"no subscriber", pipeline.ClassInvalidField, "subscriber: ", invalid(func(r *event.Submitted) { r.Subscriber = "" })},
			{"negative duration", pipeline.ClassInvalidField, "duration_s: ", invalid(func(r *event.Submitted) { r.DurationS = -1 })},
			{"no direction", pipeline.ClassInvalidField, "direction: ", invalid(func(r *event.Submitted) { r.Direction = "unknown" })},
			{"in the future", pipeline.ClassInvalidField, "started_at: ", invalid(func(r *event.Submitted) { r.StartedAt = time.Now().Add(time.Hour).UnixMilli() })},
			{"no zone", pipeline.ClassInvalidField, "zone: ", invalid(func(r *event.Submitted) { r.Zone = "Nowhere/At_All" })},
			{"control characters", pipeline.ClassInvalidField, "native_id: ", invalid(func(r *event.Submitted) { r.NativeID = "a\x00b" })},
			{"an amendment of nothing", pipeline.ClassInvalidField, "amends: ", invalid(func(r *event.Submitted) { r.Revision = 2 })},
		}
		var values [][]byte
		var all []event.Submitted
		for i, test := range tests {
			values = append(values, good(2*i), test.value, good(2*i+1))
			all = append(all, report("good", 2*i), report("good", 2*i+1))
		}
		records := s.send(values...)
		in := s.Ingest(nil) // the first start begins at the earliest offset
		s.Start()
		s.taken()
		letters := s.letters()
		for i, test := range tests {
			where := position(records[3*i+1])
			got, ok := letters[where]
			if !ok || got.Class != test.class || !strings.HasPrefix(got.Reason, test.reason) {
				t.Errorf("%s: the letter is %+v (%t), want %s: %s", test.name, got, ok, test.class, test.reason)
			}
			if strings.Contains(got.Reason, "7009") {
				t.Errorf("%s: the reason holds a number: %s", test.name, got.Reason)
			}
			delete(letters, where)
		}
		if len(letters) > 0 {
			t.Errorf("letters that nobody expects: %v", letters)
		}
		s.exact(s.facts(all...))

		// Re-driven, the same bytes are judged again, as a new record.
		end := s.count(s.inbox)
		bad := event.Partition{Topic: s.inbox, Number: records[1].Partition}
		again, err := app.Redrive(t.Context(), s.Config, s.Logger, bad, records[1].Offset)
		if err != nil {
			t.Fatal(err)
		}
		if after := s.count(s.inbox); after != end+1 {
			t.Errorf("the inbox went from %d to %d", end, after)
		}
		s.taken()
		if l, ok := s.letters()[fmt.Sprintf("%s@%d", bad, again)]; !ok || l.Class != tests[0].class {
			t.Errorf("the re-driven record has the letter %+v (%t)", l, ok)
		}
		if _, err := app.Redrive(t.Context(), s.Config, s.Logger, event.Partition{Topic: s.Reports}, 0); err == nil {
			t.Error("a fact was re-driven")
		}
		in.Stop()
		s.Halt()
	})
}

// TestKilledBetweenAppendAndCommit: what was appended and not committed is appended again, and counts once.
//
//fault:p4 the inbox: appended, not committed, appended again, counted once
func TestKilledBetweenAppendAndCommit(t *testing.T) {
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := newSite(t, b)
		list := reports("killed", 60)
		var values [][]byte
		for _, r := range list {
			values = append(values, s.bytes(r))
		}
		bad := s.send(slices.Concat(values, [][]byte{{1, 2, 3}})...)[len(list)]
		tried := make(chan struct{}, 1)
		in := s.Ingest(commitless(tried))
		s.Until("all facts are appended", func() bool { return s.count(s.Reports) >= int64(len(list)) })
		select {
		case <-tried:
		case <-time.After(time.Minute):
			t.Fatal("it never tried to commit")
		}
		in.Stop()
		if got := s.group(); got > 0 {
			t.Fatalf("the group stands at %d: nothing was killed in between", got)
		}
		s.Start()
		in = s.Ingest(nil)
		s.taken()
		if n := s.count(s.Reports); n < 2*int64(len(list)) {
			t.Errorf("%d facts: nothing was taken again", n)
		}
		s.exact(s.facts(list...))
		if letters := s.letters(); len(letters) != 1 || letters[position(bad)].Class != pipeline.ClassBadFrame {
			t.Errorf("letters: %v", letters)
		}
		in.Stop()
		s.Halt()
	})
}
