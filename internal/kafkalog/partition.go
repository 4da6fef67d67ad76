package kafkalog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// recordBytes is what a record in a mailbox costs beside its key and value.
const recordBytes = 80

// Partition is one partition that the group has given us, as its lane sees it: a pipeline.Source and a
// pipeline.Membership. It is a mailbox: the poller puts in, the lane takes out.
type Partition struct {
	consumer *Consumer
	id       event.Partition

	ctx    context.Context // ends when the partition is released
	cancel context.CancelFunc
	done   chan struct{} // closed when the lane has returned, or never begins

	fetched    bool                // of the callbacks
	started    bool                // under Consumer.mu
	lost       bool                // under Consumer.mu: a lease check said so
	assignment pipeline.Assignment // written before the lane starts
	after      <-chan struct{}     // closed when the lane of a predecessor has returned; nil: there is none

	ready chan struct{} // 1 deep: something new for Take

	mu          sync.Mutex
	run         int64 // counts seeks of the lane; 0: none yet
	noted       int64 // the run that the client knows of
	target      int64 // of the newest seek
	targetEpoch int32
	queue       []pipeline.Raw
	bytes       int64
	polled      int64     // offset behind the last record polled, control records included
	polledEpoch int32     // its leader epoch
	heard       time.Time // when something was polled, or sought
	missed      time.Time // since when the log is known to go on behind polled, or was sought there again: see revive; zero: it is not
	patience    time.Duration
	again       bool  // the poller is to seek to where it is: see revive
	taken       int64 // what Take last said is next
	epoch       int32 // leader epoch of the last record polled before taken; -1: not known
	err         error // behind all that is queued; it stands until the next seek
	full        bool
	limit       int64 // bytes to queue; set by the poller
	ended       bool  // the lane has returned

	paused  bool // of the poller: what the client was told last
	strange int  // likewise: faults in a row that say that the topic is another one

	said said
}

var (
	_ pipeline.Source     = (*Partition)(nil)
	_ pipeline.Membership = (*Partition)(nil)
)

func newPartition(c *Consumer, id event.Partition) *Partition {
	p := &Partition{
		consumer: c, id: id, done: make(chan struct{}), ready: make(chan struct{}, 1), epoch: -1, paused: true,
		assignment: pipeline.Assignment{Partition: id, GroupOffset: -1},
	}
	p.ctx, p.cancel = context.WithCancel(c.ctx)
	return p
}

// Assignment is what the group knew of the partition when it gave it to us.
func (p *Partition) Assignment() pipeline.Assignment { return p.assignment }

// SeekTo continues at the offset next, as pipeline.Source says. It returns at once. leaderEpoch goes with the
// position, so that the client notices when a later leader has another history.
func (p *Partition) SeekTo(next int64, leaderEpoch int32) {
	p.mu.Lock()
	p.run++
	p.target, p.targetEpoch = next, leaderEpoch
	p.queue, p.bytes, p.err, p.full = nil, 0, nil, false
	p.polled, p.taken, p.epoch = next, next, leaderEpoch
	p.polledEpoch, p.heard, p.missed, p.again = leaderEpoch, time.Now(), time.Time{}, false
	p.mu.Unlock()
	p.consumer.waker.wake()
}

// Take hands over what is queued, as pipeline.Source says, and waits only if nothing is. Its error is
// pipeline.ErrReleased, pipeline.ErrGap, *pipeline.TooLarge or that of ctx; the last two of ours stand until the next SeekTo.
func (p *Partition) Take(ctx context.Context, maxRecords int, wait time.Duration) ([]pipeline.Raw, int64, error) {
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		if p.ctx.Err() != nil {
			return nil, 0, pipeline.ErrReleased
		}
		if records, next, ok, err := p.take(maxRecords); ok || err != nil {
			return records, next, err
		}
		select {
		case <-p.ready:
		case <-p.ctx.Done():
		case <-ctx.Done():
			if p.ctx.Err() == nil {
				return nil, 0, context.Cause(ctx)
			}
		case <-over.C:
			p.mu.Lock()
			defer p.mu.Unlock()
			return nil, p.taken, nil
		}
	}
}

// take is what there is; ok is false if there is nothing new.
func (p *Partition) take(maxRecords int) (records []pipeline.Raw, next int64, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(p.queue) > maxRecords:
		records, p.queue = p.queue[:maxRecords:maxRecords], p.queue[maxRecords:]
		p.taken = p.queue[0].Offset
	case len(p.queue) > 0:
		records, p.queue = p.queue, nil
		p.taken = p.polled
	case p.polled > p.taken:
		p.taken = p.polled
		return nil, p.taken, true, nil
	default:
		return nil, p.taken, false, p.err
	}
	for i := range records {
		p.bytes -= size(&records[i])
	}
	p.epoch = records[len(records)-1].LeaderEpoch
	p.consumer.count.polled.Add(int64(len(records)))
	if p.full && p.bytes <= p.limit/2 && len(p.queue) <= p.consumer.o.QueueRecords/2 {
		p.consumer.waker.wake() // the poller resumes it
	}
	return records, p.taken, true, nil
}

func size(r *pipeline.Raw) int64 { return int64(len(r.Key) + len(r.Value) + recordBytes) }

// share is how many bytes a partition may queue.
func (c *Consumer) share(partitions int) int64 {
	return max(c.o.QueueBytes/int64(max(partitions, 1)), 64<<10)
}

// end marks the lane as returned.
func (p *Partition) end() {
	p.mu.Lock()
	p.ended, p.queue, p.bytes = true, nil, 0
	p.mu.Unlock()
	p.consumer.waker.wake() // the poller pauses it
}

func (p *Partition) queuedBytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

func (p *Partition) signal() {
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

// gap is pipeline.ErrGap with what was seen.
func gap(format string, args ...any) error {
	return fmt.Errorf("%w: %s", pipeline.ErrGap, fmt.Sprintf(format, args...))
}
