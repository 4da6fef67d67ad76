package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/event"
)

// maxDecompressed bounds what one batch of records may decompress to.
const maxDecompressed = 64 << 20

// ConsumerOptions configure a member of a consumer group. A zero value means the default in its comment.
type ConsumerOptions struct {
	Options
	Group      string
	Topics     []string
	InstanceID string // of a static member; empty: a dynamic one

	SessionTimeout   time.Duration // 10 s. Silent for longer, a member loses its partitions.
	RebalanceTimeout time.Duration // 60 s. What all members have to hand partitions over.

	QueueBytes           int64         // 64 MiB. Polled and not taken, of all partitions; beyond its share a partition is paused.
	QueueRecords         int           // 50,000. The same in records, of each partition.
	FetchMaxBytes        int32         // 16 MiB. Of one answer of a broker; a queue can be longer by that much.
	FetchMaxWait         time.Duration // 250 ms. How long a broker without news waits; bounds how late a partition resumes.
	MaxConcurrentFetches int           // 3
	CommitInterval       time.Duration // 250 ms. Least time between two commits of reports.
	CheckTimeout         time.Duration // 5 s. A lease check without an answer by then knows nothing.
	StandStill           time.Duration // 5 s. How long nothing comes of a partition until the broker is asked whether there is something.
}

func (o *ConsumerOptions) defaults() error {
	if o.Group == "" || len(o.Topics) == 0 {
		return errors.New("consumer: needs a group and topics")
	}
	setDefault(&o.SessionTimeout, 10*time.Second)
	setDefault(&o.RebalanceTimeout, 60*time.Second)
	setDefault(&o.QueueBytes, 64<<20)
	setDefault(&o.QueueRecords, 50_000)
	setDefault(&o.FetchMaxBytes, 16<<20)
	setDefault(&o.FetchMaxWait, 250*time.Millisecond)
	setDefault(&o.MaxConcurrentFetches, 3)
	setDefault(&o.CommitInterval, 250*time.Millisecond)
	setDefault(&o.CheckTimeout, 5*time.Second)
	setDefault(&o.StandStill, 5*time.Second)
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Consumer is a member of a consumer group, with a lane for each partition that the group gives it.
type Consumer struct {
	o   ConsumerOptions
	log *slog.Logger

	client *kgo.Client // of Run
	ctx    context.Context
	lane   func(context.Context, *Partition)

	mu         sync.Mutex
	partitions map[event.Partition]*Partition
	sessions   int64 // of the group that have begun
	stopping   bool
	outdated   bool  // the client knows another topic id than the cluster
	trouble    error // with the group; nil once it gives us anything

	waker   waker
	reports reports
	count   counts
	quiet   seldom
}

type counts struct {
	polled, stale, gaps, rebalances, commits, commitErrors atomic.Int64
}

// ConsumerStats count since the start.
type ConsumerStats struct {
	Assigned     int   // partitions that we have now
	QueuedBytes  int64 // polled and not taken, now
	Polled       int64 // records handed to lanes
	Stale        int64 // records dropped because a lane had sought, or was gone
	Gaps         int64 // positions found missing
	Rebalances   int64 // times that partitions were given to us or taken
	Commits      int64
	CommitErrors int64 // of reports, which nobody waits for
}

// NewConsumer checks the options. It connects only when it is run.
func NewConsumer(o ConsumerOptions) (*Consumer, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	c := &Consumer{o: o, log: o.logger(), partitions: make(map[event.Partition]*Partition)}
	opts, err := c.clientOpts()
	if err != nil {
		return nil, err
	}
	if err := kgo.ValidateOpts(opts...); err != nil {
		return nil, fmt.Errorf("consumer of group %s: %w", o.Group, err)
	}
	return c, nil
}

// heartbeat is a part of what a takeover takes beyond the session timeout: members hear of a partition that has lost its reader with their next heartbeat. The
// usual 3 s would alone be more than the second that it may take.
const heartbeat = 500 * time.Millisecond

func (c *Consumer) clientOpts() ([]kgo.Opt, error) {
	opts, err := c.o.opts()
	if err != nil {
		return nil, err
	}
	opts = append(opts,
		kgo.ConsumerGroup(c.o.Group), kgo.ConsumeTopics(c.o.Topics...), kgo.Balancers(newBalancer()),
		kgo.SessionTimeout(c.o.SessionTimeout), kgo.RebalanceTimeout(c.o.RebalanceTimeout),
		kgo.HeartbeatInterval(min(heartbeat, c.o.SessionTimeout/3)),
		kgo.BlockRebalanceOnPoll(), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.MaxDecompressBatchBytes(maxDecompressed),
		kgo.FetchMaxBytes(c.o.FetchMaxBytes), kgo.FetchMaxPartitionBytes(min(c.o.FetchMaxBytes, 4<<20)), kgo.FetchMaxWait(c.o.FetchMaxWait),
		kgo.MaxConcurrentFetches(c.o.MaxConcurrentFetches),
		kgo.OnPartitionsAssigned(c.assigned), kgo.OnOffsetsFetched(c.offsetsFetched), kgo.AdjustFetchOffsetsFn(c.begin),
		kgo.OnPartitionsRevoked(c.released), kgo.OnPartitionsLost(c.released),
	)
	if c.o.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(c.o.InstanceID))
	}
	return opts, nil
}

