package redisview

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// ErrToken is a consistency token that these read models can never reach: of another topic, or from beyond the end of
// the log.
var ErrToken = errors.New("the consistency token does not fit")

// Wait waits until the read models hold everything that a token covers, or ctx is done; then it says which partitions
// lag, which is no error. only bounds it to the partitions that an answer reads; without it all of the token count.
//
// A Redis that does not answer is asked again until ctx is done, and its error returned then.
//
// A token is compared with the position in the serving generation, never with offsets of records. One that can never be
// reached is ErrToken: of another topic id, of a partition that the topic does not have, or beyond the end of the log,
// as it was asked for after the waiting began.
func (r *Reader) Wait(ctx context.Context, token event.Token, only ...event.Partition) ([]view.Lag, error) {
	var partitions []event.Partition
	for _, n := range token.Partitions() {
		p := event.Partition{Topic: r.topic, Number: n}
		if n >= r.partitions {
			return nil, fmt.Errorf("%w: it names %s, and the topic has %d partitions", ErrToken, p, r.partitions)
		}
		if len(only) == 0 {
			partitions = append(partitions, p)
		}
	}
	if len(only) > 0 && len(token.Next) > 0 {
		partitions = only // those that the token does not name, too: it must be of their topic
	}
	w := waiting{Reader: r, token: token, began: time.Now().UnixMilli(), checked: map[event.Partition]int64{}}
	for step := 5 * time.Millisecond; ; step = min(2*step, 50*time.Millisecond) {
		lags, err := w.look(ctx, partitions)
		if len(lags) == 0 || errors.Is(err, ErrToken) {
			return lags, err
		}
		if ctx.Err() != nil || pause(ctx, step) != nil {
			if outOfTime(err) {
				err = nil
			}
			return lags, err
		}
	}
}

// outOfTime tells an answer that came too late from a Redis that does not answer.
func outOfTime(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded)
}

type waiting struct {
	*Reader
	token   event.Token
	began   int64                     // Unix milliseconds
	checked map[event.Partition]int64 // CheckedMs when a partition was first looked at
	last    []view.Lag
}

// look asks once. Where Redis does not answer it says what was seen last, and why.
func (w *waiting) look(ctx context.Context, partitions []event.Partition) ([]view.Lag, error) {
	list, err := w.positions(ctx, partitions)
	if err != nil {
		if w.last == nil {
			for _, p := range partitions {
				w.last = append(w.last, view.Lag{Partition: p, Next: -1, Want: w.token.Next[p.Number]})
			}
		}
		return w.last, err
	}
	w.last = nil
	for i := range list {
		p := &list[i]
		want := w.token.Next[p.partition.Number]
		if p.found && p.TopicID != w.token.Topic {
			return nil, fmt.Errorf("%w: it is of topic id %s, and %s has been folded from %s: the topic was deleted and made again, or the token is of another one",
				ErrToken, w.token.Topic, p.partition, p.TopicID)
		}
		if p.Next >= want {
			continue
		}
		w.last = append(w.last, view.Lag{Partition: p.partition, Next: p.Next, Want: want})
		first, seen := w.checked[p.partition]
		if !seen {
			w.checked[p.partition] = p.CheckedMs
		}
		if seen && p.CheckedMs > first && p.CheckedMs > w.began && want > p.HighWatermark {
			return nil, fmt.Errorf("%w: it names offset %d of %s, and the log ends at %d: records were lost, or the token is of another installation",
				ErrToken, want, p.partition, p.HighWatermark)
		}
	}
	return w.last, nil
}
