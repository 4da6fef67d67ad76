package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// ReadRange calls f with every record of a partition from offset from up to, not including, offset to, in order, as a consumer sees
// them: committed ones only, no markers. It belongs to no group and commits nothing. It waits for records that are
// not there yet, until ctx ends; give it an end that Observe or HighWatermarks has told. An error of f ends it. pipeline.ErrGap: from, or
// what follows, is not in the log any more. *pipeline.TooLarge: a batch that decompresses to more than is accepted.
//
// It fetches by its own requests, since only the answers tell how far the log was looked through: behind
// compaction the last offsets before to may have no record at all.
func (l *Log) ReadRange(ctx context.Context, p event.Partition, from, to int64, f func(pipeline.Raw) error) error {
	r := &rangeReader{log: l, partition: p, next: from, to: to}
	for r.next < r.to {
		var records []*kgo.Record
		err := l.atLeader(ctx, p, func(at leader) (err error) {
			records, err = r.fetch(ctx, at)
			return err
		})
		if err != nil {
			return fmt.Errorf("read %s at %d: %w", p, r.next, err)
		}
		for _, rec := range records {
			if rec.Offset >= to {
				break
			}
			if rec.Attrs.IsControl() {
				continue
			}
			raw := pipeline.Raw{Offset: rec.Offset, LeaderEpoch: rec.LeaderEpoch, AppendedMs: rec.Timestamp.UnixMilli(), Key: rec.Key, Value: rec.Value}
			if err := f(raw); err != nil {
				return err
			}
		}
	}
	return nil
}

type rangeReader struct {
	log       *Log
	partition event.Partition
	next, to  int64
}

// fetch reads once and moves next. It moves it to the end if the broker has looked and found nothing more.
func (r *rangeReader) fetch(ctx context.Context, at leader) ([]*kgo.Record, error) {
	resp, err := at.broker.RetriableRequest(ctx, r.request(at))
	if err != nil {
		return nil, err
	}
	answer := resp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		return nil, err
	}
	if len(answer.Topics) == 0 || len(answer.Topics[0].Partitions) == 0 {
		return nil, nil
	}
	part := &answer.Topics[0].Partitions[0]
	opts := kgo.ProcessFetchPartitionOpts{
		Offset: r.next, IsolationLevel: kgo.ReadCommitted(), Topic: r.partition.Topic, Partition: r.partition.Number, KeepControlRecords: true,
	}
	got, next := kgo.ProcessFetchPartition(opts, part, decompressor, nil)
	if err := r.problem(got.Err); err != nil && len(got.Records) == 0 {
		return nil, err // behind records it comes again, at the next fetch
	}
	if len(part.RecordBatches) == 0 && got.Err == nil && part.LastStableOffset >= r.to {
		r.next = r.to
		return nil, nil
	}
	r.next = next
	return got.Records, nil
}

func (r *rangeReader) problem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.OffsetOutOfRange):
		return gap("the offset is outside of the log")
	}
	if large, ok := errors.AsType[*kgo.ErrDecompressTooLarge](err); ok {
		return &pipeline.TooLarge{Offset: max(large.Offset, r.next), Next: large.NextOffset}
	}
	return err
}

func (r *rangeReader) request(at leader) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.IsolationLevel = -1, readCommitted
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 250, 1, 16<<20
	req.SessionEpoch = -1 // no fetch session
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = r.partition.Topic, at.topic.TopicID
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset = r.partition.Number, r.next
	part.PartitionMaxBytes = int32(min(8, r.to-r.next)) << 20 // a record is at most 1 MiB: a few of them are read without the rest
	part.CurrentLeaderEpoch, part.LogStartOffset, part.LastFetchedEpoch = at.epoch, -1, -1
	t.Partitions = append(t.Partitions, part)
	req.Topics = append(req.Topics, t)
	return req
}

// backOff waits before the next attempt, or says that ctx ended.
func backOff(ctx context.Context, try int) error {
	pause(ctx, time.Duration(try)*50*time.Millisecond)
	return ctx.Err()
}

// bounded is franz-go's decompressor with the bound that our consumers have.
type bounded struct{ kgo.Decompressor }

func (b bounded) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	out, err := b.Decompressor.Decompress(src, codec)
	if err == nil && len(out) > maxDecompressed {
		return nil, kgo.ErrMaxDecompress
	}
	return out, err
}

var decompressor = bounded{kgo.DefaultDecompressor()}
