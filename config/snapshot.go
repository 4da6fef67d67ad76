package config

import (
	"time"

	"switchboard/config/unit"
)

func (s Snapshot) validate(j judge) {
	j.must(s.Group != "", "snapshot.group", "", "missing")
	j.between("snapshot.every_events", s.EveryEvents, 1, 1_000_000_000)
	j.duration("snapshot.every", s.Every, 100*time.Millisecond, 24*time.Hour)
	j.size("snapshot.max_tail_bytes", s.MaxTailBytes, 8*unit.MiB, unit.TiB)
	j.size("snapshot.memory_limit", s.MemoryLimit, 0, 1*unit.TiB)
	j.must(s.MemoryLimit == 0 || s.MemoryLimit >= s.MaxTailBytes+128*unit.MiB, "snapshot.memory_limit", "",
		"%s is less than max_tail_bytes and 128MiB for polled records and a bucket", s.MemoryLimit)
	j.between("snapshot.buckets", s.Buckets, 1, 4096)
	j.must(s.Buckets&(s.Buckets-1) == 0, "snapshot.buckets", "", "%d: want a power of two", s.Buckets)
	j.between("snapshot.keep_last", s.KeepLast, 1, 1000)
	j.between("snapshot.keep_hourly", s.KeepHourly, 0, 1000)
	j.between("snapshot.keep_daily", s.KeepDaily, 0, 1000)
	j.duration("snapshot.grace", s.Grace, 0, 30*24*time.Hour)
	j.between("snapshot.warn_percent", s.WarnPercent, 1, 100)
	j.duration("snapshot.rebalance_timeout", s.RebalanceTimeout, time.Second, time.Hour)
	j.duration("snapshot.session_timeout", s.SessionTimeout, 100*time.Millisecond, 30*time.Minute)
	j.must(s.SessionTimeout <= s.RebalanceTimeout, "snapshot.session_timeout", "", "must not be above snapshot.rebalance_timeout")
}
