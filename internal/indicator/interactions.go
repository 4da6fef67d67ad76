package indicator

var (
	activeDays = family{
		Info:   Info{ActiveDays, "days", "local days with a report", "individual.active_days"},
		of:     bothOnly,
		scalar: func(s *subset) (float64, bool) { return float64(s.days()), true },
	}
	callDuration = family{
		Info:    Info{CallDuration, "seconds", "over calls, those of 0 seconds too", "individual.call_duration"},
		of:      callsOnly,
		summary: func(s *subset) Summary { return summarize(s.durations.ascending(), 1) },
	}
	percentNocturnal = family{
		Info:   Info{PercentNocturnal, "0 to 1", "reports at night, 19:00 to 07:00 local", "individual.percent_nocturnal"},
		of:     perKind,
		scalar: func(s *subset) (float64, bool) { return ratio(s.nights, s.n), true },
	}
	percentInitiatedInteractions = family{
		Info:   Info{PercentInitiatedInteractions, "0 to 1", "outgoing calls, of all calls", "individual.percent_initiated_interactions"},
		of:     callsOnly,
		scalar: func(s *subset) (float64, bool) { return ratio(s.out, s.n), true },
	}
	intereventTime = family{
		Info: Info{IntereventTime, "seconds", "between the instants of consecutive reports of the split",
			"individual.interevent_time"},
		of:      perKind,
		summary: func(s *subset) Summary { return summarize(s.gaps.ascending(), 1000) },
	}
	numberOfInteractions = family{
		Info:   Info{NumberOfInteractions, "reports", "reports", "individual.number_of_interactions"},
		of:     perKind,
		scalar: func(s *subset) (float64, bool) { return float64(s.n), true },
	}
	numberOfInteractionsIn = family{
		Info:   Info{NumberOfInteractionsIn, "reports", "incoming reports", "individual.number_of_interactions, direction in"},
		of:     perKind,
		scalar: func(s *subset) (float64, bool) { return float64(s.n - s.out), true },
	}
	numberOfInteractionsOut = family{
		Info:   Info{NumberOfInteractionsOut, "reports", "outgoing reports", "individual.number_of_interactions, direction out"},
		of:     perKind,
		scalar: func(s *subset) (float64, bool) { return float64(s.out), true },
	}
)
