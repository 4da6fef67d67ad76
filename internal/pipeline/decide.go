package pipeline

import (
	"fmt"

	"switchboard/internal/event"
	"switchboard/internal/fold"
)

// Observed is what a lane knows before it folds anything: what the group, the log and the read models say.
type Observed struct {
	Group Assignment
	// Certified: this process has committed to the group for this assignment, so that Group is out of date and
	// its offset is ours.
	Certified bool
	Log       LogState   // with the leader epoch of Pos asked for
	Expected  int32      // partitions of the topic, by the topology; 0: not known
	Serving   Generation // "" when v:serving names none
	Found     bool       // the serving generation has a position
	Pos       Pos
	Adopted   event.TopicID // the topic id that an operator has accepted; zero: none
	Builder   *Builder      // the newest generation that is wanted or building beside the serving one; nil when none
}

// Builder is a generation that is to be built beside the serving one.
type Builder struct {
	Line     Line
	Found    bool // it has a position
	Pos      Pos
	EpochEnd int64 // as LogState has it, for the leader epoch of Pos
}

// Action is what is done with a partition.
type Action int

// The actions.
const (
	Stop    Action = iota // fold nothing, say why
	GoOn                  // fold the serving generation from its position
	Refuse                // the same, but commit nothing to the group, and say why
	Seed                  // write the first position of the serving generation, and go on
	Create                // let the newest usable generation serve, or make one that serves at once
	Beside                // make a generation beside the serving one
	Build                 // fold the builder, and the serving generation unless Still
	Discard               // mark the builder as discarded, and decide again
)

// Decision is an action with the rule that led to it (DESIGN.md 6), and for people what was seen and what to do.
type Decision struct {
	Action   Action
	Rule     int
	Why      string
	Hint     string
	Rollback bool // the group is ahead of the read models: Redis lost writes
	Still    bool // the serving generation must not be folded any further
	Want     Want // of Beside and Create: where the new generation may begin
}

// Want says where a new generation may begin: at the newest snapshot whose position lies between Least and Most, else, if Start
// allows, at the start of the log, else Otherwise.
type Want struct {
	Least, Most int64
	Start       bool
	Otherwise   Action // Stop or Refuse
}

// skipping is the hint of rule 10.
const skipping = "skipping is not offered: a view with holes is no fold of the log"

// Decide applies the rules of DESIGN.md 6 in their order; the first that holds decides.
func Decide(o *Observed) Decision {
	cert, origin := ReadCertificate(o.Group.Metadata, o.Group.GroupOffset)
	if o.Certified {
		origin = Ours
	}
	if d, ok := identity(o, &cert, origin); ok {
		return d
	}
	if d, ok := resume(o, origin); ok {
		return d
	}
	switch {
	case !o.Found:
		return Decision{Action: Create, Rule: 3, Why: "there is no position", Want: Want{Least: o.Log.Start, Most: o.Log.End, Start: true}}
	case o.Pos.Broken != "":
		return beside(3, true, Want{Least: o.Log.Start, Most: o.Log.End, Start: true}, fmt.Sprintf("generation %s is broken: %s", o.Serving, o.Pos.Broken))
	case o.Pos.Next < 0:
		return Decision{Action: Seed, Rule: 3, Why: "the position was never seeded"}
	}
	if d, ok := lostLog(o); ok {
		return d
	}
	if d, ok := otherFold(o); ok {
		return d
	}
	d := steered(o, origin)
	if origin == Ours && cert.TopicID != o.Log.TopicID { // said of the topic that was adopted away
		d.Rollback = false
	}
	return d
}

// identity is rule 1: the log must be the one that was folded.
func identity(o *Observed, cert *Certificate, origin Origin) (Decision, bool) {
	if other := o.Found && o.Pos.TopicID != o.Log.TopicID || !o.Found; other && o.Adopted == o.Log.TopicID && (o.Expected == 0 || o.Expected == o.Log.Partitions) {
		return Decision{Action: Create, Rule: 1, Why: "the new topic was adopted", Want: Want{Least: o.Log.Start, Most: o.Log.End, Start: true}}, true
	}
	hint := fmt.Sprintf("if the new topic is meant: switchboard replay adopt %s", o.Group.Partition.Topic)
	if n := o.Log.Partitions; o.Found && o.Pos.TopicID == o.Log.TopicID && o.Pos.Partitions != n || !o.Found && o.Expected > 0 && o.Expected != n {
		before := o.Pos.Partitions
		if !o.Found {
			before = o.Expected
		}
		return Decision{Rule: 1, Why: fmt.Sprintf("the topic had %d partitions and has %d: subjects would be apart from their history", before, n),
			Hint: "make the topic anew with the partitions that are wanted and append its facts again; then: switchboard replay adopt " + o.Group.Partition.Topic}, true
	}
	if o.Found && (o.Pos.TopicID != o.Log.TopicID || o.Pos.Partitions != o.Log.Partitions) {
		return Decision{Rule: 1, Hint: hint,
			Why: fmt.Sprintf("the read models were folded from topic id %s with %d partitions, the log is topic id %s with %d partitions", o.Pos.TopicID, o.Pos.Partitions, o.Log.TopicID, o.Log.Partitions)}, true
	}
	if !o.Found && !o.Certified && origin == Ours && cert.TopicID != o.Log.TopicID {
		return Decision{Rule: 1, Hint: hint, Why: fmt.Sprintf("the group's offset is of topic id %s, the log is topic id %s", cert.TopicID, o.Log.TopicID)}, true
	}
	return Decision{}, false
}

