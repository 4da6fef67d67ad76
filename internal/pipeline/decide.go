package pipeline

import (
	"fmt"

	"switchboard/internal/fold"
)

// Observed is what a lane knows before it folds anything: what the group, the log and the read models say.
type Observed struct {
	Group Assignment
	// Certified: this process has committed to the group for this assignment, so that Group is out of date and
	// its offset is ours.
	Certified bool
	Log       LogState
	Serving   Generation // "" when v:serving names none
	Found     bool       // the serving generation has a position
	Pos       Pos
}

// Action is what a lane does with a partition.
type Action int

// The actions.
const (
	Stop   Action = iota // fold nothing, say why
	GoOn                 // from the position
	Seed                 // write the first position of the serving generation
	Create               // let the newest usable generation serve, or make one
)

// Decision is an action with the rule that led to it (DESIGN.md 6), and for people what was seen and what to do.
type Decision struct {
	Action   Action
	Rule     int
	Why      string
	Hint     string
	Rollback bool // the group is ahead of the read models: Redis lost writes
}

// Decide applies the rules of DESIGN.md 6 in their order; the first that holds decides. Whatever asks for a build beside
// the serving generation stops for now: nothing is guessed.
func Decide(o *Observed) Decision {
	cert, origin := ReadCertificate(o.Group.Metadata, o.Group.GroupOffset)
	if o.Certified {
		origin = Ours
	}
	c, g, l, h := o.Pos.Next, o.Group.GroupOffset, o.Log.Start, o.Log.End
	switch {
	case o.Found && (o.Pos.TopicID != o.Log.TopicID || o.Pos.Partitions != o.Log.Partitions):
		return Decision{Rule: 1, Hint: "if the new topic is meant, empty the read models of this topic and delete the group",
			Why: fmt.Sprintf("the read models were folded from topic id %s with %d partitions, the log is topic id %s with %d", o.Pos.TopicID, o.Pos.Partitions, o.Log.TopicID, o.Log.Partitions)}
	case !o.Found && !o.Certified && origin == Ours && cert.TopicID != o.Log.TopicID:
		return Decision{Rule: 1, Hint: "if the new topic is meant, delete the consumer group",
			Why: fmt.Sprintf("the group's offset is of topic id %s, the log is topic id %s", cert.TopicID, o.Log.TopicID)}
	case !o.Found:
		return Decision{Action: Create, Rule: 3, Why: "there is no position"}
	case o.Pos.Broken != "":
		return Decision{Rule: 3, Hint: "delete the keys of this generation: it is then folded again from the log",
			Why: fmt.Sprintf("generation %s is broken: %s", o.Serving, o.Pos.Broken)}
	case c < 0:
		return Decision{Action: Seed, Rule: 3, Why: "the position was never seeded"}
	case c > h:
		return Decision{Rule: 4, Hint: "the read models hold facts that the log has lost; empty them to fold what is left",
			Why: fmt.Sprintf("the log was truncated: it ends at %d, the read models are at %d (%d offsets lost)", h, c, c-h)}
	case o.Pos.LeaderEpoch >= 0 && o.Log.EpochEnd < c:
		return Decision{Rule: 4, Hint: "the read models hold facts that the log has lost; empty them to fold what is left",
			Why: fmt.Sprintf("the log was truncated and overwritten: leader epoch %d ends at %d, the read models are at %d", o.Pos.LeaderEpoch, o.Log.EpochEnd, c)}
	case c < l:
		return Decision{Rule: 5, Hint: "what is lost cannot be folded; empty the read models to fold what is left, and say so to whom it concerns",
			Why: fmt.Sprintf("the log begins at %d, the read models are at %d: %d offsets were deleted unread", l, c, l-c)}
	case o.Pos.Fold != fold.Version:
		return Decision{Rule: 6, Hint: "run the version of the program that folded it, or empty the read models",
			Why: fmt.Sprintf("the read models were folded by fold version %d, this program is version %d", o.Pos.Fold, fold.Version)}
	case origin == Ours:
		return Decision{Action: GoOn, Rule: 7, Why: "the group's offset is ours", Rollback: !o.Certified && g > c}
	case origin == Foreign:
		return Decision{Rule: 11, Hint: "give that program another group",
			Why: fmt.Sprintf("another program committed offset %d to our group, with metadata %q", g, o.Group.Metadata)}
	case g < 0 || g == c:
		return Decision{Action: GoOn, Rule: 9, Why: "the group has no other offset"}
	case g < c:
		return Decision{Rule: 8, Hint: fmt.Sprintf("replay by reset comes later; to go on, reset the group to offset %d", c),
			Why: fmt.Sprintf("the group was reset to offset %d, the read models are at %d", g, c)}
	default:
		return Decision{Rule: 10, Hint: fmt.Sprintf("to go on, reset the group to offset %d; skipping is not offered: a view with holes is no fold of the log", c),
			Why: fmt.Sprintf("the group is at offset %d without our mark, the read models are at %d: a reset forward, or Redis restored from an older dump", g, c)}
	}
}
