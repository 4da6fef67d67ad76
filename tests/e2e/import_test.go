package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/tests/backend"
)

const (
	bandicootFile = "interaction,direction,correspondent_id,datetime,call_duration,antenna_id\n" + // 1
		"call,in,+447700900002,2014-03-02 07:13:30,211,A1\n" +
		"call,in,+447700900002,2014-03-02 07:13:30 PM,211,A1\n" + // 3
		"call,sideways,+447700900002,2014-03-02 07:13:31,211,A1\n" +
		"call,in,+447700900002,2014-03-02 07:13:32,,A1\n" + // 5
		"call,in,+447700900002,2014-03-02 07:13:33,-1,A1\n" +
		"call,in,+447700900002,2014-03-02 07:13:34,1.5,A1\n" + // 7
		"fax,in,+447700900002,2014-03-02 07:13:35,1,A1\n" +
		"call,in,+447700900002,2014-03-02 07:13:36,1\n" + // 9
		"call,in,\"+447700900002\"x,2014-03-02 07:13:37,1,A1\n" +
		"call,in,+447700900002,2999-03-02 07:13:38,1,A1\n" + // 11
		"call,in,+447700900002,2014-02-30 07:13:39,1,A1\n" +
		"call,in,LONG,2014-03-02 07:13:40,1,A1\n" + // 13
		"call,in,\xff\xfe,2014-03-02 07:13:41,1,A1\n" +
		"call,in,+447700900002,2014-03-02 07:13:42,604801,A1\n" + // 15
		"text,out,+447700900003,2014-03-02 08:00:00,,\n" +
		"text,out,+447700900003,2014-03-02 08:00:00,,\n" + // 17: two texts in one second
		"\n" +
		"text,out,\"+4477009\n00003\",2014-03-02 09:00:00,,\n" + // 19, 20: a number on two lines
		"call,out,\"never closed,2014-03-02 09:00:01,1,A1\n" + // 21
		"call,out,+447700900003,2014-03-02 09:00:02,5,A1\n"

	cdrFile = "A;B;When;Seconds;What;Cell\n" + // 1
		"+447700900011;+447700900012;2014-03-02 07:13:30;10;voice;c1\n" +
		"+447700900011;+447700900012;02.03.2014;10;voice;c1\n" + // 3
		"+447700900011;+447700900012;2014-03-02 07:13:31;ten;voice;c1\n" +
		"+447700900011;+447700900012;2014-03-02 07:13:32;10;telex;c1\n" + // 5
		";;2014-03-02 07:13:33;10;voice;c1\n" +
		"+447700900011;;2014-03-02 07:13:34;10;voice;c1\n" + // 7: one side only, and good
		"+447700900011;+447700900012;2014-03-02 07:13:35;10;voice\n" +
		"+447700900011;+447700900012;2014-03-02 07:13:36;-3;voice;c1\n" + // 9
		"+447700900011;+447700900012;2014-03-02 07:13:37;;sms;c1\n"

	ndjsonFile = `{"kind":"call","subscriber":"+447700900021","direction":"in","started_at":"2014-03-02T07:13:30Z","duration_s":3}` + "\n" + // 1
		`{"kind":"call","subscriber":"+447700900021","direction":"in"` + "\n" +
		`["kind"]` + "\n" + // 3
		`{"kind":"call","subscriber":"+447700900021","direction":"in","started_at":"yesterday"}` + "\n" +
		`{"kind":"text","subscriber":"+447700900021","direction":"in","started_at":1393744410000,"duration_s":3}` + "\n" + // 5
		`{"kind":"call","subscriber":"","direction":"in","started_at":1393744410000}` + "\n" +
		`{"kind":"call","subscriber":"+447700900021","direction":"in","started_at":1393744410000,"withheld":true,"counterpart":"+447700900022"}` + "\n" + // 7
		`{"kind":"call","subscriber":"+447700900021","direction":"in","started_at":1393744410000,"seconds":3}` + "\n" +
		`{"kind":"call","subscriber":"+447700900021","direction":"in","started_at":1393744410000,"amends":"7","revision":1}` + "\n" + // 9
		`{"kind":"call","subscriber":"+447700900021","direction":"in","started_at":1393744410000,"zone":"Europe/Atlantis"}` + "\n" +
		`{"kind":"call","subscriber":"LONG","direction":"in","started_at":1393744410000}` + "\n" + // 11
		"\n" +
		`{"kind":"text","subscriber":"+447700900021","direction":"out","started_at":1393744411000,"counterpart":"12345"}` // 13, without a line end
)

