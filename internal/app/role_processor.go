package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"switchboard/config"
	"switchboard/internal/daemon"
)

// runProcessor is the role processor of cmd/processor and `switchboard dev`.
func runProcessor(ctx context.Context, p *daemon.Process, cfg *config.Config) error {
	proc := &Processor{Config: cfg, Logger: p.Logger, Version: version()}
	p.Check("lanes", proc.Ready)
	p.Registerer.MustRegister(laneMetrics{proc})
	return proc.Run(ctx)
}

// laneMetrics are the metrics of the processor, read from its lanes when they are asked for.
type laneMetrics struct{ processor *Processor }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("switchboard_processor_"+name, help, append([]string{"topic_partition"}, labels...), nil)
}

var (
	laneState      = desc("lane_state", "1 for what the lane is doing: claiming, catching up, live, stopped.", "state")
	lanePosition   = desc("position", "Offset that the lane folds next.")
	laneLag        = desc("lag_records", "Offsets between the position and the end of the log as last asked.")
	laneHeldUp     = desc("held_up_records", "Offsets that an open transaction keeps from being read while the end stands still, asked for every 3 s.")
	laneEvents     = desc("records_total", "Records taken in, dead letters and tombstones included.")
	laneBatches    = desc("batches_total", "Batches committed, empty ones included.")
	laneMutations  = desc("mutations_total", "Redis commands sent in chunks.")
	laneCommits    = desc("chunks_total", "Chunks sent, by outcome: applied, fenced, moved, aborted, unknown, broken.", "outcome")
	laneClaims     = desc("claims_total", "Claims tried, by outcome.", "outcome")
	laneCommitTime = desc("chunk_seconds_total", "Time spent on chunks.")
	laneLetters    = desc("dead_letters_total", "Records that could not be folded.")
	laneTombstones = desc("tombstones", "Tombstones skipped since the log began, as the position says.")
	laneRollbacks  = desc("redis_rollbacks_total", "Claims that found Redis behind what had been reported to the group.")
	laneChecks     = desc("lease_checks_total", "Lease checks.")
	laneMade       = desc("generations_total", "Generations made, or let serve again.")
)

// Describe describes nothing in advance: which lanes there are changes.
func (laneMetrics) Describe(ch chan<- *prometheus.Desc) { ch <- lanePosition }

// Collect reads the lanes.
func (m laneMetrics) Collect(ch chan<- prometheus.Metric) {
	for partition, s := range m.processor.Lanes() {
		name := partition.String()
		send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, kind, v, append([]string{name}, labels...)...)
		}
		send(laneState, prometheus.GaugeValue, 1, s.State.String())
		send(lanePosition, prometheus.GaugeValue, float64(s.Next))
		send(laneLag, prometheus.GaugeValue, float64(max(0, s.End-s.Next)))
		send(laneHeldUp, prometheus.GaugeValue, float64(m.processor.HeldUp(partition)))
		send(laneEvents, prometheus.CounterValue, float64(s.Events))
		send(laneBatches, prometheus.CounterValue, float64(s.Batches))
		send(laneMutations, prometheus.CounterValue, float64(s.Mutations))
		send(laneCommitTime, prometheus.CounterValue, s.CommitTime.Seconds())
		send(laneLetters, prometheus.CounterValue, float64(s.DeadLetters))
		send(laneTombstones, prometheus.GaugeValue, float64(s.Tombstones))
		send(laneRollbacks, prometheus.CounterValue, float64(s.Rollbacks))
		send(laneChecks, prometheus.CounterValue, float64(s.LeaseChecks))
		send(laneMade, prometheus.CounterValue, float64(s.Generations))
		for outcome, n := range s.Commits {
			send(laneCommits, prometheus.CounterValue, float64(n), outcome)
		}
		for outcome, n := range s.Claims {
			send(laneClaims, prometheus.CounterValue, float64(n), outcome)
		}
	}
}
