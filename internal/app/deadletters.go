package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"switchboard/config"
	"switchboard/internal/event"
	"switchboard/internal/kafkalog"
	"switchboard/internal/pipeline"
	"switchboard/topology"
)

// DeadLetter is a dead letter and when the broker took it.
type DeadLetter struct {
	pipeline.DeadLetter
	AppendedMs int64 // Unix milliseconds
}

// ListDeadLetters calls f with every dead letter that stands in the topic now, partition by partition, in order. Until the topic is
// compacted a record that was taken in several times can have several letters.
func ListDeadLetters(ctx context.Context, cfg *config.Config, logger *slog.Logger, f func(DeadLetter) error) error {
	top, options, err := topologyAndOptions(cfg, logger)
	if err != nil {
		return err
	}
	letters, err := lettersTopic(top)
	if err != nil {
		return err
	}
	log, err := kafkalog.NewLog(options)
	if err != nil {
		return err
	}
	defer log.Close()
	ends, err := log.HighWatermarks(ctx, letters.Name)
	if err != nil {
		return err
	}
	for _, p := range slices.SortedFunc(maps.Keys(ends), func(a, b event.Partition) int { return int(a.Number - b.Number) }) {
		state, err := log.Observe(ctx, p, -1)
		if err != nil {
			return err
		}
		if err := log.ReadRange(ctx, p, state.Start, ends[p], func(raw pipeline.Raw) error {
			if raw.Value == nil {
				return nil // somebody has settled it
			}
			letter, err := kafkalog.DecodeDeadLetter(raw.Value)
			if err != nil {
				return fmt.Errorf("%s@%d: %w", p, raw.Offset, err)
			}
			return f(DeadLetter{letter, raw.AppendedMs})
		}); err != nil {
			return err
		}
	}
	return nil
}

// Redrive sends the original bytes of a record of an inbox through the inbox again, as a new record of the same partition, and returns
// its offset. Headers do not go with it; nothing here reads any.
func Redrive(ctx context.Context, cfg *config.Config, logger *slog.Logger, p event.Partition, offset int64) (int64, error) {
	top, options, err := topologyAndOptions(cfg, logger)
	if err != nil {
		return 0, err
	}
	if t, ok := top.Topic(p.Topic); !ok || t.Kind != topology.Inbox {
		return 0, fmt.Errorf("%s is no inbox: a bad fact is written again by whoever wrote it, right", p.Topic)
	}
	log, err := kafkalog.NewLog(options)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	state, err := log.Observe(ctx, p, -1)
	if err != nil {
		return 0, err
	}
	if offset < state.Start || offset >= state.End {
		return 0, fmt.Errorf("%s has offsets %d to %d: %d is not there", p, state.Start, state.End-1, offset)
	}
	var found *pipeline.Raw
	if err := log.ReadRange(ctx, p, offset, offset+1, func(raw pipeline.Raw) error { found = &raw; return nil }); err != nil {
		return 0, err
	}
	if found == nil || found.Offset != offset {
		return 0, fmt.Errorf("%s@%d is no record", p, offset)
	}
	appender, err := kafkalog.NewAppender(kafkalog.AppenderOptions{Options: options})
	if err != nil {
		return 0, err
	}
	defer closeAppender(appender, cfg)
	result := appender.Append(ctx, []kafkalog.Record{{Partition: p, Key: found.Key, Value: found.Value}})[0]
	return result.Offset, result.Err
}