type importCase struct {
	name, file string
	args       []string
	rows       int
	facts      int
	rejects    []string // line: reason, as expressions
}

var importCases = []importCase{
	{"bandicoot", bandicootFile, []string{"--format", "bandicoot", "--subscriber", "+447700900001", "--zone", "Europe/London"}, 19, 4, []string{
		"3: datetime: must have the form", "4: direction: must be in or out", "5: call_duration: must be a whole number", "6: call_duration: must be >= 0",
		"7: call_duration: must be a whole number", "8: interaction: must be call or text", "9: has 5 fields, the header has 6", "10: something follows a quoted field",
		"11: datetime: must not be more than 5 minutes in the future", "12: datetime: must have the form", "13: is longer than 65536 bytes", "14: correspondent_id: must be UTF-8",
		"15: call_duration: must be <= 604800", "19: correspondent_id: must not contain control characters", "21: a quoted field is not closed",
	}},
	{"cdr", cdrFile, []string{"--format", "cdr", "--map", "caller=A,callee=B,time=When,duration=Seconds,kind=What,antenna=Cell", "--time-layout", "2006-01-02 15:04:05", "--sides", "both", "--utc-offset", "3600"}, 9, 5, []string{
		"3: When: must have the form", "4: Seconds: must be a whole number", "5: What: must be call, voice, text", "6: A: is required", "8: has 5 fields", "9: Seconds: must be >= 0",
	}},
	{"ndjson", ndjsonFile, []string{"--format", "ndjson"}, 12, 2, []string{
		"2: is not valid JSON", "3: must be a JSON object", "4: started_at", "5: duration_s: must not be given for a text", "6: subscriber: is required", "7: counterpart: must not be given when withheld",
		"8: seconds: unknown field", "9: amends: must be the event id", "10: zone", "11: is longer than 65536 bytes",
	}},
}

