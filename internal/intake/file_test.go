package intake

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchboard/internal/event"
)

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read writes one line per fact or reject, and the counts.
func read(t testing.TB, text string, o FileOptions) string {
	t.Helper()
	r, err := newIntake(t).Open(write(t, text), o)
	if err != nil {
		return strings.ReplaceAll(err.Error(), "\n", " ") + "\n"
	}
	defer r.Close()
	var out strings.Builder
	for {
		e, reject, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			if r.Position() != r.Size() {
				t.Errorf("at the end the position is %d of %d", r.Position(), r.Size())
			}
			fmt.Fprintf(&out, "%+v\n", r.Stats())
			return out.String()
		case err != nil:
			t.Fatal(err)
		case reject != nil:
			fmt.Fprintf(&out, "line %d: %s\n", reject.Line, reject.Reason)
		default:
			c := e.Envelope()
			fmt.Fprintf(&out, "%.8s %s", c.ID, event.AppendContent(nil, e))
			if c.NativeID != "" {
				fmt.Fprintf(&out, " native %s", c.NativeID)
			}
			out.WriteByte('\n')
			if c.ID != event.IDOf(e) || c.Source != r.Source() {
				t.Errorf("%s: wrong id or source %q", c.ID, c.Source)
			}
		}
	}
}

