package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// waker ends the poll that is under way, or the next one if there is none.
type waker struct {
	mu     sync.Mutex
	asked  bool
	cancel context.CancelFunc
}

func (w *waker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = true
	if w.cancel != nil {
		w.cancel()
	}
}

// begin is the context of one poll.
func (w *waker) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel = cancel
	if w.asked {
		cancel()
	}
	return ctx, cancel
}

// heard forgets what was asked: the poller looks at everything after it.
func (w *waker) heard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = false
}

// poll hands what the brokers send to the partitions, and brings about what their lanes want, until ctx is done or the client is
// outdated.
func (c *Consumer) poll(ctx context.Context) {
	for ctx.Err() == nil && !c.isOutdated() {
		once, cancel := c.waker.begin(ctx)
		fetches := c.client.PollRecords(once, 0) // 0: all that is buffered
		cancel()
		if fetches.IsClientClosed() {
			return
		}
		if len(fetches) == 0 {
			continue // this poll does not exclude the callbacks
		}
		c.waker.heard()
		failing := c.handOver(fetches)
		c.reconcile()
		c.client.AllowRebalance()
		if failing {
			pause(ctx, 100*time.Millisecond)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// handOver gives records and errors to the mailboxes. It says whether there was nothing but errors
// that come again at once.
func (c *Consumer) handOver(fetches kgo.Fetches) (failing bool) {
	records := 0
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		records += len(f.Records)
		p := c.partition(f.Topic, f.Partition)
		if p == nil {
			c.count.stale.Add(int64(len(f.Records)))
			c.groupError(f.Err)
			return
		}
		fault := classify(f.Err)
		if p.deliver(f.Records, fault) {
			p.notice(fault)
		}
		if f.Err != nil && fault == nil && !errors.Is(f.Err, context.Canceled) {
			failing = true
			if c.quiet.ok(p.id.String()) {
				c.log.Warn("the partition cannot be fetched; trying again", "partition", p.id.String(), "error", f.Err)
			}
		}
	})
	return failing && records == 0
}

// groupError takes note of an error that belongs to no partition of ours.
func (c *Consumer) groupError(err error) {
	if session, ok := errors.AsType[*kgo.ErrGroupSession](err); ok {
		c.mu.Lock()
		c.trouble = session
		c.mu.Unlock()
		if c.quiet.ok("") {
			c.log.Warn("no member of the group; trying again", "group", c.o.Group, "error", session.Err)
		}
	}
}

// classify is what an error of a fetch means to a lane; nil if the client gets over it by trying again.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if loss, ok := errors.AsType[*kgo.ErrDataLoss](err); ok {
		// The client goes on at ResetTo by itself. What it sends from there is not handed on: the error stands.
		return gap("records were lost: read up to %d of epoch %d, the log now goes on at %d", loss.ConsumedTo, loss.ConsumedToEpoch, loss.ResetTo)
	}
	if large, ok := errors.AsType[*kgo.ErrDecompressTooLarge](err); ok {
		return &pipeline.TooLarge{Offset: large.Offset, Next: large.NextOffset}
	}
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		return gap("the offset is outside of the log")
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		return fmt.Errorf("%w: %w", pipeline.ErrGap, errOtherTopic)
	}
	return nil
}

var errOtherTopic = errors.New("the topic was deleted, and perhaps created again")

// notice judges a fault that says that the topic is another one. franz-go never takes a new topic id for a name it knows. But a lane that seeks
// again has seen a topic of that name, and decided to go on with it: the second such fault in a row means that the client is the one that is wrong.
func (p *Partition) notice(fault error) {
	if !errors.Is(fault, errOtherTopic) {
		p.strange = 0
		return
	}
	if p.strange++; p.strange < 2 {
		return
	}
	p.consumer.isOld(p)
}

