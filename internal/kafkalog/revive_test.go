package kafkalog

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/pipeline"
)

// TestSlowFetch: fetches that take longer than a partition may stand still are not dropped for ever.
//
//fault:k19 every answer takes six times as long as nothing may come: all is read
func TestSlowFetch(t *testing.T) {
	b := onFake(t, 1)
	noLeaks(t)
	const count, still = 100, 50 * time.Millisecond
	b.fill(b.appender(), count)
	b.fake.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.fake.KeepControl()
		b.fake.SleepControl(func() { time.Sleep(6 * still) })
		return nil, nil, false
	})
	b.lane1(func(o *ConsumerOptions) { o.StandStill = still }, func(ctx context.Context, p *Partition) {
		p.SeekTo(0, -1)
		read := 0
		if err := takeAll(ctx, p, count, func(r []pipeline.Raw) { read += len(r) }); err != nil || read != count {
			t.Errorf("%d records of %d: %v", read, count, err)
		}
	})
}

// TestPatience: what is missing is given more time with each seek, and after it has come twice what it took.
func TestPatience(t *testing.T) {
	const still = time.Minute
	p := &Partition{}
	look := func(after time.Duration) bool {
		if !p.missed.IsZero() {
			p.missed = p.missed.Add(-after) // so much time has gone by
		}
		_, stuck := p.stuck(10, still)
		return stuck
	}
	for i, c := range []struct {
		came  bool // something, before
		after time.Duration
		want  bool
	}{
		{false, 0, false}, // seen for the first time
		{false, still - time.Second, false},
		{false, time.Second, true},
		{false, 2*still - time.Second, false},
		{false, time.Second, true},
		{false, 2 * still, false},
		{true, 0, false}, // it took two minutes
		{false, 4*still - time.Second, false},
		{false, 2 * time.Second, true},            // and the time of the test itself
		{false, maxPatience - time.Second, false}, // eight would be too much
		{false, time.Second, true},
	} {
		if c.came {
			p.came()
		}
		if got := look(c.after); got != c.want {
			t.Errorf("look %d: stuck: %v, want %v", i, got, c.want)
		}
	}
	p.came()
	p.polled = 10
	if look(0) || look(time.Hour) {
		t.Error("at the end nothing is missing")
	}
	p.came()
	p.polled = 9
	if look(0) || !look(still) {
		t.Error("what came at once is missed as soon as ever")
	}
}
