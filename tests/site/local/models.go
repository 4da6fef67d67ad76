package local

import (
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
)

// Serving is the lane that serves a partition; its generation is "" when none does.
func (s *Site) Serving(n int32) pipeline.LaneID {
	return reference.Serving(s.Context(), s.Redis, s.Partition(n))
}

// Next is the position of the serving generation, as Redis has it; -1 when it has none.
func (s *Site) Next(n int32) int64 {
	next, err := s.Redis.HGet(s.Context(), redisview.PosKey(s.Serving(n)), "next").Int64()
	if err != nil {
		return -1
	}
	return next
}

// CaughtUp waits until the serving generations have folded everything.
func (s *Site) CaughtUp() {
	s.Helper()
	s.eventually("the read models reach the ends of the log", func() string {
		ends, err := s.ends(s.Reports)
		if err != nil {
			return err.Error()
		}
		var lags []string
		for n, end := range ends {
			if next := s.Next(int32(n)); next != end {
				lags = append(lags, fmt.Sprintf("partition %d is at %d of %d", n, next, end))
			}
		}
		return strings.Join(lags, ", ")
	})
}

// Exact holds the serving generations against the fold of Facts.
func (s *Site) Exact() {
	s.Helper()
	s.Holds(s.Facts)
}

// Holds does the same with other facts about subscribers.
func (s *Site) Holds(list []event.Event) {
	s.Helper()
	set, err := view.NewSet(view.Names())
	if err != nil {
		s.Fatal(err)
	}
	for n, part := range reference.Parted(list, s.counts[s.Reports]) {
		reference.Holds(s, s.Node(int32(n)), s.Serving(int32(n)), set, part)
	}
}

// Node is the server that has a partition's read models.
func (s *Site) Node(n int32) *redis.Client {
	s.Helper()
	if one, ok := s.Redis.(*redis.Client); ok {
		return one
	}
	return backend.SlotOf(s, s.On.Redis, redisview.PosKey(s.Serving(n))).At
}
