package indicator

// Indicator is an indicator by bandicoot's own name, the first part of its keys.
type Indicator string

// The indicators, in bandicoot's order (utils.all).
const (
	ActiveDays                    Indicator = "active_days"
	NumberOfContacts              Indicator = "number_of_contacts"
	CallDuration                  Indicator = "call_duration"
	PercentNocturnal              Indicator = "percent_nocturnal"
	PercentInitiatedConversations Indicator = "percent_initiated_conversations"
	PercentInitiatedInteractions  Indicator = "percent_initiated_interactions"
	ResponseDelayText             Indicator = "response_delay_text"
	ResponseRateText              Indicator = "response_rate_text"
	EntropyOfContacts             Indicator = "entropy_of_contacts"
	BalanceOfContacts             Indicator = "balance_of_contacts"
	InteractionsPerContact        Indicator = "interactions_per_contact"
	IntereventTime                Indicator = "interevent_time"
	PercentParetoInteractions     Indicator = "percent_pareto_interactions"
	PercentParetoDurations        Indicator = "percent_pareto_durations"
	NumberOfInteractions          Indicator = "number_of_interactions"
	NumberOfInteractionsIn        Indicator = "number_of_interaction_in"  // sic
	NumberOfInteractionsOut       Indicator = "number_of_interaction_out" // sic
	NumberOfAntennas              Indicator = "number_of_antennas"
	EntropyOfAntennas             Indicator = "entropy_of_antennas"
	PercentAtHome                 Indicator = "percent_at_home"
	FrequentAntennas              Indicator = "frequent_antennas"
	ChurnRate                     Indicator = "churn_rate"
)

// Info says what an indicator means.
type Info struct {
	Name    Indicator
	Unit    string
	Meaning string
	Source  string // the bandicoot function that defines it
}

// family is an indicator and how it is read from a subset: a scalar, which may be unknown, or a summary.
type family struct {
	Info
	of      []Interaction // what bandicoot computes it for
	scalar  func(*subset) (float64, bool)
	summary func(*subset) Summary
}

var (
	perKind   = []Interaction{Call, Text}
	callsOnly = []Interaction{Call}
	bothOnly  = []Interaction{CallAndText}
	placeOnly = []Interaction{Place}
)

// families are all but churn, which is of the whole period, in bandicoot's order.
var families = concat(
	[]family{activeDays, numberOfContacts, callDuration, percentNocturnal},
	conversationFamilies[:1], []family{percentInitiatedInteractions}, conversationFamilies[1:],
	[]family{entropyOfContacts, balanceOfContacts, interactionsPerContact, intereventTime},
	[]family{paretoInteractions, paretoDurations},
	[]family{numberOfInteractions, numberOfInteractionsIn, numberOfInteractionsOut},
	placeFamilies,
)

var churnInfo = Info{ChurnRate, "0 to 1",
	"cosine distance between the places of consecutive weeks with reports; mean and standard deviation", "spatial.churn_rate"}

// Indicators describes every indicator, in bandicoot's order.
func Indicators() []Info {
	infos := make([]Info, 0, len(families)+1)
	for i := range families {
		infos = append(infos, families[i].Info)
	}
	return append(infos, churnInfo)
}

func concat(lists ...[]family) []family {
	var all []family
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
