package redisview

import (
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// ServingKey is the hash of topic/partition to generation: what every query reads first.
const ServingKey = "v:serving"

// The keys of a partition carry one hash tag, so that a lane stays in one slot of a Redis Cluster.
func tag(p event.Partition) string { return "v:{" + p.String() + "}:" }

// GenerationsKey is the hash of a partition's generations.
func GenerationsKey(p event.Partition) string { return tag(p) + "generations" }

// Prefix begins every key of a lane.
func Prefix(id pipeline.LaneID) string { return tag(id.Partition) + "g" + string(id.Generation) + ":" }

// PosKey is the position of a lane.
func PosKey(id pipeline.LaneID) string { return Prefix(id) + "pos" }
