package pipeline

import (
	"fmt"

	"switchboard/internal/event"
)

// The classes of dead letters. Those of decoding come from the decoder.
const (
	ClassBadFrame       = "bad_frame"       // neither of the two framings, or bytes behind the record
	ClassBadAvro        = "bad_avro"        // the bytes are no record of their schema
	ClassUnknownSchema  = "unknown_schema"  // nobody here knows the writer's schema
	ClassUnexpected     = "unexpected_type" // a known event that does not belong into this topic
	ClassInvalidField   = "invalid_field"   // a field breaks the contract
	ClassBadID          = "bad_id"          // the event id is not the hash of the content
	ClassBadKey         = "bad_key"         // the key is not the event id
	ClassWrongPartition = "wrong_partition" // the subject belongs into another partition
	ClassTooLarge       = "too_large"       // a batch that decompresses to more than is accepted
	ClassPanic          = "panic"           // the fold could not bear it: a bug
)

// Poison is why a record cannot be folded, ever. Its text holds nothing of the payload.
type Poison struct {
	Class  string
	Reason string
}

func (p *Poison) Error() string { return p.Class + ": " + p.Reason }

// check holds a fact against the contract of those who write facts directly. scratch is a buffer of the lane.
func check(raw *Raw, e event.Event, partition int32, partitions int32, scratch *[]byte) *Poison {
	common := e.Envelope()
	if err := event.Validate(e); err != nil {
		return &Poison{ClassInvalidField, err.Error()}
	}
	if string(raw.Key) != string(common.ID[:]) {
		return &Poison{ClassBadKey, "the record's key is not the 16 bytes of the event id"}
	}
	if *scratch = event.AppendContent((*scratch)[:0], e); event.IDOfContent(*scratch) != common.ID {
		return &Poison{ClassBadID, "the event id is not the hash of the content"}
	}
	if want := event.PartitionOf(common.Subject, partitions); want != partition {
		return &Poison{ClassWrongPartition, fmt.Sprintf("the subject belongs into partition %d", want)}
	}
	return nil
}
