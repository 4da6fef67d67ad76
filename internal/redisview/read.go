package redisview

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/view"
)

// Reader answers from the read models of one topic, on the shared connections. It is safe for concurrent use. It uses
// only commands that the console's Redis user has (no SCAN, no HLEN, no writing), and only nodes that own the keys.
//
// One answer about one subject is one MULTI in one slot: the position and the records, a consistent cut. What is
// longer than longFields is read in parts, with the subject's @ compared before and after: if it moved three
// times, the answer names both. The last trip of every answer reads the position again: if it is gone the answer
// begins anew with v:serving, three times, and is view.ErrUnavailable then.
type Reader struct {
	client     *Client
	topic      string
	partitions int32
}

// Reader reads a topic of so many partitions.
func (c *Client) Reader(topic string, partitions int32) *Reader {
	return &Reader{client: c, topic: topic, partitions: partitions}
}

const (
	longFields = 5000 // fields of one trip; HGETALL of a million kept Redis from everybody else for 2.7 s
	pageFields = 1000 // of one step through a long hash
	attempts   = 3
	pauseMs    = 25 // between attempts: a lane needs a moment to make a new generation
)

// ErrNoView is an answer that needs a read model which the serving generation does not keep.
type ErrNoView struct {
	Partition event.Partition
	Missing   string
	Views     view.Set
}

func (e *ErrNoView) Error() string {
	return fmt.Sprintf("%s keeps no %s (its views are %s): add it to processor.views and build a new generation", e.Partition, e.Missing, e.Views)
}

// errGone: the position was not there. The answer begins anew.
var errGone = errors.New("the generation is gone")

// PartitionOf is the partition of a subject.
func (r *Reader) PartitionOf(id event.Subject) event.Partition {
	return event.Partition{Topic: r.topic, Number: event.PartitionOf(id, r.partitions)}
}

// all are the partitions of the topic, ascending.
func (r *Reader) all() []event.Partition {
	list := make([]event.Partition, r.partitions)
	for i := range list {
		list[i] = event.Partition{Topic: r.topic, Number: int32(i)}
	}
	return list
}

// serving runs read on the serving generation of a partition; if that goes away meanwhile, anew on whatever serves then.
func (r *Reader) serving(ctx context.Context, p event.Partition, read func(pipeline.LaneID) error) error {
	why := ""
	for attempt := range attempts {
		if attempt > 0 {
			if err := pause(ctx, pauseMs*time.Millisecond); err != nil {
				return err
			}
		}
		generation, err := r.client.Serving(ctx, p)
		if err != nil {
			return r.failed(p, err)
		}
		if generation == "" {
			why = "no generation serves it: is a processor running?"
			continue
		}
		err = read(pipeline.LaneID{Partition: p, Generation: generation})
		if !errors.Is(err, errGone) {
			return r.failed(p, err)
		}
		why = fmt.Sprintf("generation %s serves it and has no position: Redis was emptied or it is being replaced", generation)
	}
	return fmt.Errorf("%w: %s: %s", view.ErrUnavailable, p, why)
}

// failed says which partition an error is about. What the caller asked for wrongly stays as it is.
func (r *Reader) failed(p event.Partition, err error) error {
	var noView *ErrNoView
	if err == nil || errors.As(err, &noView) {
		return err
	}
	return fmt.Errorf("read %s: %w", p, err)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// posNames are the fields of a position that a cut needs.
var posNames = []string{
	"topic_id", "partitions", "views", "next", "ahead", "rebuild_to", "history_from", "tombstones", "broken",
	"applied_append_ms", "high_watermark", "checked_ms",
}

// trip is one MULTI: the position first, then what is queued.
type trip struct {
	ctx  context.Context
	lane pipeline.LaneID
	pipe redis.Pipeliner
	pos  *redis.SliceCmd
	head string // the key prefix of the lane
}

func (r *Reader) trip(ctx context.Context, lane pipeline.LaneID) *trip {
	t := &trip{ctx: ctx, lane: lane, pipe: r.client.shared.TxPipeline(), head: Prefix(lane)}
	t.pos = t.pipe.HMGet(ctx, PosKey(lane), posNames...)
	return t
}

func (t *trip) key(k string) string { return t.head + k }

// page reads a hash from a cursor on. Of a short one (a listpack, or no more than fields) one step is everything, and inside
// the MULTI a consistent cut; a cursor that is not 0 tells that there is more.
func (t *trip) page(key string, cursor uint64, fields int64) *redis.ScanCmd {
	return t.pipe.HScan(t.ctx, t.key(key), cursor, "", fields)
}

// run sends the trip. errGone: there is no position.
func (t *trip) run(partitions int32) (view.Cut, error) {
	cmds, err := t.pipe.Exec(t.ctx)
	if err != nil && !errors.Is(err, redis.Nil) {
		return view.Cut{}, err
	}
	for _, c := range cmds {
		if err := c.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return view.Cut{}, err
		}
	}
	fields := make(map[string]string, len(posNames))
	for i, v := range valuesOf(t.pos.Val()) {
		if v.OK {
			fields[posNames[i]] = v.Text
		}
	}
	if fields["topic_id"] == "" {
		return view.Cut{}, errGone
	}
	pos, err := parsePos(fields)
	if err != nil {
		return view.Cut{}, err
	}
	if partitions != 0 && pos.Partitions != partitions {
		return view.Cut{}, fmt.Errorf("it was folded from a topic of %d partitions, and the topology says %d: correct the topology", pos.Partitions, partitions)
	}
	return cutOf(t.lane, &pos)
}

func cutOf(lane pipeline.LaneID, pos *pipeline.Pos) (view.Cut, error) {
	views, err := view.ParseSet(pos.Views)
	if err != nil {
		return view.Cut{}, fmt.Errorf("views of the position: %w", err)
	}
	return view.Cut{
		Partition: lane.Partition, TopicID: pos.TopicID, Generation: string(lane.Generation), Views: views, Next: pos.Next, Ahead: pos.Ahead, EndNext: pos.Next,
		RebuildTo: pos.RebuildTo, HistoryFrom: pos.HistoryFrom, Tombstones: pos.Tombstones, Broken: pos.Broken,
		AppliedAppendMs: pos.AppliedAppendMs, HighWatermark: pos.HighWatermark, CheckedMs: pos.CheckedMs,
	}, nil
}

// needs fails when the generation does not keep a read model.
func needs(cut *view.Cut, name string) error {
	if cut.Views.Has(name) {
		return nil
	}
	return &ErrNoView{Partition: cut.Partition, Missing: name, Views: cut.Views}
}