// isOld notes that the client knows another topic id than the cluster, as seen at p, which is ours.
func (c *Consumer) isOld(p *Partition) {
	c.mu.Lock()
	c.outdated = c.outdated || c.partitions[p.id] == p
	c.mu.Unlock()
	c.waker.wake()
}

func (c *Consumer) isOutdated() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outdated
}

// deliver puts what was polled into the mailbox, unless the lane has sought since (false).
func (p *Partition) deliver(records []*kgo.Record, fault error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == 0 || p.run != p.noted || p.err != nil || p.ended {
		p.consumer.count.stale.Add(int64(len(records)))
		return false
	}
	p.came()
	if p.queue == nil {
		p.queue = make([]pipeline.Raw, 0, len(records))
	}
	for _, r := range records {
		if r.Offset < p.polled {
			fault = gap("offset %d came behind offset %d", r.Offset, p.polled-1)
			break
		}
		p.polled, p.polledEpoch = r.Offset+1, r.LeaderEpoch
		if r.Attrs.IsControl() {
			continue
		}
		raw := pipeline.Raw{Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, AppendedMs: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
		p.queue = append(p.queue, raw)
		p.bytes += size(&raw)
	}
	if fault != nil {
		if large, ok := errors.AsType[*pipeline.TooLarge](fault); ok {
			large.Offset = max(large.Offset, p.polled)
		} else {
			p.consumer.count.gaps.Add(1)
		}
		p.err = fault
	}
	p.signal()
	return true
}

// reconcile brings the client to where the lanes want it: their newest seeks, and paused while a partition
// has not sought yet, is full, has an error, or has no lane any more.
func (c *Consumer) reconcile() {
	list := c.all()
	share := c.share(len(list))
	detour, seeks := map[string]map[int32]kgo.EpochOffset{}, map[string]map[int32]kgo.EpochOffset{}
	pauses, resumes := map[string][]int32{}, map[string][]int32{}
	for _, p := range list {
		seek, still := p.wants(share)
		if seek != nil {
			put(detour, p.id, kgo.EpochOffset{Epoch: -1, Offset: seek.Offset + 1})
			put(seeks, p.id, *seek)
		}
		if !p.paused && (still || seek != nil) {
			pauses[p.id.Topic] = append(pauses[p.id.Topic], p.id.Number)
		}
		if !still && (p.paused || seek != nil) {
			resumes[p.id.Topic] = append(resumes[p.id.Topic], p.id.Number)
		}
		p.paused = still
	}
	if len(pauses) > 0 {
		c.client.PauseFetchPartitions(pauses)
	}
	if len(seeks) > 0 {
		c.client.SetOffsets(detour) // see "Not obvious" in the package comment
		c.client.SetOffsets(seeks)
	}
	if len(resumes) > 0 {
		c.client.ResumeFetchPartitions(resumes)
	}
}

// wants is where to seek, if anywhere, and whether to be paused. It notes the run: the poller seeks before it polls again.
func (p *Partition) wants(share int64) (seek *kgo.EpochOffset, still bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != p.noted {
		p.noted = p.run
		seek = &kgo.EpochOffset{Epoch: p.targetEpoch, Offset: p.target}
	} else if p.again {
		seek = &kgo.EpochOffset{Epoch: p.polledEpoch, Offset: p.polled}
	}
	p.again = false
	p.limit = share
	most := p.consumer.o.QueueRecords
	switch {
	case p.bytes >= p.limit || len(p.queue) >= most:
		p.full = true
	case p.bytes <= p.limit/2 && len(p.queue) <= most/2:
		p.full = false
	}
	return seek, p.noted == 0 || p.full || p.err != nil || p.ended
}

func put(offsets map[string]map[int32]kgo.EpochOffset, p event.Partition, to kgo.EpochOffset) {
	if offsets[p.Topic] == nil {
		offsets[p.Topic] = make(map[int32]kgo.EpochOffset)
	}
	offsets[p.Topic][p.Number] = to
}
