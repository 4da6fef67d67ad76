package indicator

const conversationGapMs = 60 * 60 * 1000

// talk counts text conversations. One begins with a text; a call with the same contact, or an hour without any
// report, ends it; the calls themselves belong to none (bandicoot individual._conversations).
type talk struct {
	conversations, initiated int    // all, and those whose first text is outgoing
	received, answered       int    // those whose first text is incoming, and those of them with an outgoing text
	delays                   sample // milliseconds from an incoming text to an outgoing one right after it, if not 0

	lastMs           int64 // of the contact's last report
	lastOut          bool  // direction of the conversation's last text
	open             bool  // a conversation is; else nothing else of these matters
	wasIn, wasAnswer bool  // the open one began with an incoming text; has an outgoing one
}

// add takes the next report of the contact. close must come before the first report of another one.
func (t *talk) add(r *row) {
	if r.start-t.lastMs >= conversationGapMs {
		t.close()
	}
	text, out := r.class.is(isText), r.class.is(isOut)
	switch {
	case text && !t.open:
		t.open, t.wasIn, t.wasAnswer = true, !out, out
	case text:
		if out && !t.lastOut && r.start > t.lastMs {
			t.delays.add(r.start - t.lastMs)
		}
		t.wasAnswer = t.wasAnswer || out
	default:
		t.close()
	}
	t.lastMs, t.lastOut = r.start, out
}

// close ends the conversation, if one is open.
func (t *talk) close() {
	if !t.open {
		return
	}
	t.conversations++
	t.initiated += count(!t.wasIn)
	t.received += count(t.wasIn)
	t.answered += count(t.wasIn && t.wasAnswer)
	t.open = false
}

// responseRate is unknown when no conversation began with an incoming text.
func (t *talk) responseRate() (float64, bool) {
	return ratio(t.answered, t.received), t.received > 0
}

var conversationFamilies = []family{
	{
		Info: Info{PercentInitiatedConversations, "0 to 1", "text conversations that the subscriber began; 0 if there was none",
			"individual.percent_initiated_conversations"},
		of:     bothOnly,
		scalar: func(s *subset) (float64, bool) { return ratio(s.talk.initiated, s.talk.conversations), true },
	},
	{
		Info: Info{ResponseDelayText, "seconds", "from an incoming text to the outgoing one right after it in a conversation",
			"individual.response_delay_text"},
		of:      bothOnly,
		summary: func(s *subset) Summary { return summarize(s.talk.delays.ascending(), 1000) },
	},
	{
		Info: Info{ResponseRateText, "0 to 1", "of the conversations begun by an incoming text, those with an answer",
			"individual.response_rate_text"},
		of:     bothOnly,
		scalar: func(s *subset) (float64, bool) { return s.talk.responseRate() },
	},
}