// TestImport imports files of each format with every kind of bad row, twice: the bad ones are listed with their places and reasons,
// the good ones are visible when --wait returns, and the second time changes nothing.
func TestImport(t *testing.T) {
	t.Parallel()
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		s := builtSite(t, b)
		dir := t.TempDir()
		in := func(env []string, args ...string) ran {
			return runIn(t, dir, env, nil, "switchboard", append([]string{"import", "--output", "json"}, args...)...)
		}
		for _, c := range importCases {
			text := strings.Replace(c.file, "LONG", strings.Repeat("x", 70_000), 1)
			if err := os.WriteFile(filepath.Join(dir, c.name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		// Nobody folds yet: the facts are in, and --wait says who lags.
		got := in(s.Env, append(importCases[2].args, importCases[2].name, "--wait=300ms")...).wants(t, 1, "is not served of", "is a processor running?")
		if !regexp.MustCompile(regexp.QuoteMeta(s.Reports) + `/[0-3] is not served of \d+`).MatchString(got.err) {
			t.Errorf("no partition is named: %s", got.err)
		}
		start(t, s.Env, "processor")
		totals := 0
		var hash string
		for round := range 2 {
			for _, c := range importCases {
				got := in(s.Env, append(slices.Clone(c.args), c.name, "--wait")...).wants(t, 0)
				var answer struct {
					Rows, Events, Appended, Rejected, Repeats, Duplicates int
					OneSided                                              int `json:"one_sided"`
					Rejects, Token, Source                                string
				}
				if err := json.Unmarshal([]byte(got.out), &answer); err != nil {
					t.Fatalf("%v: %s", err, got.out)
				}
				if answer.Rows != c.rows || answer.Appended != c.facts || answer.Rejected != len(c.rejects) || answer.Rejects != c.name+".rejects" || !strings.HasPrefix(answer.Source, "import:") {
					t.Errorf("%s: %+v; want %d rows, %d facts, %d rejects", c.name, answer, c.rows, c.facts, len(c.rejects))
				}
				listed, err := os.ReadFile(filepath.Join(dir, c.name+".rejects"))
				if err != nil {
					t.Fatal(err)
				}
				lines := strings.Split(strings.TrimSpace(string(listed)), "\n")
				for i, want := range c.rejects {
					if i >= len(lines) || !strings.HasPrefix(lines[i], c.name+":"+want) {
						t.Errorf("%s: reject %d is not %q in\n%s", c.name, i, want, listed)
						break
					}
				}
				if len(lines) != len(c.rejects) || strings.Contains(string(listed), "77009") {
					t.Errorf("%s: %d rejects, want %d, without numbers:\n%s", c.name, len(lines), len(c.rejects), listed)
				}
				if round == 0 {
					totals += c.facts
				}
				// Visible when it returns, without waiting again.
				if got := s.cli("query", "totals", "--format", "json").wants(t, 0); round == 1 || c.name == "ndjson" {
					var answer map[string]any
					if err := json.Unmarshal([]byte(got.out), &answer); err != nil || int(number(answer, "reports")) != totals {
						t.Errorf("totals %s (%v), want %d reports", got.out, err, totals)
					}
				}
			}
			s.folded()
			out := s.cli("verify", "hash").wants(t, 0).out
			found := regexp.MustCompile(`[0-9a-f]{64}`).FindString(out)
			if found == "" || round == 1 && found != hash {
				t.Errorf("hash %q after round %d, before %q: %s", found, round, hash, out)
			}
			hash = found
		}
		if n := len(s.deadLetters()); n != 0 {
			t.Errorf("%d dead letters: a rejected row is none", n)
		}
	})
}

// TestImportRefuses: what is wrong with the command, the file or the servers, and the exit code of each.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	s := builtSite(t, backend.Embedded(t))
	dir := t.TempDir()
	file := func(name, text string) string {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good := file("good.ndjson", marshal(call("+447700900001", "", 1))+"\n")
	stale := filepath.Join(dir, file("good.ndjson.rejects", "good.ndjson:1: of an earlier import\n"))
	runIn(t, dir, s.Env, nil, "switchboard", "import", good).wants(t, 0, "1 facts appended")
	if _, err := os.Stat(stale); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the rejects of an earlier import: %v", err)
	}
	for _, c := range []struct {
		args  []string
		stdin string
		env   []string
		code  int
		says  string
	}{
		{args: nil, code: 2, says: "want one FILE"},
		{args: []string{good, good}, code: 2, says: "want one FILE"},
		{args: []string{good, "--format", "xml"}, code: 2, says: "want bandicoot, cdr, ndjson or device-ndjson"},
		{args: []string{good, "--output", "xml"}, code: 2, says: "--output"},
		{args: []string{good, "--sides", "both"}, code: 2, says: "format ndjson"},
		{args: []string{good, "--map", "caller"}, code: 2, says: "--map"},
		{args: []string{good, "--comma", ";;"}, code: 2, says: "--comma"},
		{args: []string{good, "--wait=soon"}, code: 2, says: "wait"},
		{args: []string{good, "--region", "XX"}, code: 2, says: "region: must be"},
		{args: []string{good, "--format", "bandicoot"}, code: 2, says: "subscriber: is required"},
		{args: []string{good, "--format", "cdr", "--sides", "all"}, code: 2, says: "sides: want both or caller"},
		{args: []string{good, "--format", "bandicoot", "--subscriber", "x", "--zone", "Europe/Atlantis"}, code: 2, says: "zone: must be"},
		{args: []string{"none.csv"}, code: 1, says: "none.csv"},
		{args: []string{"."}, code: 1, says: "is a folder"},
		{args: []string{file("empty.csv", ""), "--format", "bandicoot", "--subscriber", "x"}, code: 1, says: "the file is empty"},
		{args: []string{file("headless.csv", "call,in,+447700900002,2014-03-02 07:13:30,211\n"), "--format", "bandicoot", "--subscriber", "x"}, code: 1, says: "the header has no column"},
		{args: []string{file("packed.gz", string(gzipped("x")))}, code: 1, says: "is compressed with gzip"},
		{args: []string{file("nothing.ndjson", "")}, code: 0, says: "0 facts appended"},
		{args: []string{good, "--rejects", good}, code: 1, says: "is the file that is imported"},
		{args: []string{good, "--rejects", "no/such/folder"}, code: 0, says: "1 facts appended"},
		{args: []string{file("bad.ndjson", "{}\n"), "--rejects", "no/such/folder"}, code: 1, says: "file of rejected rows"},
		{args: []string{"-"}, stdin: marshal(call("+447700900001", "", 2)) + "\n{}\n", code: 0, says: "see stdin.rejects"},
		{args: []string{good}, env: []string{"SWITCHBOARD_KAFKA_BROKERS=127.0.0.1:1"}, code: 1, says: "no broker answers"},
		{args: []string{good, "--wait"}, env: []string{"SWITCHBOARD_REDIS_ADDRS=127.0.0.1:1"}, code: 1, says: "Redis"},
		{args: []string{good}, env: []string{"SWITCHBOARD_IMPORT_DEFAULT_REGION=XX"}, code: 2, says: "import.default_region"},
	} {
		t.Run(strings.Join(append(c.args, c.env...), " "), func(t *testing.T) {
			t.Parallel()
			got := runIn(t, dir, s.with(c.env...), []byte(c.stdin), "switchboard", append([]string{"import"}, c.args...)...).wants(t, c.code, c.says)
			if strings.Contains(got.out+got.err, "77009") {
				t.Errorf("a number is printed: %s%s", got.out, got.err)
			}
		})
	}
}

