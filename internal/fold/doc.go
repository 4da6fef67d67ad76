// Package fold is the meaning of the log: subject + event -> subject. It is pure (no clock, chance, I/O,
// goroutine or map order) and order-free: shuffled input, duplicates and compaction give the same state.
//
// A subject is loaded in part. What an event touches is named from the event alone, so that folding
// it costs the same whatever the subject's history is.
package fold

// Version is the version of the meaning. It stands in every position; raise it when the same log
// would fold to other read models, and a digest test will remind you.
const Version = 1
