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

// DeviceEventKind tells what happened to a device; only incoming events have it, a fact has a type.
type DeviceEventKind uint8

// The kinds of device events.
const (
	DeviceEventUnknown DeviceEventKind = iota
	Connected
	Renamed
	Linked
	Unlinked
	Disconnected
)

// DisconnectReason is why a session of a device ended, in the words of AWS IoT's lifecycle events.
type DisconnectReason uint8

// The reasons of a disconnect.
const (
	DisconnectUnknown DisconnectReason = iota
	ClientInitiatedDisconnect
	ClientError
	ConnectionLost
	DuplicateClientID
	ForbiddenAccess
	MQTTKeepAliveTimeout
	AuthError
	ServerInitiatedDisconnect
	Throttled
	ServerError
	WebSocketTTLExpiration
	CustomAuthTTLExpiration
)

var (
	kindNames       = []string{"unknown", "call", "text"}
	directionNames  = []string{"unknown", "in", "out"}
	outcomeNames    = []string{"unknown", "answered", "missed", "rejected", "blocked", "voicemail", "answered_elsewhere", "unsuccessful"}
	forwardingNames = []string{"unknown", "unconditional", "conditional_busy", "conditional_not_reachable", "conditional_no_answer"}
	deviceNames     = []string{"unknown", "connected", "renamed", "linked", "unlinked", "disconnected"}
	reasonNames     = []string{
		"unknown", "client_initiated_disconnect", "client_error", "connection_lost", "duplicate_clientid", "forbidden_access", "mqtt_keep_alive_timeout",
		"auth_error", "server_initiated_disconnect", "throttled", "server_error", "websocket_ttl_expiration", "customauth_ttl_expiration",
	}
	numberNames = []string{"unknown", "mobile", "fixed", "fixed_or_mobile", "premium_rate", "toll_free", "shared_cost", "voip", "uan", "personal_number", "pager", "voicemail_access"}
)

func (k Kind) String() string             { return symbol(kindNames, int(k)) }
func (k DeviceEventKind) String() string  { return symbol(deviceNames, int(k)) }
func (r DisconnectReason) String() string { return symbol(reasonNames, int(r)) }
func (d Direction) String() string        { return symbol(directionNames, int(d)) }
func (o Outcome) String() string          { return symbol(outcomeNames, int(o)) }
func (f ForwardingKind) String() string   { return symbol(forwardingNames, int(f)) }
func (n NumberType) String() string       { return symbol(numberNames, int(n)) }

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

// ParseDeviceEventKind reads the symbol of a kind of device event; ok is false for any other text.
func ParseDeviceEventKind(s string) (k DeviceEventKind, ok bool) {
	n, ok := index(deviceNames, s)
	return DeviceEventKind(n), ok
}

// ParseDisconnectReason reads the symbol of a reason; ok is false for any other text.
func ParseDisconnectReason(s string) (r DisconnectReason, ok bool) {
	n, ok := index(reasonNames, s)
	return DisconnectReason(n), ok
}

// DisconnectReasons returns every symbol of DisconnectReason, in the order of the schema.
func DisconnectReasons() []string { return append([]string(nil), reasonNames...) }

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
