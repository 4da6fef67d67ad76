package indicator

// pareto is how many of the largest values make up ceil(0.8 x total). In integers that is ceil(4 total / 5);
// bandicoot's 0.8 is a float, whose product rounds to the same integer. Of a total of 0 none are needed.
func pareto(ascending []int64) int {
	var total int64
	for _, v := range ascending {
		total += v
	}
	missing := (4*total + 4) / 5
	taken := 0
	for i := len(ascending) - 1; i >= 0 && missing > 0; i-- {
		missing -= ascending[i]
		taken++
	}
	return taken
}

var paretoInteractions = family{
	Info: Info{PercentParetoInteractions, "0 to 1", "contacts that make up 80 % of the reports, of all contacts",
		"individual.percent_pareto_interactions"},
	of:     perKind,
	scalar: func(s *subset) (float64, bool) { return ratio(pareto(s.perContact.ascending()), s.contacts()), true },
}

var paretoDurations = family{
	Info: Info{PercentParetoDurations, "0 to 1", "contacts that make up 80 % of the seconds, of all called or calling contacts",
		"individual.percent_pareto_durations"},
	of:     callsOnly,
	scalar: func(s *subset) (float64, bool) { return ratio(pareto(s.secondsWith.ascending()), s.contacts()), true },
}
