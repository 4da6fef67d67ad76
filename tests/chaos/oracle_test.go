package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"switchboard/config"
	"switchboard/internal/app"
	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/indicator"
	"switchboard/internal/intake"
	"switchboard/tests/site"
)

// oracles are subscribers whose figures bandicoot has computed.
var oracles = []struct {
	name, file, figures, within string
	offsetS                     int32
}{
	{"sample", "bandicoot_sample_user.csv", "bandicoot_sample_user_expected.json", "sample_user", 0},
	{"east", "oracle2/east.csv", "oracle2/expected/east.json", "indicators", 19800},
	{"west", "oracle2/west.csv", "oracle2/expected/west.json", "indicators", -12600},
	{"nepal", "oracle2/nepal.csv", "oracle2/expected/nepal.json", "indicators", 20700},
	{"year_end", "oracle2/year_end.csv", "oracle2/expected/year_end.json", "indicators", 34200},
}

const (
	data = "../data"
	// figures are how many there are to compare.
	figures = 5 * 713
)

func oracleSubject(name string) event.Subject { return event.Subject("oracle-" + name) }

// importOracles imports each file, again and again until it is in, and then once more; in between, everything goes on.
func (r *run) importOracles(ctx context.Context) error {
	in, err := intake.New(intake.Options{})
	if err != nil {
		return err
	}
	for range 2 {
		for _, o := range oracles {
			path, err := filepath.Abs(filepath.Join(data, o.file))
			if err != nil {
				return err
			}
			ids, err := idsOf(in, path, intake.FileOptions{Format: "bandicoot", Subscriber: string(oracleSubject(o.name)), UTCOffsetS: &o.offsetS})
			if err != nil {
				return err
			}
			r.ledger.Sends(ids...)
			for {
				_, err := r.Try(ctx, "import", path, "--format", "bandicoot", "--subscriber", string(oracleSubject(o.name)), "--utc-offset", fmt.Sprint(o.offsetS),
					"--quiet", "--rejects", filepath.Join(r.Logs, "rejects"))
				if err == nil {
					break
				}
				if ctx.Err() != nil {
					return err
				}
				r.says("import of %s: %v", o.name, err)
				time.Sleep(time.Second) // as a person would
			}
			r.ledger.Acknowledged("oracle", ids...)
		}
	}
	return nil
}

func idsOf(in *intake.Intake, path string, o intake.FileOptions) (ids []event.ID, err error) {
	file, err := in.Open(path, o)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for {
		e, reject, err := file.Next()
		switch {
		case errors.Is(err, io.EOF):
			return ids, nil
		case err != nil:
			return nil, err
		case reject != nil:
			return nil, fmt.Errorf("%s: %v", path, reject)
		}
		ids = append(ids, e.Envelope().ID)
	}
}

// oraclesHold compares what the console says of them with bandicoot's figures, to 1e-9.
func (r *run) oraclesHold() {
	r.Helper()
	cfg, err := config.Load(config.Options{Roles: []config.Role{config.RoleQuery}, Environ: r.Environ()})
	if err != nil {
		r.Fatal(err)
	}
	answers, end, err := app.OpenConsole(r.Context(), cfg)
	if err != nil {
		r.Fatal(err)
	}
	defer end()
	compared := 0
	for _, o := range oracles {
		text, err := os.ReadFile(filepath.Join(data, o.figures))
		if err != nil {
			r.Fatal(err)
		}
		var file map[string]json.RawMessage
		var flat map[string]json.RawMessage
		r.must(json.Unmarshal(text, &file))
		r.must(json.Unmarshal(file[o.within], &flat))
		want := map[string]*float64{}
		for key, raw := range flat {
			if !indicator.Comparable(key) {
				continue
			}
			var v *float64
			r.must(json.Unmarshal(raw, &v))
			want[key] = v
		}
		got, err := answers.Indicators(r.Context(), console.Query{Subject: oracleSubject(o.name)})
		if err != nil {
			r.Errorf("indicators of %s: %v", o.name, err)
			continue
		}
		differences, n := got.Indicators.Table.Differences(want)
		for _, d := range differences {
			r.Errorf("%s: %s", o.name, d)
		}
		compared += n
	}
	if compared != figures {
		r.Errorf("%d figures of the oracles were compared, want %d", compared, figures)
	}
}

// deadLettersHold: nobody sends anything bad, so there is no letter.
func deadLettersHold(s *site.Site) {
	s.Helper()
	if out := s.CLI("dead-letters", "list", "--format", "json"); len(out) > 3 {
		s.Errorf("dead letters: %.1000s", out)
	}
}
