package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"switchboard/config"
	"switchboard/internal/daemon"
	"switchboard/internal/snapshot"
)

// runSnapshotter is the role snapshotter of cmd/snapshotter.
func runSnapshotter(ctx context.Context, p *daemon.Process, cfg *config.Config) error {
	s := &Snapshotter{Config: cfg, Logger: p.Logger}
	p.Check("lanes", s.Ready)
	p.Registerer.MustRegister(snapshotMetrics{s})
	return s.Run(ctx)
}

// snapshotMetrics are the metrics of the snapshotter, read from its lanes when they are asked for.
type snapshotMetrics struct{ snapshotter *Snapshotter }

func snapDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("switchboard_snapshotter_"+name, help, append([]string{"topic_partition"}, labels...), nil)
}

var (
	snapPosition  = snapDesc("position", "Offset that is taken in next.")
	snapSnapshot  = snapDesc("snapshot_position", "Position of the newest snapshot; -1: there is none.")
	snapCreated   = snapDesc("snapshot_created_seconds", "When the newest snapshot was made, Unix seconds; 0: never.")
	snapBytes     = snapDesc("snapshot_bytes", "Bytes in the topic that the newest snapshot names.")
	snapFields    = snapDesc("snapshot_fields", "Fields of records that the newest snapshot holds.")
	snapTail      = snapDesc("tail_events", "Events in memory that no snapshot holds.")
	snapTailBytes = snapDesc("tail_bytes", "Memory that they take.")
	snapSkipped   = snapDesc("skipped_records", "Records that could not be folded, since the log began.")
	snapMade      = snapDesc("snapshots_total", "Snapshots made, by trigger: events, time, buffer, shutdown.", "trigger")
	snapFailures  = snapDesc("failures_total", "Snapshots that failed, and searches for the newest one.")
	snapSeconds   = snapDesc("build_seconds_total", "Time spent on making snapshots.")
	snapChunks    = snapDesc("chunks_total", "Chunks of the snapshots made: written, or kept as they were.", "how")
	snapWritten   = snapDesc("written_bytes_total", "Bytes written to the topic.")
	snapPeak      = snapDesc("bucket_bytes_peak", "Most bytes of records that one bucket had while it was folded.")
	snapRefused   = snapDesc("refused_total", "Snapshots that were not used, by reason.", "reason")
	snapRemoved   = snapDesc("removed_total", "Snapshots and chunks removed.", "what")
	snapMargin    = snapDesc("margin_records", "Offsets between the start of the log and the newest snapshot.")
	snapAge       = snapDesc("retention_used_ratio", "Age of the oldest event that is in no snapshot, as a part of the retention of its topic.")
	snapNear      = snapDesc("near_log_start", "1 while the start of the log nears the newest snapshot.")
)

// Describe describes nothing in advance: which lanes there are changes.
func (snapshotMetrics) Describe(ch chan<- *prometheus.Desc) { ch <- snapPosition }

// Collect reads the lanes.
func (m snapshotMetrics) Collect(ch chan<- prometheus.Metric) {
	for partition, s := range m.snapshotter.Lanes() {
		name := partition.String()
		send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, kind, v, append([]string{name}, labels...)...)
		}
		gauge := func(d *prometheus.Desc, v float64) { send(d, prometheus.GaugeValue, v) }
		count := func(d *prometheus.Desc, v int64, labels ...string) {
			send(d, prometheus.CounterValue, float64(v), labels...)
		}
		gauge(snapPosition, float64(s.Position))
		gauge(snapSnapshot, float64(s.Snapshot))
		gauge(snapCreated, float64(s.CreatedMs)/1000)
		gauge(snapBytes, float64(s.Packed))
		gauge(snapFields, float64(s.Fields))
		gauge(snapTail, float64(s.TailEvents))
		gauge(snapTailBytes, float64(s.TailBytes))
		gauge(snapSkipped, float64(s.Skipped))
		gauge(snapPeak, float64(s.PeakBucketBytes))
		gauge(snapMargin, float64(s.Margin.Position-s.Margin.Start))
		used, near := 0.0, 0.0
		if s.Margin.Retention > 0 {
			used = s.Margin.Age.Seconds() / s.Margin.Retention.Seconds()
		}
		if s.Near {
			near = 1
		}
		gauge(snapAge, used)
		gauge(snapNear, near)
		count(snapFailures, s.Failures)
		send(snapSeconds, prometheus.CounterValue, s.BuildTime.Seconds())
		count(snapChunks, s.ChunksWritten, "written")
		count(snapChunks, s.ChunksKept, "kept")
		count(snapWritten, s.WrittenBytes)
		count(snapRemoved, s.RemovedManifests, "snapshots")
		count(snapRemoved, s.RemovedChunks, "chunks")
		for _, trigger := range []string{"events", "time", "buffer", "shutdown"} {
			count(snapMade, s.Made[trigger], trigger)
		}
		for _, reason := range snapshot.Reasons() {
			count(snapRefused, s.Refused[reason], string(reason))
		}
	}
}
