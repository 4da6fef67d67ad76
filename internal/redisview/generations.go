package redisview

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// A line is stored as: state, since, made at, asked, beside (- when none), reason.
func formatLine(l pipeline.Line) string {
	beside := string(l.Beside)
	if beside == "" {
		beside = "-"
	}
	return fmt.Sprintf("%s %d %d %d %s %s", l.State, l.SinceMs, l.MadeAtMs, l.Asked, beside, l.Reason)
}

func parseLine(generation, s string) (pipeline.Line, error) {
	part := strings.SplitN(s, " ", 6)
	if len(part) != 6 {
		return pipeline.Line{}, fmt.Errorf("the line of generation %s cannot be read", generation)
	}
	l := pipeline.Line{Generation: pipeline.Generation(generation), State: pipeline.GenerationState(part[0]), Reason: part[5]}
	var errs [3]error
	for i, to := range []*int64{&l.SinceMs, &l.MadeAtMs, &l.Asked} {
		*to, errs[i] = strconv.ParseInt(part[1+i], 10, 64)
	}
	if errors.Join(errs[:]...) != nil {
		return pipeline.Line{}, fmt.Errorf("the line of generation %s cannot be read", generation)
	}
	if part[4] != "-" {
		l.Beside = pipeline.Generation(part[4])
	}
	return l, nil
}

