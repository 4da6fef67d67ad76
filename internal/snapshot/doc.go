// Package snapshot is checkpoints of what a log folds to: their format, how they are found, read and checked, how the next one
// is made from the last one and the events behind it, and which ones are kept. It knows a topic only as a Source and an
// Append.
//
// # Shape
//
// The subjects of a partition of facts fall into 2^Bits buckets by hash (BucketOf). A bucket has one head chunk (card, contacts, device,
// links: view.Kept) and one chunk for each UTC ISO week of its timelines; a week that no new event touches keeps its chunk. A chunk is sorted
// records in a canonical encoding (chunk.go), named by the SHA-256 of these bytes, and stands in the topic as zstd, cut into records of at most 900 KiB (part.go):
//
//	calls.reports/7/<64 hex digits>/<part>   a part of a chunk
//	calls.reports/7/manifest/<next offset>   a manifest
//	calls.reports/7/retired/<next offset>    a manifest that is kept no longer, for as long as its chunks are
//
// Manifests come last. Chunks that no manifest names are nothing to anybody, so that a torn snapshot is invisible. The position of a
// snapshot stands in its manifest and nowhere else.
//
// # Reading
//
// For whoever restores read models:
//
//	m, refused, err := snapshot.Newest(ctx, source, snapshot.Want{Identity: id, Start: logStart, End: logEnd, EpochEnd: ask})
//	                    // m == nil: there is none; refused says which were looked at, and why each was not taken
//	err = m.Each(ctx, source, func(key string, fields []string) error {
//		mutations, totals, err = view.Restore(mutations, set, m.Next-1, key, fields)
//		...
//	})
//	                    // *Damaged: refuse it too (Want.Refused[m.Offset]) and ask again
//
// Each yields every record once, whole, chunk by chunk: at most 8 MiB as read and one chunk unpacked are in memory. Records of one
// subject do not come together, and in no order; view.Restore derives what it derives from single records. After Each the sum of the
// totals must be m.Totals. m.Offset, the offset of the manifest in its topic, is what a position keeps as its seed: Open reads it again.
// m.HistoryFrom, m.LeaderEpoch, m.Tombstones and m.AppliedAppendMs are what pos gets.
package snapshot
