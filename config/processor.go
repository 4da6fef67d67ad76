package config

import (
	"slices"
	"strings"
	"time"

	"switchboard/config/unit"
)

// Views are the read models that can be chosen, in the order in which Load leaves Processor.Views: those of subscribers, then those of
// devices.
var Views = []string{"card", "contacts", "timeline", "reach", "top", "totals", "device", "links"}

// FoldsDevices tells whether anything of devices is kept.
func (p *Processor) FoldsDevices() bool { return slices.Contains(p.Views, "device") }

func (p Processor) validate(j judge) {
	j.must(p.Group != "", "processor.group", "", "missing")
	j.oneOf("processor.duplicates", p.Duplicates, DuplicatesExact, DuplicatesOff)
	j.views(p)
	j.between("processor.batch.live_events", p.Batch.LiveEvents, 1, 100_000)
	j.between("processor.batch.catchup_events", p.Batch.CatchupEvents, 1, 10_000_000)
	j.between("processor.batch.behind_events", p.Batch.BehindEvents, 1, 1_000_000_000)
	j.must(p.Batch.CatchupEvents <= p.Batch.BehindEvents, "processor.batch.behind_events", "", "%d is less than one batch of processor.batch.catchup_events, %d", p.Batch.BehindEvents, p.Batch.CatchupEvents)
	j.between("processor.batch.subject_events", p.Batch.SubjectEvents, 1, 10_000_000)
	j.must(p.Batch.LiveEvents <= p.Batch.CatchupEvents, "processor.batch.live_events", "", "%d is more than processor.batch.catchup_events, %d", p.Batch.LiveEvents, p.Batch.CatchupEvents)
	j.between("processor.chunk.commands", p.Chunk.Commands, 1, 100_000)
	j.size("processor.chunk.bytes", p.Chunk.Bytes, unit.KiB, 64*unit.MiB)
	j.duration("processor.tick", p.Tick, 10*time.Millisecond, time.Second)
	j.size("processor.memory_limit", p.MemoryLimit, 0, 1*unit.TiB)
	j.must(p.MemoryLimit == 0 || p.MemoryLimit >= 2*(p.CacheBytes+p.QueueBytes), "processor.memory_limit", "", "%s is less than twice what cache_bytes and queue_bytes keep, and the batches need some, too", p.MemoryLimit)
	j.size("processor.cache_bytes", p.CacheBytes, 0, 1*unit.TiB)
	j.size("processor.queue_bytes", p.QueueBytes, unit.MiB, 1*unit.TiB)
	j.between("processor.panics_per_minute", p.PanicsPerMinute, 0, 1_000_000)

	j.duration("processor.keep_generations", p.KeepGenerations, 0, 365*24*time.Hour)
	j.duration("processor.rebalance_timeout", p.RebalanceTimeout, time.Second, time.Hour)
	j.duration("processor.session_timeout", p.SessionTimeout, 100*time.Millisecond, 30*time.Minute)
	j.must(p.SessionTimeout <= p.RebalanceTimeout, "processor.session_timeout", "", "must not be above processor.rebalance_timeout")
	j.duration("processor.batch.max_commit_interval", p.Batch.MaxCommitInterval, 10*time.Millisecond, time.Hour)
	j.must(p.Batch.MaxCommitInterval < p.RebalanceTimeout, "processor.batch.max_commit_interval", "", "must be below processor.rebalance_timeout")
	j.duration("processor.chunk.deadline", p.Chunk.Deadline, 10*time.Millisecond, time.Hour)
	j.must(p.Chunk.Deadline < p.RebalanceTimeout/2, "processor.chunk.deadline", "", "must be below half of processor.rebalance_timeout: a partition is handed over only when its chunk is done")
}

// views checks which read models can stand together.
func (j judge) views(p Processor) {
	const key = "processor.views"
	has := func(view string) bool { return slices.Contains(p.Views, view) }
	for i, view := range p.Views {
		j.oneOf(key, view, Views...)
		j.must(slices.Index(p.Views, view) == i, key, "", "%s is given twice", view)
	}
	j.must(has("card"), key, "", "card is missing: it holds the position of each subject, and the sums")
	j.must(!has("card") || has("timeline") || p.Duplicates == DuplicatesOff, key, "add timeline, or set processor.duplicates to off",
		"card needs timeline: it is how a duplicate is known (views are %s)", strings.Join(p.Views, ", "))
	j.must(!has("timeline") || p.Duplicates != DuplicatesOff, key, "take timeline out, or set processor.duplicates to exact",
		"a timeline is how duplicates are known, and processor.duplicates is off")
	j.must(!has("reach") || has("contacts"), key, "", "reach needs contacts: it is written when a contact is new")
	j.must(!has("links") || has("device"), key, "", "links needs device: it holds the position of each device")
}
