// Package indicator computes what analysts ask about one subscriber, from that subscriber's reports alone, for any
// period: bandicoot's individual and spatial indicators in every split of week and day, its daily series, and its
// hour-of-week matrix. It is pure: the same reports in any order give the same bits.
//
// The definitions are those of computationalprivacy/bandicoot (MIT, commit 86e5f19), function by function; the code
// is our own. Where bandicoot's text and code differ, its code holds. Each family of indicators names its source.
//
//	reports ── newTimeline: once interned, sorted, grouped by contact
//	             │
//	             ├─ Compute ── 9 splits of week and day × call, text, both ── collect ── families ── Table
//	             ├─ ByWeek ─── the same for each local ISO week, with the home of the whole period
//	             ├─ Daily ──── 16 series by local day
//	             └─ HourOfWeek 8 channels × 7 × 24 by local ISO week
//
// Non-obvious:
//   - Sums are integers to the fourth power (numbers.go), so that neither order nor cancellation can matter.
//   - An unknown antenna is a place like any other, as in bandicoot: it can even be home.
//   - Reports that bandicoot ignores (no contact, unknown kind or direction) are ignored and counted.
//   - Day, night, weekend, hour and week are local by each report's own offset; intervals are between instants.
//   - Within half an hour the place that counts is the most frequent one, and of several the first (bandicoot's
//     docstring says the last; its code takes the first).
package indicator
