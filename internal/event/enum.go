package event

import "fmt"

// The enums of the facts. The zero value of each is "unknown", which is also the default symbol
// of the Avro enum; the numbers are the positions of the symbols in schemas/*.avsc, so that a
// decoder may set them without a table. Symbols are only ever added at the end.

// Kind tells a call from a text.
type Kind uint8

// The kinds of report.
const (
	KindUnknown Kind = iota
	Call
	Text
)

// Direction is the direction of a report as its reporter saw it.
type Direction uint8

// The directions of a report.
const (
	DirectionUnknown Direction = iota
	In
	Out
)

// Outcome tells how a call ended (Android CallLog types 1 to 7; 3GPP TS 32.298 unsuccessful attempts).
type Outcome uint8

// The outcomes of a call.
const (
	OutcomeUnknown Outcome = iota
	Answered
	Missed
	Rejected
	Blocked
	Voicemail
	AnsweredElsewhere
	Unsuccessful
)

// ForwardingKind is the kind of call forwarding (CAMARA Call Forwarding Signal).
type ForwardingKind uint8

// The kinds of forwarding.
const (
	ForwardingUnknown ForwardingKind = iota
	Unconditional
	ConditionalBusy
	ConditionalNotReachable
	ConditionalNoAnswer
)

// NumberType is the type of the counterpart's number, by the numbering plan.
type NumberType uint8

// The types of number (libphonenumber's PhoneNumberType).
const (
	NumberUnknown NumberType = iota
	Mobile
	Fixed
	FixedOrMobile
	PremiumRate
	TollFree
	SharedCost
	VoIP
	UAN
	PersonalNumber
	Pager
	VoicemailAccess
)

var (
	kindNames       = []string{"unknown", "call", "text"}
	directionNames  = []string{"unknown", "in", "out"}
	outcomeNames    = []string{"unknown", "answered", "missed", "rejected", "blocked", "voicemail", "answered_elsewhere", "unsuccessful"}
	forwardingNames = []string{"unknown", "unconditional", "conditional_busy", "conditional_not_reachable", "conditional_no_answer"}
	numberNames     = []string{"unknown", "mobile", "fixed", "fixed_or_mobile", "premium_rate", "toll_free", "shared_cost", "voip", "uan", "personal_number", "pager", "voicemail_access"}
)

func (k Kind) String() string           { return symbol(kindNames, int(k)) }
func (d Direction) String() string      { return symbol(directionNames, int(d)) }
func (o Outcome) String() string        { return symbol(outcomeNames, int(o)) }
func (f ForwardingKind) String() string { return symbol(forwardingNames, int(f)) }
func (n NumberType) String() string     { return symbol(numberNames, int(n)) }

// ParseKind reads the symbol of a kind; ok is false for any other text.
func ParseKind(s string) (k Kind, ok bool) { n, ok := index(kindNames, s); return Kind(n), ok }

// ParseDirection reads the symbol of a direction; ok is false for any other text.
func ParseDirection(s string) (d Direction, ok bool) {
	n, ok := index(directionNames, s)
	return Direction(n), ok
}

// ParseOutcome reads the symbol of an outcome; ok is false for any other text.
func ParseOutcome(s string) (o Outcome, ok bool) {
	n, ok := index(outcomeNames, s)
	return Outcome(n), ok
}

// ParseForwardingKind reads the symbol of a kind of forwarding; ok is false for any other text.
func ParseForwardingKind(s string) (f ForwardingKind, ok bool) {
	n, ok := index(forwardingNames, s)
	return ForwardingKind(n), ok
}

// ParseNumberType reads the symbol of a type of number; ok is false for any other text.
func ParseNumberType(s string) (t NumberType, ok bool) {
	n, ok := index(numberNames, s)
	return NumberType(n), ok
}

// Outcomes returns every symbol of Outcome, in the order of the schema.
func Outcomes() []string { return append([]string(nil), outcomeNames...) }

func symbol(names []string, n int) string {
	if n < len(names) {
		return names[n]
	}
	return fmt.Sprintf("symbol(%d)", n)
}

func index(names []string, s string) (int, bool) {
	for n, name := range names {
		if name == s {
			return n, true
		}
	}
	return 0, false
}
