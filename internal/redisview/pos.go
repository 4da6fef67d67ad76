package redisview

import (
	"fmt"
	"strconv"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// parsePos reads a position as HGETALL gives it. Fields that are missing keep the value that means "unset".
func parsePos(fields map[string]string) (pipeline.Pos, error) {
	p := pipeline.Pos{Next: -1, LeaderEpoch: -1}
	var bad string
	number := func(name string, unset int64) int64 {
		text, ok := fields[name]
		if !ok {
			return unset
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			bad = name
		}
		return n
	}
	p.Owner, p.Seed, p.ClusterID = fields["owner"], fields["seed"], fields["cluster_id"]
	p.Views, p.Broken = fields["views"], fields["broken"]
	p.Next, p.Ahead, p.Part = number("next", -1), number("ahead", 0), int(number("part", 0))
	p.Partitions, p.Fold = int32(number("partitions", 0)), int(number("fold", 0))
	p.HistoryFrom, p.RebuildTo = number("history_from", 0), number("rebuild_to", 0)
	p.LeaderEpoch, p.Tombstones = int32(number("leader_epoch", -1)), number("tombstones", 0)
	p.AppliedAppendMs, p.HighWatermark, p.CheckedMs = number("applied_append_ms", 0), number("high_watermark", 0), number("checked_ms", 0)
	if text, ok := fields["topic_id"]; ok {
		var err error
		if p.TopicID, err = event.ParseTopicID(text); err != nil {
			bad = "topic_id"
		}
	}
	if bad != "" {
		return p, fmt.Errorf("field %s of the position cannot be read", bad)
	}
	return p, nil
}

// newPosFields are the fields of a position that is not seeded yet.
func newPosFields(p *pipeline.Pos) []any {
	return []any{
		"part", 0, "seed", p.Seed, "topic_id", p.TopicID.String(), "cluster_id", p.ClusterID, "partitions", int(p.Partitions),
		"fold", p.Fold, "views", p.Views,
	}
}

// chunkFields are the fields that a chunk writes into the position.
func chunkFields(c *pipeline.Chunk) []any {
	if !c.Last() {
		return []any{"part", c.Part, "ahead", c.Ahead}
	}
	p := &c.Progress
	fields := []any{
		"next", p.Next, "part", 0, "ahead", c.Ahead, "leader_epoch", int(p.LeaderEpoch), "tombstones", p.Tombstones,
		"applied_append_ms", p.AppliedAppendMs, "high_watermark", p.HighWatermark, "checked_ms", p.CheckedMs,
	}
	if p.Seeding {
		fields = append(fields, "history_from", p.HistoryFrom, "rebuild_to", p.RebuildTo)
	}
	return fields
}
