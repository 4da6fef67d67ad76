package redisview

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/view"
	"switchboard/tests/fixture"
)

func token(topic event.TopicID, next ...int64) event.Token {
	t := event.Token{Topic: topic}
	for p, n := range next {
		t.Cover(int32(p), n-1)
	}
	return t
}

func TestWait(t *testing.T) {
	servers(t, func(t *testing.T, c *Client) {
		r := c.Reader(fixture.Topic, 2)
		soon := func() context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			t.Cleanup(cancel)
			return ctx
		}
		first, second := event.Partition{Topic: fixture.Topic}, event.Partition{Topic: fixture.Topic, Number: 1}

		lags, err := r.Wait(soon(), token(fixture.TopicID, 1, 1))
		if err != nil || len(lags) != 2 || lags[0] != (view.Lag{Partition: first, Next: -1, Want: 1}) {
			t.Errorf("nothing serves: %v (%v)", lags, err)
		}
		l := fixture.Open(t, c, 0, 2, "g")
		fixture.Open(t, c, 1, 2, "g")
		l.Fold(fixture.Call("alice", "bob", 0, 1), fixture.Call("alice", "bob", 1, 1))

		if lags, err := r.Wait(soon(), token(fixture.TopicID, 2)); err != nil || len(lags) != 0 {
			t.Errorf("reached: %v (%v)", lags, err)
		}
		lags, err = r.Wait(soon(), token(fixture.TopicID, 2, 7))
		if err != nil || len(lags) != 1 || lags[0] != (view.Lag{Partition: second, Next: 0, Want: 7}) {
			t.Errorf("the second lags: %v (%v)", lags, err)
		}
		if lags, err := r.Wait(soon(), token(fixture.TopicID, 2, 7), first); err != nil || len(lags) != 0 {
			t.Errorf("only the first: %v (%v)", lags, err)
		}
		if _, err := r.Wait(soon(), token(event.TopicID{9}, 2)); !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "deleted and made again") {
			t.Errorf("another topic: %v", err)
		}
		other := event.Token{Topic: event.TopicID{9}}
		other.Cover(1, 0)
		if _, err := r.Wait(soon(), other, first); !errors.Is(err, ErrToken) {
			t.Errorf("another topic, another partition: %v", err)
		}
		if lags, err := r.Wait(soon(), event.Token{}, first); err != nil || len(lags) > 0 {
			t.Errorf("a token that asks for nothing: %v (%v)", lags, err)
		}
		if _, err := r.Wait(soon(), token(fixture.TopicID, 1, 1, 1)); !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "the topic has 2 partitions") {
			t.Errorf("a partition too many: %v", err)
		}

		// It is reached while it is waited for.
		written := make(chan struct{})
		go func() {
			defer close(written)
			time.Sleep(50 * time.Millisecond)
			l.Fold(fixture.Call("alice", "bob", 2, 1))
		}()
		began := time.Now()
		if lags, err := r.Wait(t.Context(), token(fixture.TopicID, 3)); err != nil || len(lags) != 0 || time.Since(began) < 40*time.Millisecond {
			t.Errorf("reached meanwhile: %v (%v)", lags, err)
		}

		<-written

		// Beyond the end: an error as soon as the end was asked for after the waiting began, and not before.
		l.Progress.HighWatermark = 3
		l.Progress.CheckedMs = time.Now().UnixMilli() - 10_000
		l.Commit(3, nil)
		if lags, err := r.Wait(soon(), token(fixture.TopicID, 4)); err != nil || len(lags) != 1 {
			t.Errorf("an old end proves nothing: %v (%v)", lags, err)
		}
		written = make(chan struct{})
		go func() {
			defer close(written)
			time.Sleep(50 * time.Millisecond)
			l.Progress.CheckedMs = time.Now().UnixMilli()
			l.Commit(3, nil)
		}()
		if _, err := r.Wait(t.Context(), token(fixture.TopicID, 4)); !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "the log ends at 3") {
			t.Errorf("beyond the end: %v", err)
		}
		<-written
	})
}
