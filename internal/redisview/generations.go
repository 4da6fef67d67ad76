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

// The states of a generation, in its line of the list.
const (
	StateWanted     = "wanted" // all that the command line ever writes
	StateBuilding   = "building"
	StateReady      = "ready"
	StateServed     = "served"
	StateRolledBack = "rolled_back"
	StateDiscarded  = "discarded"
	StateDeleting   = "deleting"
)

// GenerationLine is what the list says of a generation.
type GenerationLine struct {
	Generation pipeline.Generation
	State      string
	MadeAtMs   int64               // Unix milliseconds
	Asked      int64               // offset that the group had when it was made; -1: none
	Beside     pipeline.Generation // the one that served; "" when none
	Reason     string
}

// String is the line as stored: state, made at, asked, beside (- when none), reason.
func (g GenerationLine) String() string {
	beside := string(g.Beside)
	if beside == "" {
		beside = "-"
	}
	return fmt.Sprintf("%s %d %d %s %s", g.State, g.MadeAtMs, g.Asked, beside, g.Reason)
}

func parseLine(generation, s string) (GenerationLine, error) {
	part := strings.SplitN(s, " ", 5)
	if len(part) != 5 {
		return GenerationLine{}, fmt.Errorf("the line of generation %s cannot be read", generation)
	}
	made, err1 := strconv.ParseInt(part[1], 10, 64)
	asked, err2 := strconv.ParseInt(part[2], 10, 64)
	if errors.Join(err1, err2) != nil {
		return GenerationLine{}, fmt.Errorf("the line of generation %s cannot be read", generation)
	}
	g := GenerationLine{Generation: pipeline.Generation(generation), State: part[0], MadeAtMs: made, Asked: asked, Reason: part[4]}
	if part[3] != "-" {
		g.Beside = pipeline.Generation(part[3])
	}
	return g, nil
}

// List is every generation of a partition, newest first.
func (c *Client) List(ctx context.Context, p event.Partition) ([]GenerationLine, error) {
	all, err := c.shared.HGetAll(ctx, GenerationsKey(p)).Result()
	if err != nil {
		return nil, err
	}
	lines := make([]GenerationLine, 0, len(all))
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
		if line.State != StateReady && line.State != StateServed {
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

// Make writes the position of a new generation, and its line, in one transaction. It is made to serve at once.
func (c *Client) Make(ctx context.Context, id pipeline.LaneID, pos pipeline.Pos, reason string, asked int64) error {
	line := GenerationLine{State: StateServed, MadeAtMs: time.Now().UnixMilli(), Asked: asked, Reason: reason}
	pipe := c.shared.TxPipeline()
	pipe.HSet(ctx, PosKey(id), newPosFields(&pos)...)
	pipe.HSet(ctx, GenerationsKey(id.Partition), string(id.Generation), line.String())
	_, err := pipe.Exec(ctx)
	return err
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

// Serve points v:serving at a generation, if its field is missing or names a generation without a position. False: it names
// another one. Lanes of other partitions write the same hash: whenever it has changed meanwhile, its field is looked at again.
func (c *Client) Serve(ctx context.Context, id pipeline.LaneID) (bool, error) {
	client, conn, err := c.dedicated(ctx, ServingKey)
	if err != nil {
		return false, err
	}
	defer client.Close()
	defer conn.Close()
	for {
		now, err := c.watchServing(ctx, conn, id)
		if err != nil || now != "" {
			return now == id.Generation, err
		}
		pipe := conn.Pipeline()
		pipe.Do(ctx, "MULTI")
		pipe.Do(ctx, "HSET", ServingKey, id.Partition.String(), string(id.Generation))
		exec := pipe.Do(ctx, "EXEC")
		_, _ = pipe.Exec(ctx) // the error of the first command; EXEC decides
		if err := exec.Err(); !errors.Is(err, redis.Nil) {
			return err == nil, err
		}
	}
}

// watchServing watches v:serving and tells which generation serves the partition; "" when none, or one without a position.
func (c *Client) watchServing(ctx context.Context, conn *redis.Conn, id pipeline.LaneID) (pipeline.Generation, error) {
	pipe := conn.Pipeline()
	pipe.Do(ctx, "WATCH", ServingKey)
	field := pipe.HGet(ctx, ServingKey, id.Partition.String())
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return "", err
	}
	now := pipeline.Generation(field.Val())
	if now == "" {
		return "", nil
	}
	n, err := c.shared.Exists(ctx, PosKey(pipeline.LaneID{Partition: id.Partition, Generation: now})).Result()
	if err != nil || n == 0 {
		return "", err
	}
	return now, nil
}
