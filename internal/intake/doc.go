// Package intake makes valid events of raw input. Every door leads through Intake.Accept: HTTP
// (httpdoor), files (Open) and the inbox, so that the same content has the same id wherever it
// comes in.
//
// What is decided here, because nothing behind it can decide it any more:
//
//   - Ids of people. Numbers become E.164, read with the region of the report, else of the
//     subscriber's own number, else the configured one. What is no number stays as it was given;
//     see ParseNumber.
//   - Time. A zone is resolved to an offset. Without zone and offset the offset is 0 and
//     zone_unknown. An instant in JSON with a numeric offset (2026-01-02T10:00:00+01:00) says the
//     offset too, if neither zone nor utc_offset_s does; +00:00 is a known offset of 0, whereas Z
//     and -00:00 give the instant alone (RFC 3339, 4.3). started_at 0 counts as not given.
//   - What is refused. Errors name every field with a problem and never quote a value: they are
//     written to logs and .rejects files, which must not hold personal data.
//   - withheld and the counterpart "withheld" say the same. No subscriber has that name.
package intake
