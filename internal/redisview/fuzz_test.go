package redisview

import (
	"fmt"
	"strings"
	"testing"

	"switchboard/internal/pipeline"
)

// FuzzPos: a position that can be read is written as the same; one that cannot names its field.
func FuzzPos(f *testing.F) {
	f.Add("next", "12", "topic_id", "AAAAAAAAAAAAAAAAAAAAAA", int64(5), int32(2))
	f.Add("part", "x", "leader_epoch", "-1", int64(-1), int32(-1))
	f.Add("next", "99999999999999999999", "next", "+1", int64(1<<62), int32(0))
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string, next int64, epoch int32) {
		if _, err := parsePos(map[string]string{name1: value1, name2: value2}); err != nil && !strings.Contains(err.Error(), name1) && !strings.Contains(err.Error(), name2) {
			t.Errorf("%v does not name %q or %q", err, name1, name2)
		}
		chunk := &pipeline.Chunk{Ahead: next, Progress: pipeline.Progress{Next: next, LeaderEpoch: epoch, Tombstones: next, AppliedAppendMs: next, HighWatermark: next, CheckedMs: next, Seeding: true, HistoryFrom: next, RebuildTo: next}}
		fields := map[string]string{}
		for list := chunkFields(chunk); len(list) > 0; list = list[2:] {
			fields[list[0].(string)] = fmt.Sprint(list[1])
		}
		p, err := parsePos(fields)
		if err != nil || p.Next != next || p.LeaderEpoch != epoch || p.Ahead != next || p.HistoryFrom != next || p.RebuildTo != next || p.Tombstones != next || p.Part != 0 {
			t.Errorf("%v is read as %+v (%v)", fields, p, err)
		}
	})
}
