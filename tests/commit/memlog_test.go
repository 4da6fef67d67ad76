package commit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// memlog is one partition of a log, and the group that reads it, in memory: what a lane needs, and nothing
// between it and Redis that could fail by itself.
type memlog struct {
	partition event.Partition
	topicID   event.TopicID

	mu      sync.Mutex
	records []pipeline.Raw
	end     int64
	changed chan struct{}
	reports []string
	letters []pipeline.DeadLetter
}

func newMemlog(p event.Partition) *memlog {
	return &memlog{partition: p, topicID: event.TopicID{1, 2, 3}, changed: make(chan struct{})}
}

// add appends a record; hole leaves offsets out, as compaction does.
func (m *memlog) add(key, value []byte, hole int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end += hole
	m.records = append(m.records, pipeline.Raw{Offset: m.end, AppendedMs: 1_700_000_000_000 + m.end, Key: key, Value: value})
	m.end++
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memlog) Observe(context.Context, event.Partition, int32) (pipeline.LogState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return pipeline.LogState{ClusterID: "memlog", TopicID: m.topicID, Partitions: 1, End: m.end, EpochEnd: m.end}, nil
}

func (m *memlog) watermark(event.Partition) (int64, int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.end, time.Now().UnixMilli()
}

func (m *memlog) bury(_ context.Context, letters []pipeline.DeadLetter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters = append(m.letters, letters...)
	return nil
}

// Report and Check are the group of a single member that is never taken its partition.
func (m *memlog) Report(next int64, metadata string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reports = append(m.reports, fmt.Sprint(next, " ", metadata))
}

func (m *memlog) Check(context.Context, int64, string) pipeline.Lease { return pipeline.LeaseHeld }

// source reads the memlog for one lane.
type source struct {
	log  *memlog
	next int64
}

func (s *source) SeekTo(next int64, _ int32) { s.next = next }

func (s *source) Take(ctx context.Context, most int, wait time.Duration) ([]pipeline.Raw, int64, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		s.log.mu.Lock()
		var got []pipeline.Raw
		for _, r := range s.log.records {
			if r.Offset >= s.next && len(got) < most {
				got = append(got, r)
			}
		}
		end, changed := s.log.end, s.log.changed
		s.log.mu.Unlock()
		if len(got) > 0 {
			s.next = got[len(got)-1].Offset + 1
			return got, s.next, nil
		}
		select {
		case <-ctx.Done():
			return nil, 0, pipeline.ErrReleased
		case <-timer.C:
			return nil, max(s.next, end), nil
		case <-changed:
		}
	}
}
