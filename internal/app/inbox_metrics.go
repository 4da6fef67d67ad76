package app

import "github.com/prometheus/client_golang/prometheus"

// inboxMetrics are the metrics of the inbox, read when they are asked for.
type inboxMetrics struct{ ingest *Ingest }

func inboxDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("switchboard_ingest_inbox_"+name, help, labels, nil)
}

var (
	inboxPosition = inboxDesc("position", "Offset of an inbox that is taken next.", "topic_partition")
	inboxLag      = inboxDesc("lag_records", "Offsets between the position and the end of the inbox as last asked.", "topic_partition")
	inboxWaits    = inboxDesc("waits", "1 while the partition waits for the log or for a registry, else 0.", "topic_partition")
	inboxAccepted = inboxDesc("accepted_total", "Records that became facts, those that are taken again included.", "topic")
	inboxLetters  = inboxDesc("dead_letters_total", "Records that became dead letters, by class.", "topic", "class")
	inboxRetries  = inboxDesc("retries_total", "Attempts that had to be made again.", "topic")
	inboxGone     = inboxDesc("gone_total", "Offsets that were deleted before they were taken.", "topic")
)

// Describe describes nothing in advance: which partitions there are changes.
func (inboxMetrics) Describe(ch chan<- *prometheus.Desc) { ch <- inboxPosition }

// Collect reads the inbox.
func (m inboxMetrics) Collect(ch chan<- prometheus.Metric) {
	in := m.ingest.inbox.Load()
	if in == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for p, s := range in.lanes {
		next, waits := s.next.Load(), 0.0
		if s.waits.Load() != nil {
			waits = 1
		}
		gauge(inboxPosition, float64(next), p.String())
		gauge(inboxLag, float64(max(0, s.end.Load()-next)), p.String())
		gauge(inboxWaits, waits, p.String())
	}
	for topic, c := range in.done {
		counter(inboxAccepted, c.accepted, topic)
		counter(inboxRetries, c.retries, topic)
		counter(inboxGone, c.gone, topic)
		for class, n := range c.letters {
			counter(inboxLetters, n, topic, class)
		}
	}
}