func same(t *testing.T, got, want string) {
	t.Helper()
	t.Helper()
	if want = strings.TrimLeft(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

const bandicootHeader = "interaction,direction,correspondent_id,datetime,call_duration,antenna_id\n"

func TestBandicoot(t *testing.T) {
	text := "\uFEFF" + strings.ReplaceAll(bandicootHeader, "\n", "\r\n") +
		"call,in,A,2014-08-20 20:30:37,137,13084\r\n" +
		"\r\n" +
		"text,out,\"C, the \"\"third\"\"\",2014-08-21 21:15:31,,13086\r\n" +
		"text,in,+1 650 253 0000,2014-08-21 21:15:31,7,\r\n" +
		"call,in,,2014-08-21 21:15:31,0,x"
	same(t, read(t, text, FileOptions{Format: "bandicoot", Subscriber: "me"}), `
502375c5 {"antenna_id":"13084","counterpart":"A","direction":"in","duration_s":137,"occurred_at":1408566637000,"subject":"me","type":"CallReported","zone_unknown":true}
0e6282e6 {"antenna_id":"13086","counterpart":"C, the \"third\"","direction":"out","occurred_at":1408655731000,"subject":"me","type":"TextReported","zone_unknown":true}
06c3b47e {"counterpart":"+16502530000","direction":"in","occurred_at":1408655731000,"subject":"me","type":"TextReported","zone_unknown":true}
118822e4 {"antenna_id":"x","direction":"in","occurred_at":1408655731000,"subject":"me","type":"CallReported","zone_unknown":true}
{Rows:4 Events:4 Rejected:0 OneSided:0 Repeats:0 Duplicates:0 Untracked:0}
`)
}

func TestBandicootBadRows(t *testing.T) {
	good := "call,in,A,2014-08-20 20:30:3%d,137,1\n"
	text := bandicootHeader + fmt.Sprintf(good, 0) +
		"fax,in,A,2014-08-20 20:30:37,137,1\n" +
		",in,A,2014-08-20 20:30:37,137,1\n" +
		"call,both,A,2014-08-20 20:30:37,137,1\n" +
		"call,in,A,2014-08-20T20:30:37,137,1\n" +
		"call,in,A,2014-02-30 20:30:37,137,1\n" +
		"call,in,A,2034-08-20 20:30:37,137,1\n" +
		"call,in,A,2014-08-20 20:30:37,,1\n" +
		"call,in,A,2014-08-20 20:30:37,-3,1\n" +
		"call,in,A,2014-08-20 20:30:37,NaN,1\n" +
		"call,in,A,2014-08-20 20:30:37,99999999999,1\n" +
		"call,in,A,2014-08-20 20:30:37,604801,1\n" +
		"call,in,A,2014-08-20 20:30:37,137\n" +
		"call,in,A,2014-08-20 20:30:37,137,1,2\n" +
		"call,in,A\x00,2014-08-20 20:30:37,137,1\n" +
		"call,in,A\xff,2014-08-20 20:30:37,137,1\n" +
		fmt.Sprintf(good, 1) +
		"call,in,\"A,2014-08-20 20:30:37,137,1\n" + // the quote is never closed
		fmt.Sprintf(good, 2) +
		"call,in,\"A\"b,2014-08-20 20:30:37,137,1\n" +
		"call,in," + strings.Repeat("x", 300) + ",2014-08-20 20:30:37,137,1\n" +
		"call,in," + strings.Repeat("x", 70000) + ",2014-08-20 20:30:37,137,1\n" +
		fmt.Sprintf(good, 3) +
		"call,in,\"A\",\"2014-08-20 20:30:37\",137,1\n" +
		"call,in,\"A\n2\",\"2014-08-20 20:30:37\",137,1\n" + // refused for the line break in an id, as one row
		fmt.Sprintf(good, 4)
	same(t, read(t, text, FileOptions{Format: "bandicoot", Subscriber: "me", Zone: "Europe/Berlin"}), `
6f198688 {"antenna_id":"1","counterpart":"A","direction":"in","duration_s":137,"occurred_at":1408559430000,"subject":"me","type":"CallReported","utc_offset_s":7200}
line 3: interaction: must be call or text
line 4: interaction: is required
line 5: direction: must be in or out
line 6: datetime: must have the form 2006-01-02 15:04:05
line 7: datetime: must have the form 2006-01-02 15:04:05
line 8: datetime: must not be more than 5 minutes in the future
line 9: call_duration: must be a whole number of seconds
line 10: call_duration: must be >= 0
line 11: call_duration: must be a whole number of seconds
line 12: call_duration: must be a whole number of seconds
line 13: call_duration: must be <= 604800
line 14: has 5 fields, the header has 6
line 15: has 7 fields, the header has 6
line 16: correspondent_id: must not contain control characters
line 17: correspondent_id: must be UTF-8
87fcbe71 {"antenna_id":"1","counterpart":"A","direction":"in","duration_s":137,"occurred_at":1408559431000,"subject":"me","type":"CallReported","utc_offset_s":7200}
line 19: a quoted field is not closed
7e2387fe {"antenna_id":"1","counterpart":"A","direction":"in","duration_s":137,"occurred_at":1408559432000,"subject":"me","type":"CallReported","utc_offset_s":7200}
line 21: something follows a quoted field
line 22: correspondent_id: must be at most 256 bytes
line 23: is longer than 65536 bytes
2de502e2 {"antenna_id":"1","counterpart":"A","direction":"in","duration_s":137,"occurred_at":1408559433000,"subject":"me","type":"CallReported","utc_offset_s":7200}
5248b52d {"antenna_id":"1","counterpart":"A","direction":"in","duration_s":137,"occurred_at":1408559437000,"subject":"me","type":"CallReported","utc_offset_s":7200}
line 26: correspondent_id: must not contain control characters
221aa589 {"antenna_id":"1","counterpart":"A","direction":"in","duration_s":137,"occurred_at":1408559434000,"subject":"me","type":"CallReported","utc_offset_s":7200}
{Rows:26 Events:6 Rejected:20 OneSided:0 Repeats:0 Duplicates:0 Untracked:0}
`)
}

// Identical rows in a run of equal times are several reports; farther apart they are duplicates.
func TestRepeatsAndDuplicates(t *testing.T) {
	text := bandicootHeader +
		"text,in,A,2014-08-20 20:30:37,,\n" +
		"text,in,A,2014-08-20 20:30:37,,\n" +
		"text,in,B,2014-08-20 20:30:37,,\n" +
		"nonsense\n" +
		"text,in,A,2014-08-20 20:30:37,,\n" +
		"text,in,A,2014-08-20 20:30:38,,\n" +
		"text,in,A,2014-08-20 20:30:37,,\n" +
		"text,in,A,2014-08-20 20:30:37,,\n"
	same(t, read(t, text, FileOptions{Format: "bandicoot", Subscriber: "me"}), `
0e5ee692 {"counterpart":"A","direction":"in","occurred_at":1408566637000,"subject":"me","type":"TextReported","zone_unknown":true}
39c1c496 {"counterpart":"A","direction":"in","occurred_at":1408566637000,"repeat":1,"subject":"me","type":"TextReported","zone_unknown":true}
9ed51058 {"counterpart":"B","direction":"in","occurred_at":1408566637000,"subject":"me","type":"TextReported","zone_unknown":true}
line 5: has 1 fields, the header has 6
357e5f38 {"counterpart":"A","direction":"in","occurred_at":1408566637000,"repeat":2,"subject":"me","type":"TextReported","zone_unknown":true}
4091e0ee {"counterpart":"A","direction":"in","occurred_at":1408566638000,"subject":"me","type":"TextReported","zone_unknown":true}
0e5ee692 {"counterpart":"A","direction":"in","occurred_at":1408566637000,"subject":"me","type":"TextReported","zone_unknown":true}
39c1c496 {"counterpart":"A","direction":"in","occurred_at":1408566637000,"repeat":1,"subject":"me","type":"TextReported","zone_unknown":true}
{Rows:8 Events:7 Rejected:1 OneSided:0 Repeats:2 Duplicates:2 Untracked:0}
`)
	line := `{"kind":"text","subscriber":"me","direction":"in","counterpart":"A","started_at":1}` + "\n"
	same(t, read(t, line+line+`{"repeat":1,`+line[1:], FileOptions{Format: "ndjson"}), `
028cf258 {"counterpart":"A","direction":"in","occurred_at":1,"subject":"me","type":"TextReported","zone_unknown":true}
028cf258 {"counterpart":"A","direction":"in","occurred_at":1,"subject":"me","type":"TextReported","zone_unknown":true}
5e0322d6 {"counterpart":"A","direction":"in","occurred_at":1,"repeat":1,"subject":"me","type":"TextReported","zone_unknown":true}
{Rows:3 Events:3 Rejected:0 OneSided:0 Repeats:0 Duplicates:1 Untracked:0}
`)
}

func TestCDR(t *testing.T) {
	o := FileOptions{Format: "cdr", Sides: "both", TimeLayout: "02.01.2006 15:04", Zone: "Europe/Berlin", Region: "gb"}
	var err error
	o.Map, err = ParseMap("caller=From, callee=To,time=When,duration=Secs,kind=Type,outcome=How,antenna=Cell,callee_antenna=Cell2,id=Id")
	if err != nil {
		t.Fatal(err)
	}
	text := "Id;When;From;To;Secs;Type;How;Cell;Cell2;Note\n" +
		"7;31.01.2026 09:00;020 7946 0958;+16502530000;61.0;Voice;Answered;c1;c2;\"semi;colon\"\n" +
		"8;31.01.2026 09:00;020 7946 0958;911;;SMS;;c1;c2;\n" +
		"9;31.01.2026 09:01;;A;0;call;missed;c1;c2;\n" +
		"10;31.01.2026 09:01;A;withheld;0;call;missed;c1;c2;\n" +
		"11;31.01.2026 09:01;;withheld;0;call;missed;c1;c2;\n" +
		"12;31.01.2026 09:01;A;B;0;fax;missed;c1;c2;\n" +
		"13;31.01.2026 09:01;A;B;0;call;busy;c1;c2;\n" +
		"14;31.01.2026 25:01;A;B;0;call;;c1;c2;\n" +
		"15;31.01.2026 09:02;A;B;1.5;call;;c1;c2;\n" +
		"16;25.10.2026 02:30;A;B;1;call;;c1;c2;\n" + // in the future
		"17;26.10.2025 02:30;A;B;1;call;;c1;c2;\n" + // twice that day: the first
		"18;30.03.2025 02:30;A;B;1;call;;c1;c2;\n" // skipped that day: 03:30 summer time
	same(t, read(t, text, o), `
d6b774d6 {"antenna_id":"c1","counterpart":"+16502530000","direction":"out","duration_s":61,"occurred_at":1769846400000,"outcome":"answered","subject":"+442079460958","type":"CallReported","utc_offset_s":3600} native 7
cd819cc4 {"antenna_id":"c2","counterpart":"+442079460958","direction":"in","duration_s":61,"occurred_at":1769846400000,"outcome":"answered","subject":"+16502530000","type":"CallReported","utc_offset_s":3600} native 7
5d634107 {"antenna_id":"c1","counterpart":"911","direction":"out","occurred_at":1769846400000,"subject":"+442079460958","type":"TextReported","utc_offset_s":3600} native 8
f60f6484 {"antenna_id":"c2","counterpart":"+442079460958","direction":"in","occurred_at":1769846400000,"subject":"911","type":"TextReported","utc_offset_s":3600} native 8
eec42770 {"antenna_id":"c2","direction":"in","occurred_at":1769846460000,"outcome":"missed","subject":"A","type":"CallReported","utc_offset_s":3600} native 9
11813b72 {"antenna_id":"c1","counterpart":"withheld","direction":"out","occurred_at":1769846460000,"outcome":"missed","subject":"A","type":"CallReported","utc_offset_s":3600} native 10
line 6: From: is required
line 7: Type: must be call, voice, text, sms or mms
line 8: How: must be one of unknown, answered, missed, rejected, blocked, voicemail, answered_elsewhere, unsuccessful
line 9: When: must have the form 02.01.2006 15:04
line 10: Secs: must be a whole number of seconds
line 11: When: must not be more than 5 minutes in the future
e74a1ee8 {"antenna_id":"c1","counterpart":"B","direction":"out","duration_s":1,"occurred_at":1761438600000,"subject":"A","type":"CallReported","utc_offset_s":7200} native 17
c36e1c9d {"antenna_id":"c2","counterpart":"A","direction":"in","duration_s":1,"occurred_at":1761438600000,"subject":"B","type":"CallReported","utc_offset_s":7200} native 17
158bf1d9 {"antenna_id":"c1","counterpart":"B","direction":"out","duration_s":1,"occurred_at":1743298200000,"subject":"A","type":"CallReported","utc_offset_s":7200} native 18
44c60008 {"antenna_id":"c2","counterpart":"A","direction":"in","duration_s":1,"occurred_at":1743298200000,"subject":"B","type":"CallReported","utc_offset_s":7200} native 18
{Rows:12 Events:10 Rejected:6 OneSided:2 Repeats:0 Duplicates:0 Untracked:0}
`)
	o.Sides = "caller"
	same(t, read(t, text[:strings.Index(text, "10;31")], o), `
d6b774d6 {"antenna_id":"c1","counterpart":"+16502530000","direction":"out","duration_s":61,"occurred_at":1769846400000,"outcome":"answered","subject":"+442079460958","type":"CallReported","utc_offset_s":3600} native 7
5d634107 {"antenna_id":"c1","counterpart":"911","direction":"out","occurred_at":1769846400000,"subject":"+442079460958","type":"TextReported","utc_offset_s":3600} native 8
line 4: From: is required
{Rows:3 Events:2 Rejected:1 OneSided:0 Repeats:0 Duplicates:0 Untracked:0}
`)
}

func TestTimeLayouts(t *testing.T) {
	in := newIntake(t)
	hour := int32(3600)
	for _, c := range []struct {
		layout, text, zone string
		offset             *int32
		ms                 int64
		want               string // offset, ? when unknown
	}{
		{"unix", "1769850000", "", nil, 1769850000000, "?"},
		{"unix", "1769850000.25", "Europe/Berlin", nil, 1769850000250, "3600"},
		{"unix", "-1.5", "", &hour, -1500, "3600"},
		{"unixms", "1769850000001", "", nil, 1769850000001, "?"},
		{"rfc3339", "2026-01-31T09:00:00Z", "", nil, 1769850000000, "?"},
		{"rfc3339", "2026-01-31T09:00:00+00:00", "", nil, 1769850000000, "0"},
		{"rfc3339", "2026-01-31T09:00:00+00:00", "Europe/Berlin", nil, 1769850000000, "3600"},
		{"rfc3339", "2026-01-31T10:00:00+01:00", "", nil, 1769850000000, "3600"},
		{"2006-01-02 15:04:05", "2026-01-31 09:00:00", "", nil, 1769850000000, "?"},
		{"2006-01-02 15:04:05", "2026-01-31 10:00:00", "", &hour, 1769850000000, "3600"},
		{"2006-01-02 15:04:05", "2026-01-31 10:00:00", "Europe/Berlin", nil, 1769850000000, "3600"},
		{"2006-01-02 15:04:05 -0700", "2026-01-31 10:00:00 +0100", "", nil, 1769850000000, "3600"},
		{"20060102150405Z07:00", "20260131090000Z", "", nil, 1769850000000, "?"},
		{"1/2/2006 3:04 PM", "1/31/2026 9:00 AM", "America/New_York", nil, 1769868000000, "-18000"},
		{"unix", "1e9", "", nil, 0, "must be a number, as the time layout unix has it"},
		{"unix", "", "", nil, 0, "must be a number, as the time layout unix has it"},
		{"rfc3339", "2026-01-31 09:00", "", nil, 0, "must be RFC 3339, such as 2026-01-31T09:00:00+01:00"},
		{"2006-01-02 15:04", "31.01.2026", "", nil, 0, "must have the form 2006-01-02 15:04"},
	} {
		clock, err := newClock(in, FileOptions{Zone: c.zone, UTCOffsetS: c.offset})
		if err != nil {
			t.Fatal(err)
		}
		parse, err := timeParser(c.layout)
		if err != nil {
			t.Fatal(err)
		}
		s := event.Submitted{Kind: "text", Subscriber: "A", Direction: "in"}
		if err := parse(&clock, &s, c.text); err != nil {
			if err.Error() != c.want {
				t.Errorf("%s %q: %v", c.layout, c.text, err)
			}
			continue
		}
		var bad Errors
		offset, unknown := in.offset(s.StartedAt, "started_at", s.UTCOffsetS, s.Zone, &bad)
		got := fmt.Sprint(offset)
		if unknown {
			got = "?"
		}
		if len(bad) > 0 || s.StartedAt != c.ms || got != c.want {
			t.Errorf("%s %q: %d, offset %s, %v", c.layout, c.text, s.StartedAt, got, bad)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	cdrMap := map[string]string{"caller": "a", "callee": "b", "time": "t", "duration": "d"}
	offset := int32(0)
	big := int32(100000)
	for _, c := range []struct {
		text string
		o    FileOptions
		want string
	}{
		{"", FileOptions{Format: "xlsx"}, `format: want bandicoot, cdr, ndjson or device-ndjson, have "xlsx"`},
		{"", FileOptions{Format: "bandicoot"}, "subscriber: is required for format bandicoot, whose files do not name it"},
		{"", FileOptions{Format: "bandicoot", Subscriber: "A"}, "the file is empty: want a header with the names of the columns"},
		{"a,b\n", FileOptions{Format: "bandicoot", Subscriber: "A"}, `line 1: the header has no column "interaction", "direction", "correspondent_id", "datetime", "call_duration"`},
		{strings.Replace(bandicootHeader, "datetime", "time", 1), FileOptions{Format: "bandicoot", Subscriber: "A"}, `line 1: the header has no column "datetime"`},
		{"datetime," + bandicootHeader, FileOptions{Format: "bandicoot", Subscriber: "A"}, `line 1: the header names the column "datetime" twice`},
		{"\"a", FileOptions{Format: "bandicoot", Subscriber: "A"}, "line 1: the header is no CSV"},
		{strings.Repeat("a,", 40000), FileOptions{Format: "bandicoot", Subscriber: "A"}, "line 1: the header is longer than 65536 bytes"},
		{bandicootHeader, FileOptions{Format: "bandicoot", Subscriber: "A", Zone: "X/Y"}, "zone: must be an IANA time zone, such as Europe/Berlin"},
		{bandicootHeader, FileOptions{Format: "bandicoot", Subscriber: "A", Zone: "UTC", UTCOffsetS: &offset}, "zone, utc_offset_s: give one of the two"},
		{bandicootHeader, FileOptions{Format: "bandicoot", Subscriber: "A", UTCOffsetS: &big}, "utc_offset_s: must be within 18 hours"},
		{bandicootHeader, FileOptions{Format: "bandicoot", Subscriber: "A", Region: "XX"}, "region: must be an ISO 3166-1 alpha-2 code with a numbering plan"},
		{bandicootHeader, FileOptions{Format: "bandicoot", Subscriber: "A", Sides: "both"}, "format bandicoot: map, time layout and sides are options of format cdr"},
		{bandicootHeader, FileOptions{Format: "bandicoot", Subscriber: "A", Comma: 'é'}, "comma: must be one ASCII character, no quote"},
		{"\x1f\x8b\x08", FileOptions{Format: "ndjson"}, "is compressed with gzip: decompress it first, such as zcat FILE | switchboard import -"},
		{"\xff\xfei\x00", FileOptions{Format: "ndjson"}, "is UTF-16: convert it to UTF-8 first"},
		{"{}", FileOptions{Format: "ndjson", Subscriber: "A"}, "format ndjson: each report says subscriber, zone and time itself; no option for them is taken"},
		{"a,b,t,d\n", FileOptions{Format: "cdr", Map: cdrMap, TimeLayout: "unix"}, "sides: want both or caller"},
		{"a,b,t,d\n", FileOptions{Format: "cdr", Map: cdrMap, TimeLayout: "unix", Sides: "both", Subscriber: "A"}, "format cdr: subscriber is an option of format bandicoot; each row names its parties"},
		{"a,b,t,d\n", FileOptions{Format: "cdr", Map: cdrMap, Sides: "both"}, `time_layout: is required: unix, unixms, rfc3339 or a layout such as "2006-01-02 15:04:05"`},
		{"a,b,t,d\n", FileOptions{Format: "cdr", Map: cdrMap, Sides: "both", TimeLayout: "yyyy-MM-dd"}, "time_layout: must be unix, unixms, rfc3339, or date and time as Go writes 2006-01-02 15:04:05"},
		{"a,b,t,d\n", FileOptions{Format: "cdr", Map: cdrMap, Sides: "both", TimeLayout: "2006-01-02 15:04 MST"}, "time_layout: names of zones (MST) stand for several offsets: use a numeric offset, or zone"},
		{"a,b,t,d\n", FileOptions{Format: "cdr", Map: map[string]string{"caller": "a"}, Sides: "both", TimeLayout: "unix"}, "map: callee is required, as callee=COLUMN"},
		{"a,b,t,d\n", FileOptions{Format: "cdr", Map: map[string]string{"x": "a"}, Sides: "both", TimeLayout: "unix"}, `map: "x" is none of caller, callee, time, duration, kind, outcome, antenna, callee_antenna, id`},
		{"a,b,T,D\n", FileOptions{Format: "cdr", Map: cdrMap, Sides: "both", TimeLayout: "unix"}, `line 1: the header has no column "t", "d"`},
	} {
		r, err := newIntake(t).Open(write(t, c.text), c.o)
		if r != nil || err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
	if _, err := newIntake(t).Open(filepath.Join(t.TempDir(), "none"), FileOptions{Format: "ndjson"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := newIntake(t).Open(t.TempDir(), FileOptions{Format: "ndjson"}); err == nil {
		t.Error("a folder is opened")
	}
	for _, s := range []string{"", "caller", "caller=", "x=y", "caller=a,caller=b"} {
		if m, err := ParseMap(s); err == nil {
			t.Errorf("ParseMap(%q) = %v", s, m)
		}
	}
}

func TestNDJSON(t *testing.T) {
	good := `{"kind":"text","subscriber":"020 7946 0958","direction":"in","started_at":"2026-01-31T09:00:00Z","source":"phone","repeat":%d}` + "\n"
	text := fmt.Sprintf(good, 0) + "{\n" + fmt.Sprintf(good, 1) + `{"kind":"text","subscriber":"A","direction":"in","started_at":1,"duration_s":3}` + "\n" +
		`{"x":1}` + "\n" + strings.Repeat("y", 70000) + "\n\n[]\n" + fmt.Sprintf(good, 2)
	same(t, read(t, text, FileOptions{Format: "ndjson", Region: "GB"}), `
16a57def {"direction":"in","occurred_at":1769850000000,"subject":"+442079460958","type":"TextReported","zone_unknown":true}
line 2: is not valid JSON at byte 1
7914d495 {"direction":"in","occurred_at":1769850000000,"repeat":1,"subject":"+442079460958","type":"TextReported","zone_unknown":true}
line 4: duration_s: must not be given for a text
line 5: x: unknown field
line 6: is longer than 65536 bytes
line 8: must be a JSON object
fff85fad {"direction":"in","occurred_at":1769850000000,"repeat":2,"subject":"+442079460958","type":"TextReported","zone_unknown":true}
{Rows:8 Events:3 Rejected:5 OneSided:0 Repeats:0 Duplicates:0 Untracked:0}
`)
}

// Standard input and pipes are spooled, and nothing of them is left behind.
func TestPipeIsSpooled(t *testing.T) {
	dir := t.TempDir()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin := os.Stdin
	os.Stdin = r
	defer func() { os.Stdin = stdin }()
	go func() {
		_, _ = io.WriteString(w, `{"kind":"text","subscriber":"A","direction":"in","started_at":1}`)
		_ = w.Close()
	}()
	f, err := newIntake(t).Open("-", FileOptions{Format: "ndjson", TempDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	e, reject, err := f.Next()
	if err != nil || reject != nil || e.Envelope().Source != "import:68d365c9aeceea80" {
		t.Errorf("%+v, %v, %v", e, reject, err)
	}
	if _, _, err := f.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWallTime(t *testing.T) {
	for _, c := range []struct{ zone, wall, want string }{
		{"Europe/Berlin", "2025-10-26 02:30:00", "2025-10-26T02:30:00+02:00"}, // twice: the first
		{"Europe/Berlin", "2025-10-26 03:00:00", "2025-10-26T03:00:00+01:00"},
		{"Europe/Berlin", "2025-03-30 02:30:00", "2025-03-30T03:30:00+02:00"}, // never
		{"Europe/Berlin", "2025-03-30 03:00:00", "2025-03-30T03:00:00+02:00"},
		{"Australia/Lord_Howe", "2025-04-06 01:45:00", "2025-04-06T01:45:00+11:00"},
		{"Asia/Kathmandu", "2025-04-06 01:45:00", "2025-04-06T01:45:00+05:45"},
		{"America/St_Johns", "2025-01-06 01:45:00", "2025-01-06T01:45:00-03:30"},
		{"Pacific/Apia", "2011-12-30 12:00:00", "2011-12-31T12:00:00+14:00"}, // the day that was skipped
	} {
		l, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		wall, _ := time.Parse(time.DateTime, c.wall)
		at, offset := wallTime(wall, l)
		if got := at.In(time.FixedZone("", offset)).Format(time.RFC3339); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.zone, c.wall, got, c.want)
		}
	}
}

// Whatever the bytes are, reading ends, and each line is a row, a reject or empty.
func FuzzCSV(f *testing.F) {
	row := "call,in,A,2014-08-20 20:30:37,137,1\n"
	for _, s := range []string{row, "\"", "\"\"\"", row + "text,in,\"A\n\nB\",2014-08-20 20:30:37,,\n" + row, "\r\r\n,", "\"a\"b\n\"\n\"\n", "\xff\xfe", "\uFEFF" + row} {
		f.Add(s)
	}
	in := newIntake(f)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := in.Open(write(t, bandicootHeader+text+"\n"+row), FileOptions{Format: "bandicoot", Subscriber: "me"})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		last := 1
		var rows int
		for {
			e, reject, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			rows++
			if reject != nil {
				if reject.Line <= last || strings.ContainsAny(reject.Reason, "\n\r") {
					t.Fatalf("reject %q after line %d", reject, last)
				}
				last = reject.Line
			} else if err := event.Validate(e); err != nil {
				t.Fatal(err)
			}
		}
		if s := r.Stats(); s.Rows != int64(rows) || s.Rows != s.Events+s.Rejected || rows > strings.Count(text, "\n")+2 {
			t.Fatalf("%d rows, %+v", rows, s)
		}
	})
}
