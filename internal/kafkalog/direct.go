package kafkalog

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// Direct reads one partition without a group, for a lane that builds a generation beside the serving one. It is a
// pipeline.Source of one goroutine, and fetches when it is asked.
type Direct struct {
	log    *Log
	reader *rangeReader
	queue  []pipeline.Raw
}

var _ pipeline.Source = (*Direct)(nil)

// Direct is a source of a partition; nothing is read before its first SeekTo.
func (l *Log) Direct(p event.Partition) *Direct {
	return &Direct{log: l, reader: &rangeReader{log: l, partition: p, to: math.MaxInt64}}
}

// SeekTo continues at the offset next. The leader epoch is not needed: whoever seeks has observed the log before.
func (d *Direct) SeekTo(next int64, _ int32) {
	d.queue = nil
	d.reader.next = next
}

// Take is pipeline.Source's: what is left of the last fetch, or else the next one. A broker without news answers after
// 250 ms, so that it may wait so much longer than asked.
func (d *Direct) Take(ctx context.Context, maxRecords int, wait time.Duration) ([]pipeline.Raw, int64, error) {
	if ctx.Err() != nil { // a queue may hold more than a release can wait for
		return nil, 0, pipeline.ErrReleased
	}
	deadline := time.Now().Add(wait)
	for len(d.queue) == 0 {
		if err := d.fetch(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, 0, pipeline.ErrReleased
			}
			return nil, 0, err
		}
		if len(d.queue) == 0 && time.Now().After(deadline) {
			return nil, d.reader.next, nil
		}
	}
	n := min(len(d.queue), maxRecords)
	records := d.queue[:n:n]
	if d.queue = d.queue[n:]; len(d.queue) > 0 {
		return records, d.queue[0].Offset, nil
	}
	return records, d.reader.next, nil
}

func (d *Direct) fetch(ctx context.Context) error {
	var records []*kgo.Record
	err := d.log.atLeader(ctx, d.reader.partition, func(at leader) (err error) {
		records, err = d.reader.fetch(ctx, at)
		return err
	})
	var large *pipeline.TooLarge
	if err != nil && !errors.Is(err, pipeline.ErrGap) && !errors.As(err, &large) {
		return err
	}
	for _, rec := range records {
		if !rec.Attrs.IsControl() {
			d.queue = append(d.queue, pipeline.Raw{Offset: rec.Offset, LeaderEpoch: rec.LeaderEpoch, AppendedMs: rec.Timestamp.UnixMilli(), Key: rec.Key, Value: rec.Value})
		}
	}
	return err
}