// resume is rule 2: a build that was begun goes on, unless the operator has asked for another one, or it cannot.
func resume(o *Observed, origin Origin) (Decision, bool) {
	b := o.Builder
	if b == nil || !o.Found || origin == Foreign || b.Found && b.Pos.Fold != fold.Version {
		return Decision{}, false
	}
	asked := origin == Ours || o.Group.GroupOffset < 0 || o.Group.GroupOffset == b.Line.Asked
	if !asked || b.Found && lostPosition(&b.Pos, &o.Log, b.EpochEnd) || !b.Found && b.Line.State != Wanted {
		return Decision{Action: Discard, Rule: 2, Why: fmt.Sprintf("the build of generation %s is given up: the group was reset again, or it cannot go on", b.Line.Generation)}, true
	}
	still := o.Pos.Broken != "" || o.Pos.Next < 0 || lostPosition(&o.Pos, &o.Log, o.Log.EpochEnd) || o.Pos.Fold != fold.Version
	return Decision{Action: Build, Rule: 2, Still: still, Why: fmt.Sprintf("generation %s is being built beside: %s", b.Line.Generation, b.Line.Reason)}, true
}

// lostPosition tells whether a position cannot be gone on from: rules 1, 4 and 5.
func lostPosition(p *Pos, log *LogState, epochEnd int64) bool {
	if p.Next < 0 {
		return p.TopicID != log.TopicID
	}
	return p.TopicID != log.TopicID || p.Partitions != log.Partitions || p.Next > log.End || p.Next < log.Start || p.LeaderEpoch >= 0 && epochEnd < p.Next
}

// lostLog is rules 4 and 5: what was folded, or was to be folded, is not in the log any more.
func lostLog(o *Observed) (Decision, bool) {
	c, l, h := o.Pos.Next, o.Log.Start, o.Log.End
	switch {
	case c > h:
		return beside(4, true, Want{Least: l, Most: h, Start: true}, fmt.Sprintf("the log was truncated: it ends at %d, the read models are at %d; what they hold from there on is lost", h, c)), true
	case o.Pos.LeaderEpoch >= 0 && o.Log.EpochEnd < c:
		return beside(4, true, Want{Least: l, Most: max(o.Log.EpochEnd, l), Start: true},
			fmt.Sprintf("the log was truncated and overwritten: leader epoch %d ends at %d, the read models are at %d", o.Pos.LeaderEpoch, o.Log.EpochEnd, c)), true
	case c < l:
		d := beside(5, true, Want{Least: l, Most: h, Otherwise: Stop}, fmt.Sprintf("the log begins at %d, the read models are at %d: %d offsets were deleted unread", l, c, l-c))
		d.Hint = "no snapshot covers them; to fold what is left and say so in every answer: switchboard replay run --incomplete"
		return d, true
	}
	return Decision{}, false
}

// otherFold is rule 6.
func otherFold(o *Observed) (Decision, bool) {
	switch {
	case o.Pos.Fold == fold.Version:
		return Decision{}, false
	case o.Pos.Fold > fold.Version:
		return Decision{Rule: 6, Hint: "a newer version of the program owns these read models: let the rolling update end",
			Why: fmt.Sprintf("the read models were folded by fold version %d, this program is version %d", o.Pos.Fold, fold.Version)}, true
	}
	d := beside(6, true, Want{Least: o.Log.Start, Most: o.Log.End, Start: o.Log.Start == 0, Otherwise: Stop}, fmt.Sprintf("the read models were folded by fold version %d, this program is version %d", o.Pos.Fold, fold.Version))
	d.Hint = "the log has lost its head and no snapshot of this version covers it; to fold what is left: switchboard replay run --incomplete"
	return d, true
}

// steered is rules 7 to 11: what the group's offset says.
func steered(o *Observed, origin Origin) Decision {
	c, g, l := o.Pos.Next, o.Group.GroupOffset, o.Log.Start
	switch {
	case origin == Ours:
		return Decision{Action: GoOn, Rule: 7, Why: "the group's offset is ours", Rollback: !o.Certified && g > c}
	case origin == Foreign:
		return Decision{Action: Refuse, Rule: 11, Hint: "give that program another group",
			Why: fmt.Sprintf("another program committed offset %d to our group, with metadata %q", g, o.Group.Metadata)}
	case g < 0 || g == c:
		return Decision{Action: GoOn, Rule: 9, Why: "the group has no other offset"}
	case g < c:
		start := g == l && (l == 0 || o.Pos.HistoryFrom >= l)
		d := beside(8, false, Want{Least: l, Most: g, Start: start, Otherwise: Refuse}, fmt.Sprintf("the group was reset to offset %d, the read models are at %d: a replay", g, c))
		d.Hint = fmt.Sprintf("no snapshot lies between the log's start %d and offset %d; offsets that would do: %d (go on), or one at or behind a snapshot (switchboard snapshot list)", l, g, c)
		return d
	default:
		return Decision{Action: GoOn, Rule: 10, Hint: skipping,
			Why: fmt.Sprintf("the group is at offset %d without our mark, the read models are at %d: a reset forward, or Redis restored from an older dump; going on at %d", g, c, c)}
	}
}

func beside(rule int, still bool, want Want, why string) Decision {
	return Decision{Action: Beside, Rule: rule, Still: still, Want: want, Why: why}
}
