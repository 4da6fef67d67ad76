package indicator

var (
	numberOfContacts = family{
		Info:   Info{NumberOfContacts, "contacts", "distinct contacts", "individual.number_of_contacts"},
		of:     perKind,
		scalar: func(s *subset) (float64, bool) { return float64(s.contacts()), true },
	}
	entropyOfContacts = family{
		Info:   Info{EntropyOfContacts, "nats", "entropy of the contacts, by reports", "individual.entropy_of_contacts"},
		of:     perKind,
		scalar: func(s *subset) (float64, bool) { return entropy(s.perContact.ascending()), true },
	}
	balanceOfContacts = family{
		Info: Info{BalanceOfContacts, "0 to 1", "over contacts: outgoing reports to the contact, of all reports with anybody",
			"individual.balance_of_contacts"},
		of:      perKind,
		summary: func(s *subset) Summary { return summarize(s.perContactTo.ascending(), float64(s.n)) },
	}
	interactionsPerContact = family{
		Info:    Info{InteractionsPerContact, "reports", "over contacts: reports with the contact", "individual.interactions_per_contact"},
		of:      perKind,
		summary: func(s *subset) Summary { return summarize(s.perContact.ascending(), 1) },
	}
)
