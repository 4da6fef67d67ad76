package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/intake"
	"switchboard/internal/kafkalog"
	"switchboard/internal/pipeline"
)

const (
	// inboxBatch is how many records a partition takes at a time. The appender's buffer has room for 100 such batches.
	inboxBatch = 500
	// inboxTick is how long an idle lane waits before it tells the group again that it stands where it stood.
	inboxTick = time.Second
	// inboxAppend is how long one attempt to append waits. A partition is handed over only when its attempt is over, so it is far
	// below the rebalance timeout.
	inboxAppend = 10 * time.Second
)

// inboxLane takes from one partition; it belongs to one goroutine.
type inboxLane struct {
	*Inbox
	kind    inboxKind
	id      event.Partition
	source  *kafkalog.Partition
	stats   *inboxStats
	topicID event.TopicID
	next    int64
	panics  []time.Time // of the last minute
}

// lane is the goroutine of a partition.
func (in *Inbox) lane(ctx context.Context, source *kafkalog.Partition) {
	id := source.Assignment().Partition
	l := &inboxLane{Inbox: in, kind: in.topics[id.Topic], id: id, source: source, stats: new(inboxStats)}
	in.mu.Lock()
	in.lanes[id] = l.stats
	in.mu.Unlock()
	l.run(ctx)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.lanes[id] == l.stats {
		delete(in.lanes, id)
	}
}

func (l *inboxLane) run(ctx context.Context) {
	a := l.source.Assignment()
	l.next = a.GroupOffset
	if !l.place(ctx, a.Metadata) {
		return
	}
	for {
		records, next, err := l.source.Take(ctx, inboxBatch, inboxTick)
		var large *pipeline.TooLarge
		switch {
		case errors.As(err, &large):
			verdict := &pipeline.Poison{Class: pipeline.ClassTooLarge, Reason: fmt.Sprintf("a batch up to offset %d decompresses to more than is accepted", large.Next-1)}
			if !l.deliver(ctx, nil, []pipeline.DeadLetter{l.letter(large.Offset, -1, verdict)}) {
				return
			}
			l.next = large.Next
			l.source.SeekTo(l.next, -1)
		case errors.Is(err, pipeline.ErrGap):
			l.logger.Warn("an inbox is not what it was", "partition", l.id.String(), "at", l.next, "error", err)
			if !l.place(ctx, l.metadata()) {
				return
			}
			continue
		case err != nil: // released, or the end
			return
		default:
			if !l.take(ctx, records) {
				return
			}
			l.next = next
		}
		l.stats.next.Store(l.next)
		l.source.Report(l.next, l.metadata())
	}
}

// metadata stands beside the group's offset: which topic it is an offset of. A stock tool that resets the offset leaves it empty.
func (l *inboxLane) metadata() string { return "inbox/1 " + l.topicID.String() }

// place seeks to the group's offset or, where that cannot be read, to the start of the log: taking a record again changes nothing,
// passing over one would lose it. It is false when the lane must end.
func (l *inboxLane) place(ctx context.Context, metadata string) bool {
	var state pipeline.LogState
	if !l.until(ctx, func(ctx context.Context) (err error) {
		state, err = l.log.Observe(ctx, l.id, -1)
		return err
	}) {
		return false
	}
	l.topicID = state.TopicID
	asked := l.next
	switch {
	case asked < 0: // the first start
		l.next = state.Start
	case strings.HasPrefix(metadata, "inbox/") && metadata != l.metadata():
		l.next = state.Start
		l.logger.Warn("the inbox was made anew: beginning at its start", "partition", l.id.String(), "group_offset", asked, "start", state.Start)
	case asked < state.Start:
		l.next = state.Start
		l.count(l.id.Topic, func(c *inboxCounts) { c.gone += state.Start - asked })
		l.logger.Error("records of the inbox were deleted before they were taken: its retention is shorter than ingest stood still, or somebody deleted them",
			"partition", l.id.String(), "from", asked, "to", state.Start-1)
	case asked > state.End:
		l.next = state.Start
		l.logger.Warn("the group's offset lies behind the end of the inbox: beginning at its start", "partition", l.id.String(), "group_offset", asked, "end", state.End)
	}
	l.stats.next.Store(l.next)
	l.stats.end.Store(state.End)
	l.source.SeekTo(l.next, -1)
	return true
}