// List is every generation of a partition, newest first.
func (c *Client) List(ctx context.Context, p event.Partition) ([]pipeline.Line, error) {
	all, err := c.shared.HGetAll(ctx, GenerationsKey(p)).Result()
	if err != nil {
		return nil, err
	}
	lines := make([]pipeline.Line, 0, len(all))
	for generation, text := range all {
		line, err := parseLine(generation, text)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	sort.Slice(lines, func(i, j int) bool {
		if lines[i].MadeAtMs != lines[j].MadeAtMs {
			return lines[i].MadeAtMs > lines[j].MadeAtMs
		}
		return lines[i].Generation > lines[j].Generation
	})
	return lines, nil
}

// Newest is the newest generation that could serve: made to serve or ready for it, with a position that was seeded.
func (c *Client) Newest(ctx context.Context, p event.Partition) (pipeline.Generation, error) {
	lines, err := c.List(ctx, p)
	if err != nil {
		return "", err
	}
	for _, line := range lines {
		if line.State != pipeline.Ready && line.State != pipeline.Served {
			continue
		}
		err := c.shared.HGet(ctx, PosKey(pipeline.LaneID{Partition: p, Generation: line.Generation}), "next").Err()
		if err == nil {
			return line.Generation, nil
		}
		if !errors.Is(err, redis.Nil) {
			return "", err
		}
	}
	return "", nil
}

// Make writes the position of a new generation, and its line, in one transaction.
func (c *Client) Make(ctx context.Context, p event.Partition, line pipeline.Line, pos pipeline.Pos) error {
	pipe := c.shared.TxPipeline()
	pipe.HSet(ctx, PosKey(pipeline.LaneID{Partition: p, Generation: line.Generation}), newPosFields(&pos)...)
	pipe.HSet(ctx, GenerationsKey(p), string(line.Generation), formatLine(line))
	_, err := pipe.Exec(ctx)
	return err
}

// Mark writes the line of a generation.
func (c *Client) Mark(ctx context.Context, p event.Partition, line pipeline.Line) error {
	return c.shared.HSet(ctx, GenerationsKey(p), string(line.Generation), formatLine(line)).Err()
}

// Delete takes a generation away: its line says deleting first, then its position goes, which fences its lane and voids its readers,
// then its keys in slices, its line last.
func (c *Client) Delete(ctx context.Context, p event.Partition, g pipeline.Generation) error {
	id := pipeline.LaneID{Partition: p, Generation: g}
	line := pipeline.Line{Generation: g, State: pipeline.Deleting, SinceMs: time.Now().UnixMilli(), MadeAtMs: time.Now().UnixMilli(), Asked: -1, Reason: "its time was over"}
	if err := c.Mark(ctx, p, line); err != nil {
		return err
	}
	if err := c.shared.Unlink(ctx, PosKey(id)).Err(); err != nil {
		return err
	}
	err := c.atNode(ctx, PosKey(id), func(node redis.Cmdable) error {
		for cursor := uint64(0); ; {
			keys, next, err := node.Scan(ctx, cursor, Prefix(id)+"*", 1000).Result()
			if err != nil {
				return err
			}
			if len(keys) > 0 {
				if err := node.Unlink(ctx, keys...).Err(); err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	})
	if err != nil {
		return err
	}
	return c.shared.HDel(ctx, GenerationsKey(p), string(g)).Err()
}

// atNode runs what scans the keys of a slot on the server that has it. A SCAN is never sent to another server: where go-redis
// believes a slot that has moved to be at its old node, it would find nothing. So the node is asked for the key before and after.
func (c *Client) atNode(ctx context.Context, key string, do func(redis.Cmdable) error) error {
	cluster, ok := c.shared.(*redis.ClusterClient)
	if !ok {
		return do(c.shared)
	}
	node, err := cluster.MasterForKey(ctx, key)
	if err != nil {
		return err
	}
	here := func() error {
		err := node.Exists(ctx, key).Err()
		if err != nil { // MOVED, or ASK
			c.findNodes(ctx)
			return fmt.Errorf("%s is not at %s, or not alone: %w", key, node.Options().Addr, err)
		}
		return nil
	}
	if err := here(); err != nil {
		return err
	}
	if err := do(node); err != nil {
		return err
	}
	return here()
}

// AdoptedKey is the hash of topic/partition to the topic id that an operator has accepted in place of the one that was folded.
const AdoptedKey = "v:adopted"

// Adopted is the topic id that an operator has accepted; the zero id: none.
func (c *Client) Adopted(ctx context.Context, p event.Partition) (event.TopicID, error) {
	text, err := c.shared.HGet(ctx, AdoptedKey, p.String()).Result()
	if errors.Is(err, redis.Nil) {
		return event.TopicID{}, nil
	}
	if err != nil {
		return event.TopicID{}, err
	}
	return event.ParseTopicID(text)
}

// Adopt accepts a topic id for the partitions of a topic.
func (c *Client) Adopt(ctx context.Context, partitions []event.Partition, id event.TopicID) error {
	fields := make([]any, 0, 2*len(partitions))
	for _, p := range partitions {
		fields = append(fields, p.String(), id.String())
	}
	return c.shared.HSet(ctx, AdoptedKey, fields...).Err()
}

// Serving is the generation that serves a partition, "" when none.
func (c *Client) Serving(ctx context.Context, p event.Partition) (pipeline.Generation, error) {
	g, err := c.shared.HGet(ctx, ServingKey, p.String()).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return pipeline.Generation(g), err
}

// ServingAll is the whole of v:serving: topic/partition to generation.
func (c *Client) ServingAll(ctx context.Context) (map[string]string, error) {
	return c.shared.HGetAll(ctx, ServingKey).Result()
}

// Serve points v:serving at a generation, if its field is missing, names a generation without a position, or the one that it is to
// take over from. False: it names another one. Lanes of other partitions write the same hash: whenever it has changed
// meanwhile, its field is looked at again.
func (c *Client) Serve(ctx context.Context, id, over pipeline.LaneID) (bool, error) {
	return c.turn(ctx, id, func(serving map[string]string) ([]pipeline.LaneID, error) {
		now := pipeline.Generation(serving[id.Partition.String()])
		if now == "" || now == over.Generation {
			return []pipeline.LaneID{id}, nil
		}
		n, err := c.shared.Exists(ctx, PosKey(pipeline.LaneID{Partition: id.Partition, Generation: now})).Result()
		if err != nil || n > 0 {
			return nil, err
		}
		return []pipeline.LaneID{id}, nil
	})
}

// flipFresh is how recently the end of the log must have been asked for the generation that is to serve.
const flipFresh = 5 * time.Second

// Flip points v:serving from one generation to another, if it still names the first, and the second, read after the WATCH, is not
// behind it, was checked within five seconds, and is not broken. Where the two are of different folds, all partitions of the topic are flipped in
// one write, by whoever sees the last one ready: no answer may mix two meanings.
func (c *Client) Flip(ctx context.Context, p event.Partition, from, to pipeline.Generation) (bool, error) {
	return c.turn(ctx, pipeline.LaneID{Partition: p, Generation: to}, func(serving map[string]string) ([]pipeline.LaneID, error) {
		if serving[p.String()] != string(from) {
			return nil, nil
		}
		before, after, may, err := c.mayFollow(ctx, p, from, to)
		if err != nil || !may {
			return nil, err
		}
		turned := []pipeline.LaneID{{Partition: p, Generation: to}}
		if before.Fold == after.Fold {
			return turned, nil
		}
		for n := range after.Partitions {
			other := event.Partition{Topic: p.Topic, Number: n}
			now := pipeline.Generation(serving[other.String()])
			if n == p.Number || now == "" {
				continue
			}
			next, ready, err := c.readyFor(ctx, other, now, after.Fold)
			if err != nil || !ready {
				return nil, err
			}
			if next != "" {
				turned = append(turned, pipeline.LaneID{Partition: other, Generation: next})
			}
		}
		return turned, nil
	})
}

// mayFollow reads the positions of a serving generation and of one beside it, and tells whether that may serve in its place.
func (c *Client) mayFollow(ctx context.Context, p event.Partition, from, to pipeline.Generation) (before, after pipeline.Pos, may bool, err error) {
	if before, _, err = c.Position(ctx, pipeline.LaneID{Partition: p, Generation: from}); err != nil {
		return before, after, false, err
	}
	after, found, err := c.Position(ctx, pipeline.LaneID{Partition: p, Generation: to})
	if err != nil || !found {
		return before, after, false, err
	}
	behind := after.Next < before.Next && before.Broken == "" && before.Next <= after.HighWatermark
	return before, after, !behind && after.Next >= 0 && after.Broken == "" && time.Since(time.UnixMilli(after.CheckedMs)) < flipFresh, nil
}

// readyFor is the generation of a fold that is ready to follow the serving one; "" when that one is of this fold, or of a newer, itself.
func (c *Client) readyFor(ctx context.Context, p event.Partition, serving pipeline.Generation, fold int) (next pipeline.Generation, ready bool, err error) {
	pos, found, err := c.Position(ctx, pipeline.LaneID{Partition: p, Generation: serving})
	if err != nil || !found || pos.Fold >= fold {
		return "", err == nil, err
	}
	lines, err := c.List(ctx, p)
	if err != nil {
		return "", false, err
	}
	for _, line := range lines {
		if line.State != pipeline.Ready || line.Beside != serving {
			continue
		}
		_, after, may, err := c.mayFollow(ctx, p, serving, line.Generation)
		if err != nil || may && after.Fold == fold {
			return line.Generation, err == nil, err
		}
	}
	return "", false, nil
}

// Position reads the position of a generation; found is false when it has none.
func (c *Client) Position(ctx context.Context, id pipeline.LaneID) (pipeline.Pos, bool, error) {
	all, err := c.shared.HGetAll(ctx, PosKey(id)).Result()
	if err != nil {
		return pipeline.Pos{}, false, err
	}
	pos, err := parsePos(all)
	return pos, len(all) > 0, err
}

// turn writes fields of v:serving, on a connection used for nothing else: those that pick says, looking at the whole of it, if there are any. It is done when
// v:serving names the generation.
func (c *Client) turn(ctx context.Context, id pipeline.LaneID, pick func(serving map[string]string) ([]pipeline.LaneID, error)) (bool, error) {
	client, conn, err := c.dedicated(ctx, ServingKey)
	if err != nil {
		return false, err
	}
	defer client.Close()
	defer conn.Close()
	for {
		pipe := conn.Pipeline()
		pipe.Do(ctx, "WATCH", ServingKey)
		all := pipe.HGetAll(ctx, ServingKey)
		if _, err := pipe.Exec(ctx); err != nil {
			c.findNodes(ctx)
			return false, err
		}
		if all.Val()[id.Partition.String()] == string(id.Generation) {
			return true, nil
		}
		turned, err := pick(all.Val())
		if err != nil || len(turned) == 0 {
			return false, err
		}
		set := []any{"HSET", ServingKey}
		for _, t := range turned {
			set = append(set, t.Partition.String(), string(t.Generation))
		}
		pipe = conn.Pipeline()
		pipe.Do(ctx, "MULTI")
		pipe.Do(ctx, set...)
		exec := pipe.Do(ctx, "EXEC")
		_, _ = pipe.Exec(ctx) // the error of the first command; EXEC decides
		if err := exec.Err(); !errors.Is(err, redis.Nil) {
			return err == nil, err
		}
	}
}
