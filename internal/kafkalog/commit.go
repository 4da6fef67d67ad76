package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/pipeline"
)

// sameReport is how often a report that says nothing new is committed: often enough to keep the group's offset alive.
const sameReport = time.Minute

type report struct {
	next     int64
	epoch    int32 // leader epoch of the record before next; -1: not known
	metadata string
}

// reports are what lanes last said and the group has not been told yet: the newest of each partition.
type reports struct {
	mu      sync.Mutex
	pending map[*Partition]report
	news    chan struct{} // 1 deep
}

func (r *reports) init() { r.pending, r.news = make(map[*Partition]report), make(chan struct{}, 1) }

func (r *reports) put(p *Partition, one report) {
	r.mu.Lock()
	r.pending[p] = one
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

func (r *reports) all() map[*Partition]report {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.pending
	r.pending = make(map[*Partition]report, len(all))
	return all
}

// said is the last report of a partition that the group accepted.
type said struct {
	mu     sync.Mutex
	report report
	at     time.Time
}

func (s *said) accept(r report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report, s.at = r, time.Now()
}

func (s *said) lately(r report) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report == r && time.Since(s.at) < sameReport
}

// Report tells the group next and metadata (at most 4096 bytes), some time later and together with other
// partitions; only the newest report need arrive. What the group has accepted already is said again once a minute.
func (p *Partition) Report(next int64, metadata string) {
	if r := p.report(next, metadata); !p.said.lately(r) {
		p.consumer.reports.put(p, r)
	}
}

func (p *Partition) report(next int64, metadata string) report {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := report{next: next, epoch: -1, metadata: metadata}
	if next == p.taken {
		r.epoch = p.epoch
	}
	return r
}

// Check commits next and metadata and says what that tells about the membership (COMMIT.md 4, lease check). It waits no longer than
// ConsumerOptions.CheckTimeout. After pipeline.LeaseLost the lane must return; if the partition is still ours once we are a member again, it
// gets a new lane, with a new Partition. A topic that was deleted and made again cannot be asked about by the client that knew the old one: the Consumer joins
// the group anew, which ends the lane.
func (p *Partition) Check(ctx context.Context, next int64, metadata string) pipeline.Lease {
	c := p.consumer
	if p.ctx.Err() != nil {
		return pipeline.LeaseLost
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.CheckTimeout)
	defer cancel()
	c.mu.Lock()
	session := c.sessions
	c.mu.Unlock()
	r := p.report(next, metadata)
	err := c.commit(ctx, map[*Partition]report{p: r})[p]
	switch {
	case err == nil && p.ctx.Err() == nil && c.holds(p):
		p.said.accept(r)
		return pipeline.LeaseHeld
	case p.ctx.Err() != nil, errors.Is(err, errNotOurs):
		return pipeline.LeaseLost
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.FencedInstanceID):
		c.lost(p, session)
		return pipeline.LeaseLost
	case errors.Is(err, kerr.UnknownTopicID):
		c.isOld(p) // and a new lane asks with another client
	}
	if c.quiet.ok("check " + p.id.String()) {
		c.log.Info("the lease check does not know yet", "partition", p.id.String(), "group", c.o.Group, "error", err)
	}
	return pipeline.LeaseUnknown
}

// commitReports is the committer.
func (c *Consumer) commitReports(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.reports.news:
		}
		c.flush(context.WithoutCancel(ctx), 5*time.Second) // one that has been sent is waited for
		pause(ctx, c.o.CommitInterval)
	}
}

// flush commits what the lanes said last.
func (c *Consumer) flush(ctx context.Context, deadline time.Duration) {
	all := c.reports.all()
	if len(all) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	for p, err := range c.commit(ctx, all) {
		if err == nil {
			p.said.accept(all[p])
			c.count.commits.Add(1)
			continue
		}
		if errors.Is(err, errNotOurs) {
			continue
		}
		// Not tried again: the next report of the lane, within a tick, says more.
		c.count.commitErrors.Add(1)
		if c.quiet.ok("commit") {
			c.log.Warn("the group was not told the position", "partition", p.id.String(), "group", c.o.Group, "error", err)
		}
	}
}

var errNotOurs = errors.New("not assigned to us")

// commit is one commit to the group, with our member id and generation; the outcome is that of each partition. franz-go
// keeps commits in order and none of them runs during a join, so a partition that is still ours when the request is
// made cannot be given to another member before it has been answered.
func (c *Consumer) commit(ctx context.Context, all map[*Partition]report) map[*Partition]error {
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	byName := make(map[string]map[int32]*Partition)
	for p, r := range all {
		put(offsets, p.id, kgo.EpochOffset{Epoch: r.epoch, Offset: r.next})
		if byName[p.id.Topic] == nil {
			byName[p.id.Topic] = make(map[int32]*Partition)
		}
		byName[p.id.Topic][p.id.Number] = p
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		c.fill(req, all, byName)
		return nil
	})
	answer := make(chan map[*Partition]error, 1)
	c.client.CommitOffsets(ctx, offsets, func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		answer <- outcomes(all, byName, req, resp, err)
	})
	select {
	case outcome := <-answer:
		return outcome
	case <-ctx.Done():
		return sameFor(all, fmt.Errorf("commit to the group: %w", context.Cause(ctx)))
	}
}

// fill puts the metadata into a request, and takes out what is not ours any more.
func (c *Consumer) fill(req *kmsg.OffsetCommitRequest, all map[*Partition]report, byName map[string]map[int32]*Partition) {
	topics := req.Topics[:0]
	for _, t := range req.Topics {
		kept := t.Partitions[:0]
		for _, part := range t.Partitions {
			p := byName[t.Topic][part.Partition]
			if p == nil || !c.holds(p) {
				continue
			}
			metadata := all[p].metadata
			part.Metadata = &metadata
			kept = append(kept, part)
		}
		if t.Partitions = kept; len(kept) > 0 {
			topics = append(topics, t)
		}
	}
	req.Topics = topics
}

// outcomes reads an answer. A partition that was taken out of the request is not in it.
func outcomes(all map[*Partition]report, byName map[string]map[int32]*Partition, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) map[*Partition]error {
	if err != nil {
		return sameFor(all, err)
	}
	names := make(map[[16]byte]string) // from version 10 on the answer has ids instead of names
	for _, t := range req.Topics {
		names[t.TopicID] = t.Topic
	}
	outcome := sameFor(all, errNotOurs)
	for _, t := range resp.Topics {
		name := t.Topic
		if name == "" {
			name = names[t.TopicID]
		}
		for _, part := range t.Partitions {
			if p := byName[name][part.Partition]; p != nil {
				outcome[p] = kerr.ErrorForCode(part.ErrorCode)
			}
		}
	}
	return outcome
}

// sameFor is the same error for all.
func sameFor(all map[*Partition]report, err error) map[*Partition]error {
	outcome := make(map[*Partition]error, len(all))
	for p := range all {
		outcome[p] = err
	}
	return outcome
}
