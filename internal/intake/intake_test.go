package intake

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"switchboard/internal/event"
)

// now is the clock of all tests: 2026-01-31T12:00:00Z.
var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func newIntake(t testing.TB) *Intake {
	t.Helper()
	in, err := New(Options{DefaultRegion: "DE", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func call() event.Submitted {
	return event.Submitted{Kind: "call", Subscriber: "+442079460958", Direction: "out", StartedAt: 1769850000000, Counterpart: "020 7946 0000"}
}

// The ids are for ever: a change here makes every report that comes again another one.
func TestGoldenIDs(t *testing.T) {
	in := newIntake(t)
	for _, c := range []struct{ json, id, typ string }{
		{`{"kind":"call","subscriber":"+44 20 7946 0958","direction":"out","started_at":1769850000000,"counterpart":"020 7946 0000","duration_s":61}`,
			"f5b0d9bb-477f-8e8a-bc1d-c6c9dd91840d", "CallReported"},
		{`{"duration_s":61,"counterpart":"+442079460000","started_at":"2026-01-31T09:00:00Z","direction":"out","subscriber":"020 7946 0958","region":"gb","kind":"call","outcome":"unknown","ring_s":0,"source":"elsewhere","attempt":3}`,
			"f5b0d9bb-477f-8e8a-bc1d-c6c9dd91840d", "CallReported"},
		{`{"kind":"text","subscriber":"correspondent_1","direction":"in","started_at":"2026-01-31T10:00:00+01:00","withheld":true}`,
			"fc9cff8b-d93d-8356-b0fa-04952f73664f", "TextReported"},
		{`{"kind":"text","subscriber":"correspondent_1","direction":"in","started_at":1769850000000,"zone":"Europe/Berlin","counterpart":"withheld"}`,
			"fc9cff8b-d93d-8356-b0fa-04952f73664f", "TextReported"},
		{`{"kind":"call","subscriber":"A","direction":"in","started_at":1769850000000,"utc_offset_s":0,"counterpart":"911","region":"US","cell":"262-02-1234-5678","lat_e7":-123,"repeat":1,"outcome":"missed","ring_s":3}`,
			"745d60f4-a6d5-86ef-9c69-d6df1509f6cd", "CallReported"},
		{`{"kind":"call","subscriber":"A","direction":"in","started_at":1769850000000,"amends":"9b1c6a1e-0000-8000-8000-000000000000","revision":2,"duration_s":5}`,
			"cd0425ec-cbc8-8767-b2ae-cc267dc02d25", "CallReportAmended"},
	} {
		e, err := in.AcceptJSON([]byte(c.json))
		if err != nil {
			t.Errorf("%s: %v", c.json, err)
			continue
		}
		if got := e.Envelope().ID.String(); got != c.id || e.Type() != c.typ {
			t.Errorf("%s:\n got %s %s\nwant %s %s", c.json, e.Type(), got, c.typ, c.id)
		}
	}
}

func TestAcceptDerives(t *testing.T) {
	in := newIntake(t)
	e, err := in.Accept(event.Submitted{
		Kind: "call", Subscriber: "020 7946 0958", Region: "gb", Direction: "in", StartedAt: 1769850000000, Zone: "Asia/Kolkata",
		Counterpart: "0900 1234567", ForwardedFrom: "07400 123456", Outcome: "missed", RingS: 2, Source: "s", Batch: "b",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := *e.(*event.CallReported)
	want := event.CallReported{
		Common: event.Common{
			ID: event.IDOf(&got), Subject: "+442079460958", OccurredAt: 1769850000000, UTCOffsetS: 19800,
			RecordedAt: now.UnixMilli(), Source: "s", Batch: "b",
		},
		Report: event.Report{
			Counterpart: "+449001234567", Direction: event.In, Outcome: event.Missed,
			CounterpartRegion: "GB", CounterpartType: event.PremiumRate, PrefixBucket: "44900", NumberingVersion: NumberingVersion,
		},
		CallDetails: event.CallDetails{RingS: 2, ForwardedFrom: "+447400123456"},
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The region is the report's, else that of the subscriber's number, else the configured one.
func TestRegionOfNumbers(t *testing.T) {
	in := newIntake(t)
	for _, c := range []struct{ region, subscriber, counterpart, want string }{
		{"US", "+442079460958", "650 253 0000", "+16502530000"},
		{"", "+442079460958", "020 7946 0000", "+442079460000"},
		{"", "A", "030 123456", "+4930123456"},
		{"", "030 123456", "030 123457", "+4930123457"},
		{"", "+80012345678", "030 123456", "+4930123456"},
		{"US", "A", "911", "911"},
		{"", "A", "", ""},
		{"", "A", " withheld ", event.Withheld},
	} {
		e, err := in.Accept(event.Submitted{Kind: "text", Subscriber: c.subscriber, Region: c.region, Direction: "in", StartedAt: 1, Counterpart: c.counterpart})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
		} else if got := e.(*event.TextReported).Counterpart; got != c.want {
			t.Errorf("%+v: counterpart %q", c, got)
		}
	}
}

func TestOffset(t *testing.T) {
	in := newIntake(t)
	for _, c := range []struct {
		json    string
		offset  int32
		unknown bool
		problem string
	}{
		{json: `"started_at":1769850000000`, unknown: true},
		{json: `"started_at":"2026-01-31T09:00:00Z"`, unknown: true},
		{json: `"started_at":"2026-01-31T09:00:00-00:00"`, unknown: true},
		{json: `"started_at":"2026-01-31T09:00:00+00:00"`},
		{json: `"started_at":"2026-01-31T14:45:00.000+05:45"`, offset: 20700},
		{json: `"started_at":"2026-01-31T09:00:00+00:00","zone":"Europe/Paris"`, offset: 3600},
		{json: `"started_at":"2026-01-31T09:00:00Z","utc_offset_s":-3600`, offset: -3600},
		{json: `"started_at":1769850000000,"utc_offset_s":0`},
		{json: `"started_at":1769850000000,"zone":"America/New_York"`, offset: -18000},
		{json: `"started_at":1751360400000,"zone":"America/New_York"`, offset: -14400},
		{json: `"started_at":1769850000000,"zone":"America/New_York","utc_offset_s":-18000`, offset: -18000},
		{json: `"started_at":1769850000000,"zone":"America/New_York","utc_offset_s":-14400`, problem: "utc_offset_s: must be the offset of zone at started_at, or be left out"},
		{json: `"started_at":1769850000000,"zone":"Local"`, problem: "zone: must be an IANA time zone, such as Europe/Berlin"},
		{json: `"started_at":1769850000000,"zone":"Mars/Olympus"`, problem: "zone: must be an IANA time zone, such as Europe/Berlin"},
		{json: `"started_at":1769850000000,"zone":"../../etc/passwd"`, problem: "zone: must be an IANA time zone, such as Europe/Berlin"},
		{json: `"started_at":1769850000000,"utc_offset_s":64801`, problem: "utc_offset_s: must be within 18 hours"},
	} {
		e, err := in.AcceptJSON([]byte(`{"kind":"text","subscriber":"A","direction":"in",` + c.json + `}`))
		switch {
		case c.problem != "":
			if err == nil || err.Error() != c.problem {
				t.Errorf("%s: got %v, want %s", c.json, err, c.problem)
			}
		case err != nil:
			t.Errorf("%s: %v", c.json, err)
		case e.Envelope().UTCOffsetS != c.offset || e.Envelope().ZoneUnknown != c.unknown:
			t.Errorf("%s: offset %d, unknown %v", c.json, e.Envelope().UTCOffsetS, e.Envelope().ZoneUnknown)
		}
	}
}

//fault:e3 impossible values, at the door
//fault:e4 the future, at the door
func TestAcceptRefuses(t *testing.T) {
	in := newIntake(t)
	const id = "9b1c6a1e-0000-8000-8000-000000000000"
	for _, c := range []struct {
		change func(*event.Submitted)
		want   string
	}{
		{func(s *event.Submitted) { s.Kind = "" }, "kind: is required"},
		{func(s *event.Submitted) { s.Kind = "unknown" }, "kind: must be call or text"},
		{func(s *event.Submitted) { s.Kind = "CALL" }, "kind: must be call or text"},
		{func(s *event.Submitted) { s.Subscriber = " " }, "subscriber: is required"},
		{func(s *event.Submitted) { s.Subscriber = "withheld" }, "subscriber: must not be the reserved word withheld"},
		{func(s *event.Submitted) { s.Subscriber = "a\nb" }, "subscriber: must not contain control characters"},
		{func(s *event.Submitted) { s.Subscriber = "a\x00" }, "subscriber: must not contain control characters"},
		{func(s *event.Submitted) { s.Subscriber = strings.Repeat("a", 257) }, "subscriber: must be at most 256 bytes"},
		{func(s *event.Submitted) { s.Subscriber = "a\xff" }, "subscriber: must be UTF-8"},
		{func(s *event.Submitted) { s.Direction = "" }, "direction: is required"},
		{func(s *event.Submitted) { s.Direction = "both" }, "direction: must be in or out"},
		{func(s *event.Submitted) { s.StartedAt = 0 }, "started_at: is required"},
		{func(s *event.Submitted) { s.StartedAt = now.Add(MaxAhead).UnixMilli() + 1 }, "started_at: must not be more than 5 minutes in the future"},
		{func(s *event.Submitted) { s.StartedAt = -1 << 62 }, "started_at: must lie in the years 1 to 9999"},
		{func(s *event.Submitted) { s.Region = "Germany" }, "region: must be an ISO 3166-1 alpha-2 code with a numbering plan"},
		{func(s *event.Submitted) { s.Withheld = true }, "counterpart: must not be given when withheld is true"},
		{func(s *event.Submitted) { s.Counterpart = "\u0085" }, "counterpart: must not contain control characters"},
		{func(s *event.Submitted) { s.Outcome = "busy" }, "outcome: must be one of unknown, answered, missed, rejected, blocked, voicemail, answered_elsewhere, unsuccessful"},
		{func(s *event.Submitted) { s.DurationS = -1 }, "duration_s: must be >= 0"},
		{func(s *event.Submitted) { s.DurationS = 604801 }, "duration_s: must be <= 604800"},
		{func(s *event.Submitted) { s.RingS = -1 }, "ring_s: must be >= 0"},
		{func(s *event.Submitted) { s.RingS = 86401 }, "ring_s: must be <= 86400"},
		{func(s *event.Submitted) { s.AnsweredAt = s.StartedAt - 1 }, "answered_at: must not be before started_at"},
		{func(s *event.Submitted) { s.AnsweredAt = now.Add(time.Hour).UnixMilli() }, "answered_at: must not be more than 5 minutes in the future"},
		{func(s *event.Submitted) { s.ForwardingKind = "busy" }, "forwarding_kind: must be unconditional, conditional_busy, conditional_not_reachable or conditional_no_answer"},
		{func(s *event.Submitted) { s.ForwardedFrom = "\x7f" }, "forwarded_from: must not contain control characters"},
		{func(s *event.Submitted) { s.TAC = "1234567" }, "tac: must be 8 digits"},
		{func(s *event.Submitted) { s.Cell = "262-2" }, "cell: must have the form mcc-mnc-lac-ci"},
		{func(s *event.Submitted) { s.Cell = "262-02--1" }, "cell: must have the form mcc-mnc-lac-ci"},
		{func(s *event.Submitted) { s.LatE7 = 900000001 }, "lat_e7: must be within 90 degrees (900000000)"},
		{func(s *event.Submitted) { s.LonE7 = -1800000001 }, "lon_e7: must be within 180 degrees (1800000000)"},
		{func(s *event.Submitted) { s.Geohash = "u33a" }, "geohash: must be a geohash of at most 12 characters"},
		{func(s *event.Submitted) { s.Repeat = -1 }, "repeat: must be >= 0"},
		{func(s *event.Submitted) { s.Amends = id }, "revision: must be >= 1 with amends"},
		{func(s *event.Submitted) { s.Revision = 1 }, "amends: is required with revision"},
		{func(s *event.Submitted) { s.Amends, s.Revision = "x", 1 }, "amends: must be the event id of the original report, 8-4-4-4-12 hexadecimal digits"},
		{func(s *event.Submitted) { s.Attempt = -1 }, "attempt: must be >= 0"},
		{func(s *event.Submitted) { s.NativeID = "\t" }, "native_id: must not contain control characters"},
		{func(s *event.Submitted) { s.Reason = strings.Repeat("a", 1025) }, "reason: must be at most 1024 bytes"},
		{func(s *event.Submitted) { s.Kind, s.DurationS = "text", 1 }, "duration_s: must not be given for a text"},
		{func(s *event.Submitted) { s.Kind, s.RingS = "text", 1 }, "ring_s: must not be given for a text"},
		{func(s *event.Submitted) { s.Kind, s.AnsweredAt = "text", 1 }, "answered_at: must not be given for a text"},
		{func(s *event.Submitted) { s.Kind, s.ForwardedFrom = "text", "1" }, "forwarded_from: must not be given for a text"},
		{func(s *event.Submitted) { s.Kind, s.ForwardingKind = "text", "unconditional" }, "forwarding_kind: must not be given for a text"},
		{func(s *event.Submitted) { s.Kind, s.Amends, s.Revision, s.DurationS = "text", id, 1, 1 }, "duration_s: must not be given for a text"},
	} {
		s := call()
		c.change(&s)
		e, err := in.Accept(s)
		var all Errors
		if e != nil || !errors.As(err, &all) || len(all) != 1 || err.Error() != c.want {
			t.Errorf("got %v, %v (%d problems)\nwant %s", e, err, len(all), c.want)
		}
	}
}

func TestAcceptTakesTheEdges(t *testing.T) {
	in := newIntake(t)
	s := call()
	s.StartedAt = now.Add(MaxAhead).UnixMilli()
	s.DurationS, s.RingS, s.LatE7, s.LonE7 = event.MaxDurationS, 86400, -900000000, 1800000000
	s.Handset = strings.Repeat("ä", 128)
	s.Cell, s.TAC, s.Geohash = "310-410-16777215-68719476735", "35693803", "u33db2m3gq5z"
	if _, err := in.Accept(s); err != nil {
		t.Error(err)
	}
	s = event.Submitted{Kind: "text", Subscriber: "A", Direction: "in", StartedAt: 1, Outcome: "unknown", ForwardingKind: "unknown"} // as Avro's defaults have it
	if _, err := in.Accept(s); err != nil {
		t.Error(err)
	}
}

func TestAllProblemsAreReported(t *testing.T) {
	_, err := newIntake(t).Accept(event.Submitted{Kind: "call", Direction: "up", DurationS: -1, RingS: -1})
	var all Errors
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Field)
	}
	if want := []string{"subscriber", "started_at", "direction", "duration_s", "ring_s"}; !reflect.DeepEqual(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	if want := "items[3].subscriber: is required"; all.In("items[3]") != want {
		t.Errorf("got %s, want %s", all.In("items[3]"), want)
	}
	var one *event.FieldError
	if !errors.As(err, &one) || one.Field != "subscriber" {
		t.Errorf("errors.As gives %v", one)
	}
}

func TestNewRefusesRegion(t *testing.T) {
	if _, err := New(Options{DefaultRegion: "XX"}); err == nil {
		t.Error("a region without a numbering plan is taken")
	}
}
