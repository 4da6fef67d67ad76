package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"switchboard/config"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/redisview"
	"switchboard/topology"
)

// ReplayStatus is what there is of one partition: its generations, and how far they are.
type ReplayStatus struct {
	Partition   event.Partition
	Serving     pipeline.Generation
	Generations []GenerationStatus
}

// GenerationStatus is one generation of a partition.
type GenerationStatus struct {
	pipeline.Line
	Found bool // it has a position
	Pos   pipeline.Pos
}

// Replays is the status of every partition of the facts.
func Replays(ctx context.Context, cfg *config.Config) ([]ReplayStatus, error) {
	var list []ReplayStatus
	err := withModels(ctx, cfg, func(models *redisview.Client, partitions []event.Partition) error {
		for _, p := range partitions {
			s, err := replayOf(ctx, models, p)
			if err != nil {
				return err
			}
			list = append(list, s)
		}
		return nil
	})
	return list, err
}

func replayOf(ctx context.Context, models *redisview.Client, p event.Partition) (ReplayStatus, error) {
	s := ReplayStatus{Partition: p}
	var err error
	if s.Serving, err = models.Serving(ctx, p); err != nil {
		return s, err
	}
	lines, err := models.List(ctx, p)
	if err != nil {
		return s, err
	}
	for _, line := range lines {
		g := GenerationStatus{Line: line}
		if g.Pos, g.Found, err = models.Position(ctx, pipeline.LaneID{Partition: p, Generation: line.Generation}); err != nil {
			return s, err
		}
		s.Generations = append(s.Generations, g)
	}
	return s, nil
}

// Rollback asks for the generation that served before, in each of the partitions: its owner folds it to the head beside the serving
// one, and flips back. It returns what was asked for; a partition that has nothing to go back to is an error, and nothing is asked for then.
func Rollback(ctx context.Context, cfg *config.Config, only []event.Partition) (map[event.Partition]pipeline.Generation, error) {
	asked := map[event.Partition]pipeline.Generation{}
	err := withModels(ctx, cfg, func(models *redisview.Client, all []event.Partition) error {
		if only == nil {
			only = all
		}
		lines := map[event.Partition]pipeline.Line{}
		for _, p := range only {
			s, err := replayOf(ctx, models, p)
			if err != nil {
				return err
			}
			for _, g := range s.Generations {
				if g.Generation != s.Serving && g.Found && g.Pos.Next >= 0 && (g.State == pipeline.Served || g.State == pipeline.RolledBack) {
					g.State, g.SinceMs, g.Beside, g.Asked, g.Reason = pipeline.Wanted, time.Now().UnixMilli(), s.Serving, -1, "a rollback was asked for"
					lines[p] = g.Line
					break
				}
			}
			if _, ok := lines[p]; !ok && len(only) < len(all) {
				return fmt.Errorf("%s has no earlier generation to go back to: one is kept for processor.keep_generations (%s)", p, cfg.Processor.KeepGenerations)
			}
		}
		if len(lines) == 0 {
			return fmt.Errorf("no partition has an earlier generation to go back to: one is kept for processor.keep_generations (%s)", cfg.Processor.KeepGenerations)
		}
		for p, line := range lines {
			if err := models.Mark(ctx, p, line); err != nil {
				return err
			}
			asked[p] = line.Generation
		}
		return nil
	})
	return asked, err
}

// RunReplay asks for a new generation in each of the partitions, built beside the serving one from the newest usable snapshot or the start of the log. incomplete
// accepts a log that has lost its head.
func RunReplay(ctx context.Context, cfg *config.Config, only []event.Partition, incomplete bool) (map[event.Partition]pipeline.Generation, error) {
	asked := map[event.Partition]pipeline.Generation{}
	err := withModels(ctx, cfg, func(models *redisview.Client, all []event.Partition) error {
		if only == nil {
			only = all
		}
		for _, p := range only {
			serving, err := models.Serving(ctx, p)
			if err != nil {
				return err
			}
			if serving == "" {
				return fmt.Errorf("nothing serves %s: a processor makes a generation by itself", p)
			}
			now := time.Now()
			line := pipeline.Line{Generation: pipeline.NewGeneration(now), State: pipeline.Wanted, SinceMs: now.UnixMilli(), MadeAtMs: now.UnixMilli(), Asked: -1, Beside: serving, Reason: "a replay was asked for"}
			if incomplete {
				line.Asked, line.Reason = pipeline.Incomplete, "a replay of what is left of the log was asked for"
			}
			if err := models.Mark(ctx, p, line); err != nil {
				return err
			}
			asked[p] = line.Generation
		}
		return nil
	})
	return asked, err
}

// AdoptTopic accepts the topic that now has the name of the one that was folded: processors then fold it from its start into new generations.
func AdoptTopic(ctx context.Context, cfg *config.Config, log *slog.Logger, name string) error {
	options, err := kafkaOptions(cfg, log, nil)
	if err != nil {
		return err
	}
	id, err := topicID(ctx, options, name)
	if err != nil {
		return err
	}
	return withModels(ctx, cfg, func(models *redisview.Client, all []event.Partition) error {
		var partitions []event.Partition
		for _, p := range all {
			if p.Topic == name {
				partitions = append(partitions, p)
			}
		}
		if partitions == nil {
			return fmt.Errorf("%s is no topic of facts: see switchboard topology plan", name)
		}
		return models.Adopt(ctx, partitions, id)
	})
}

// withModels calls f with the read models and every partition of the facts.
func withModels(ctx context.Context, cfg *config.Config, f func(*redisview.Client, []event.Partition) error) error {
	top, err := LoadTopology(cfg)
	if err != nil {
		return err
	}
	models, err := newRedis(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer models.Close()
	if err := models.Ping(ctx); err != nil {
		return err
	}
	var partitions []event.Partition
	for _, t := range top.OfKind(topology.Facts) {
		for n := range t.Partitions {
			partitions = append(partitions, event.Partition{Topic: t.Name, Number: n})
		}
	}
	return f(models, partitions)
}
