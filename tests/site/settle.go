package site

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Settled waits until the inbox group has taken everything, and then until the read models have reached the ends of the topics of facts. It gives the time
// that it took.
func (s *Site) Settled(within time.Duration) time.Duration {
	s.Helper()
	from := time.Now()
	Eventually(s, within, "the inboxes are taken", func() string {
		return s.lag(s.groupPositions, s.Topics.ReportInbox, s.Topics.DeviceInbox)
	})
	Eventually(s, within-time.Since(from), "the read models reach the ends of the log", func() string {
		return s.lag(s.readModelPositions, s.Topics.Reports, s.Topics.Devices)
	})
	return time.Since(from)
}

// lag says what has not reached the ends of topics.
func (s *Site) lag(positions func(ctx context.Context) (map[string]int64, error), topics ...string) string {
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	ends, err := s.Admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err.Error()
	}
	at, err := positions(ctx)
	if err != nil {
		return err.Error()
	}
	var lags []string
	ends.Each(func(o kadm.ListedOffset) {
		p := fmt.Sprintf("%s/%d", o.Topic, o.Partition)
		if next := at[p]; next < o.Offset {
			lags = append(lags, fmt.Sprintf("%s is at %d of %d", p, next, o.Offset))
		}
	})
	return strings.Join(lags, ", ")
}

func (s *Site) groupPositions(ctx context.Context) (map[string]int64, error) {
	offsets, err := s.Admin.FetchOffsets(ctx, s.Prefix+"switchboard-inbox")
	if err != nil {
		return nil, err
	}
	at := map[string]int64{}
	offsets.Each(func(o kadm.OffsetResponse) { at[fmt.Sprintf("%s/%d", o.Topic, o.Partition)] = o.At })
	return at, nil
}

func (s *Site) readModelPositions(ctx context.Context) (map[string]int64, error) {
	h, err := s.Hash(ctx)
	if err != nil {
		return nil, err
	}
	at := map[string]int64{}
	for _, p := range h.Partitions {
		at[p.Partition] = p.Next
	}
	return at, nil
}

// Shared waits until the processes, all of one role, have all of its partitions between them, and each has some. The metric is one that has a series for
// each partition.
func (s *Site) Shared(metric string, partitions int, processes ...*Process) {
	s.Helper()
	Eventually(s, patience, fmt.Sprintf("%d partitions are shared by %d of role %s", partitions, len(processes), processes[0].Role), func() string {
		var each []int
		sum := 0
		for _, p := range processes {
			n := p.Series(metric)
			each, sum = append(each, n), sum+n
		}
		if sum != partitions || slices.Contains(each, 0) {
			return fmt.Sprint("they have ", each)
		}
		return ""
	})
}