// TestImportIsConstantInMemory imports a large file: how much memory that takes does not depend on its size.
func TestImportIsConstantInMemory(t *testing.T) {
	t.Parallel()
	s := builtSite(t, backend.Real(t))
	small, large := int64(10<<20), int64(40<<20) // on two cores that others use, an import makes some MB a second
	if long {
		large = 300 << 20
	}
	var peaks []int64
	for _, size := range []int64{small, large} {
		path := filepath.Join(t.TempDir(), "big.ndjson")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		var line bytes.Buffer
		rows := 0
		for written := int64(0); written < size; rows++ {
			r := call(fmt.Sprintf("+4477009%05d", rows%100_000), fmt.Sprintf("+4477009%05d", rows*7%100_000), rows)
			r.Handset, r.SIM, r.NativeID = strings.Repeat("h", 250), strings.Repeat("s", 250), fmt.Sprint(rows)
			line.Reset()
			line.WriteString(marshal(r) + "\n")
			n, err := f.Write(line.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			written += int64(n)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		p := start(t, s.Env, "switchboard", "import", path)
		peaks = append(peaks, p.peak())
		said := p.log.String()
		if code := p.exit(time.Second); code != 0 || !strings.Contains(said, fmt.Sprintf("%d facts appended", rows)) || strings.Contains(said, "%") {
			t.Fatalf("exit code %d, of %d rows (and no progress bar without a terminal): %q", code, rows, said)
		}
		t.Logf("%d MiB in %d rows: %d MiB resident at most; %s", size>>20, rows, peaks[len(peaks)-1]>>20, strings.TrimSpace(said))
	}
	if most := int64(256 << 20); peaks[1] > most {
		t.Errorf("%d MiB resident", peaks[1]>>20)
	}
}

// TestImportInterrupted: an import that waits for a log which takes nothing ends when it is told to, and says what is in.
func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	b, broker := faulty(t)
	s := builtSite(t, b)
	file := filepath.Join(t.TempDir(), "reports.ndjson")
	if err := os.WriteFile(file, []byte(marshal(call("+447700900001", "", 1))+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fault := broker.Fault(noReplicas(s.Reports))
	interrupted := func(deadline string, signals int) (int, string) {
		p := start(t, s.with("SWITCHBOARD_SHUTDOWN_DRAIN_DEADLINE="+deadline), "switchboard", "import", file)
		eventually(t, "it has asked the log", func() string {
			if fault.Hits() == 0 {
				return "not yet"
			}
			return ""
		})
		for range signals {
			p.signal(syscall.SIGTERM)
			time.Sleep(200 * time.Millisecond) // two signals at once are one
		}
		return p.exit(10 * time.Second), p.log.String()
	}
	if code, said := interrupted("300ms", 1); code != 1 || !strings.Contains(said, "running the import again is safe") && !strings.Contains(said, "context canceled") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if code, said := interrupted("1m", 2); code != -1 {
		t.Errorf("told twice it ended with %d: %s", code, said)
	}
	fault.Remove()
	run(t, s.Env, "switchboard", "import", file).wants(t, 0, "1 facts appended")
}

// TestProgress: a bar on a terminal, and only there.
func TestProgress(t *testing.T) {
	t.Parallel()
	s := builtSite(t, backend.Embedded(t))
	file := filepath.Join(t.TempDir(), "reports.ndjson")
	var text strings.Builder
	for i := range 5_000 {
		text.WriteString(marshal(call("+447700900001", "+447700900002", i)) + "\n")
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	screen := onTerminal(t, s.Env, "switchboard", "import", file)
	if !strings.Contains(screen, "import") || !strings.Contains(screen, "%") || !strings.Contains(screen, "5000 rows: 5000 facts appended") {
		t.Errorf("on a terminal: %q", screen)
	}
	if screen := onTerminal(t, s.Env, "switchboard", "import", file, "--quiet"); strings.Contains(screen, "%") {
		t.Errorf("on a terminal that wants quiet: %q", screen)
	}
	if got := s.cli("import", file).wants(t, 0); got.err != "" || strings.Contains(got.out, "%") {
		t.Errorf("elsewhere: %q %q", got.out, got.err)
	}
}