// Run is a member of the group until ctx is done. For each partition that it is given it calls lane, in a goroutine of its own;
// the context of that call ends when the partition is revoked or lost, and when ctx is done. The group waits for
// lane to return before it gives the partition to anybody else. A lane that returns by itself leaves its
// partition assigned and paused. Run returns when all lanes have returned and the group has been left; it may be
// called once.
func (c *Consumer) Run(ctx context.Context, lane func(ctx context.Context, p *Partition)) error {
	c.ctx, c.lane = ctx, lane
	for {
		if err := c.member(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		c.log.Warn("a topic was deleted; joining the group anew as soon as there is one of that name", "group", c.o.Group, "topics", c.o.Topics)
		if err := c.awaitTopics(ctx); err != nil {
			return err
		}
	}
}

// awaitTopics waits until the cluster has every topic, or ctx is done.
func (c *Consumer) awaitTopics(ctx context.Context) error {
	client, err := c.o.client()
	if err != nil {
		return err
	}
	defer client.Close()
	for ctx.Err() == nil {
		resp, err := metadata(ctx, client, c.o.Topics...)
		if err == nil {
			for _, topic := range resp.Topics {
				err = errors.Join(err, topicError(*topic.Topic, topic.ErrorCode))
			}
		}
		if err == nil {
			return nil
		}
		c.mu.Lock()
		c.trouble = err
		c.mu.Unlock()
		pause(ctx, time.Second)
	}
	return nil
}

// member is a member of the group until ctx is done, or the client is outdated.
func (c *Consumer) member(ctx context.Context) error {
	opts, err := c.clientOpts()
	if err != nil {
		return err
	}
	c.reports.init()
	alive, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	opts = append(opts, kgo.WithContext(alive))
	c.mu.Lock() // callbacks wait until client is set
	c.stopping, c.outdated = false, false
	client, err := kgo.NewClient(opts...)
	c.client = client
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("consumer of group %s: %w", c.o.Group, err)
	}
	var others sync.WaitGroup
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	others.Go(func() { c.commitReports(working) })
	others.Go(func() { c.revive(working) })
	c.poll(ctx)

	c.mu.Lock()
	c.stopping = true
	c.mu.Unlock()
	client.AllowRebalance()
	c.endLanes(c.all())
	stop()
	others.Wait()
	c.flush(context.WithoutCancel(ctx), 2*time.Second)
	c.forget(c.all())
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := client.LeaveGroupContext(leave); err != nil {
		c.log.Warn("the group was not left; it finds out after the session timeout", "group", c.o.Group, "error", err)
		kill() // Close would wait for a join under way: for the rebalance timeout and ten seconds, if no answer comes
	}
	client.CloseAllowingRebalance()
	return nil
}

// Trouble is why the group gives us nothing, as last heard; nil if there is no such news.
func (c *Consumer) Trouble() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trouble
}

// Joined says whether the group has taken us in, with partitions or without.
func (c *Consumer) Joined() bool {
	c.mu.Lock()
	client := c.client
	c.mu.Unlock()
	if client == nil {
		return false
	}
	_, generation := client.GroupMetadata()
	return generation > 0
}

// Assigned is every partition that the group has given us, in no order.
func (c *Consumer) Assigned() []event.Partition {
	var list []event.Partition
	for _, p := range c.all() {
		list = append(list, p.id)
	}
	return list
}

// Stats are the counters as they are now.
func (c *Consumer) Stats() ConsumerStats {
	s := ConsumerStats{
		Polled: c.count.polled.Load(), Stale: c.count.stale.Load(), Gaps: c.count.gaps.Load(), Rebalances: c.count.rebalances.Load(),
		Commits: c.count.commits.Load(), CommitErrors: c.count.commitErrors.Load(),
	}
	for _, p := range c.all() {
		s.Assigned++
		s.QueuedBytes += p.queuedBytes()
	}
	return s
}

func (c *Consumer) all() []*Partition {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*Partition, 0, len(c.partitions))
	for _, p := range c.partitions {
		list = append(list, p)
	}
	return list
}

// partition is what the group has given us under this name, or nil.
func (c *Consumer) partition(topic string, number int32) *Partition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.partitions[event.Partition{Topic: topic, Number: number}]
}

// holds says whether the group has given us p and not taken it since.
func (c *Consumer) holds(p *Partition) bool { return c.partition(p.id.Topic, p.id.Number) == p }
