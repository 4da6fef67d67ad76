package kafkalog

import (
	"reflect"
	"testing"
	"unicode/utf8"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// FuzzDeadLetter: what can be read can be written, and is then read as the same; what we write is read as it was.
func FuzzDeadLetter(f *testing.F) {
	_, value := EncodeDeadLetter(pipeline.DeadLetter{Partition: event.Partition{Topic: "calls.reports", Number: 7}, TopicID: event.TopicID{9}, Offset: 12, LeaderEpoch: -1, Class: pipeline.ClassBadAvro, Reason: "cut off"})
	for _, text := range []string{string(value), "", "{}", "null", `{"v":1,"topic":"t","topic_id":"AAAAAAAAAAAAAAAAAAAAAA","offset":-1,"later":[1]}`} {
		f.Add([]byte(text), "why", int64(3))
	}
	f.Fuzz(func(t *testing.T, value []byte, reason string, offset int64) {
		if d, err := DecodeDeadLetter(value); err == nil {
			_, again := EncodeDeadLetter(d)
			if back, err := DecodeDeadLetter(again); err != nil || !reflect.DeepEqual(back, d) {
				t.Errorf("%s is read as %+v, then as %+v (%v)", value, d, back, err)
			}
		}
		if !utf8.ValidString(reason) {
			return // JSON has no other strings, and ours are made of constants and numbers
		}
		ours := pipeline.DeadLetter{Partition: event.Partition{Topic: "t", Number: 1}, Offset: offset, Class: pipeline.ClassPanic, Reason: reason}
		_, written := EncodeDeadLetter(ours)
		if back, err := DecodeDeadLetter(written); err != nil || !reflect.DeepEqual(back, ours) {
			t.Errorf("%+v is read as %+v (%v)", ours, back, err)
		}
	})
}
