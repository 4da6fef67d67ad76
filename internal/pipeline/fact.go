package pipeline

import "switchboard/internal/event"

// Check holds a decoded fact against the contract, as every lane does: whoever else folds the log folds the same facts. scratch is a buffer
// of the caller.
func Check(raw *Raw, e event.Event, partition, partitions int32, scratch *[]byte) *Poison {
	return check(raw, e, partition, partitions, scratch)
}