// take passes records through intake, and is true when each of them is a fact in the log or has its dead letter there.
func (l *inboxLane) take(ctx context.Context, records []pipeline.Raw) bool {
	var facts []kafkalog.Record
	var letters []pipeline.DeadLetter
	for i := range records {
		raw := &records[i]
		var e event.Event
		var poison *pipeline.Poison
		if !l.until(ctx, func(context.Context) (err error) {
			e, poison, err = l.read(raw.Value)
			return err
		}) {
			return false
		}
		if poison != nil {
			letters = append(letters, l.letter(raw.Offset, raw.LeaderEpoch, poison))
			continue
		}
		record, err := l.facts.record(e)
		if err != nil { // intake made a fact that the schema cannot say: a bug
			letters = append(letters, l.letter(raw.Offset, raw.LeaderEpoch, &pipeline.Poison{Class: pipeline.ClassPanic, Reason: "the fact that intake made cannot be written"}))
			continue
		}
		facts = append(facts, record)
	}
	return l.deliver(ctx, facts, letters)
}

// read is a fact, or the verdict on a value, or an error that says nothing about the value.
func (l *inboxLane) read(value []byte) (e event.Event, poison *pipeline.Poison, err error) {
	if most := l.config.Ingest.MaxEventBytes; len(value) > int(most) {
		return nil, &pipeline.Poison{Class: pipeline.ClassTooLarge, Reason: fmt.Sprintf("%d bytes are more than the %s of ingest.max_event_bytes", len(value), most)}, nil
	}
	defer func() {
		if p := recover(); p != nil { // what it says may quote the value
			e, poison, err = nil, nil, nil
			if err = l.panicked(); err == nil {
				poison = &pipeline.Poison{Class: pipeline.ClassPanic, Reason: "intake could not bear it: a bug"}
			}
		}
	}()
	e, err = l.kind.read(l.decoder, l.intake, value)
	var bad *avrowire.Error
	var invalid intake.Errors
	switch {
	case errors.As(err, &bad):
		return nil, &pipeline.Poison{Class: string(bad.Class), Reason: bad.Reason}, nil
	case errors.As(err, &invalid):
		return nil, &pipeline.Poison{Class: pipeline.ClassInvalidField, Reason: invalid.Error()}, nil
	}
	return e, nil, err
}

// panicked is an error when panics are so many that the fault is ours and not a record's: then the lane waits, and condemns nothing.
func (l *inboxLane) panicked() error {
	now := time.Now()
	for len(l.panics) > 0 && now.Sub(l.panics[0]) > time.Minute {
		l.panics = l.panics[1:]
	}
	if most := l.config.Processor.PanicsPerMinute; len(l.panics) >= most {
		return fmt.Errorf("intake panics on more than %d records a minute: a bug", most)
	}
	l.panics = append(l.panics, now)
	return nil
}

func (l *inboxLane) letter(offset int64, epoch int32, p *pipeline.Poison) pipeline.DeadLetter {
	return pipeline.DeadLetter{Partition: l.id, TopicID: l.topicID, Offset: offset, LeaderEpoch: epoch, Class: p.Class, Reason: p.Reason}
}

// deliver appends facts and letters, trying again until the log has all of them: what the log does not take is nobody's fault but its own. It
// is false when the lane ended before.
func (l *inboxLane) deliver(ctx context.Context, facts []kafkalog.Record, letters []pipeline.DeadLetter) bool {
	accepted := int64(len(facts))
	dead := kafkalog.DeadLetters(l.appender, l.letters)
	if !l.until(ctx, func(ctx context.Context) error {
		var left []kafkalog.Record
		var cause error
		for i, r := range l.appender.Append(ctx, facts) {
			if r.Err != nil {
				left, cause = append(left, facts[i]), r.Err
			}
		}
		if facts = left; cause != nil {
			return fmt.Errorf("append %d facts: %w", len(left), cause)
		}
		return dead(ctx, letters)
	}) {
		return false
	}
	l.count(l.id.Topic, func(c *inboxCounts) {
		c.accepted += accepted
		for _, d := range letters {
			c.letters[d.Class]++
		}
	})
	return true
}

// until tries f again and again, further and further apart, until it succeeds. An attempt is not cut off by the end of ctx: what is in
// work is finished, and it has inboxAppend, or what the shutdown allows. It is false when ctx ends before an attempt succeeded.
func (l *inboxLane) until(ctx context.Context, f func(ctx context.Context) error) bool {
	attempt := min(inboxAppend, max(l.config.Shutdown.DrainDeadline/2, time.Second))
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		trying, cancel := context.WithTimeout(context.WithoutCancel(ctx), attempt)
		err := f(trying)
		cancel()
		if err == nil {
			l.stats.waits.Store(nil)
			return true
		}
		if failed := l.appender.Failed(); failed != nil {
			l.fail(&appendingEnded{failed})
			return false
		}
		if l.stats.waits.Swap(&err) == nil {
			l.logger.Warn("an inbox waits; trying again", "partition", l.id.String(), "at", l.next, "error", err)
		}
		l.count(l.id.Topic, func(c *inboxCounts) { c.retries++ })
		if sleep(ctx, wait); ctx.Err() != nil {
			return false
		}
	}
}
