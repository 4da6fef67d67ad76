package kafkalog

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/event"
)

// TestRecordsBehindSeek: what was polled before the client was told of a seek is dropped, also where its offsets would fit behind the
// new position, as in a log with holes. With a real broker that happens once in many runs.
func TestRecordsBehindSeek(t *testing.T) {
	c, err := NewConsumer(ConsumerOptions{Options: Options{Brokers: []string{"nowhere:1"}}, Group: "g", Topics: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	c.ctx = t.Context()
	p := newPartition(c, event.Partition{Topic: "t"})
	poll := func(offsets ...int64) {
		var records []*kgo.Record
		for _, o := range offsets {
			records = append(records, &kgo.Record{Topic: "t", Offset: o})
		}
		p.deliver(records, nil)
	}
	want := func(offsets ...int64) {
		t.Helper()
		records, _, err := p.Take(t.Context(), 100, time.Millisecond)
		if err != nil || len(records) != len(offsets) {
			t.Fatalf("%d records, %v; want offsets %v", len(records), err, offsets)
		}
		for i, r := range records {
			if r.Offset != offsets[i] {
				t.Fatalf("offset %d, want %d", r.Offset, offsets[i])
			}
		}
	}
	told := func() {
		t.Helper()
		if seek, _ := p.wants(1 << 20); seek == nil {
			t.Fatal("the client was not told of a seek")
		}
	}
	poll(5)
	want() // before the first seek

	p.SeekTo(10, -1)
	told()
	poll(10, 12)
	want(10, 12)
	poll(13, 14)
	p.SeekTo(20, -1)
	poll(25, 26) // of before, and not in front of 20
	want()
	told()
	poll(20, 21)
	want(20, 21)

	poll(22)
	p.SeekTo(20, -1) // back
	poll(23)
	told()
	poll(20, 21, 22, 23)
	want(20, 21, 22, 23)
}
