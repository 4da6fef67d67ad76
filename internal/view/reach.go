package view

// ReachKey is the key of those who reported a number, a hash of subject to nothing.
func ReachKey(counterpart string) string { return "reach:" + counterpart }

// projectReach notes the subscriber at each contact that is new; the figures are in its contacts.
func (s *Subscriber) projectReach(dst []Mutation) []Mutation {
	for _, name := range s.state.NewContacts {
		dst = append(dst, Mutation{SetFields, ReachKey(name), []string{string(s.id), ""}})
	}
	return dst
}
