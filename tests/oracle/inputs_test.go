package oracle

import (
	"cmp"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"switchboard/internal/event"
	"switchboard/internal/intake"
)

const data = "../data"

// input is a file of one subscriber's reports in local time.
type input struct {
	name    string
	path    string
	subject event.Subject
	offsetS int32
}

func (f *input) options() intake.FileOptions {
	return intake.FileOptions{Format: "bandicoot", Subscriber: string(f.subject), UTCOffsetS: &f.offsetS}
}

// inputs are all files. Where the file does not say at which offset its clock stood, any will do, and ours are such that local weeks
// are not those of UTC.
func inputs() []input {
	list := []input{
		{"A", "bandicoot_manual_A.csv", "", 3 * 3600},
		{"B", "bandicoot_manual_B.csv", "", -9 * 3600},
		{"sample_user", "bandicoot_sample_user.csv", "", -7 * 3600},
		{"weekmatrix_X", "bandicoot_weekmatrix_X.csv", "", 5*3600 + 1800},
	}
	for name, offset := range map[string]int32{
		"east": 19800, "edges": 0, "equal": 3600, "nepal": 20700, "only_texted": 0, "pair": 0, "single": -34200, "some_only_texted": 7200,
		"ties": 0, "west": -12600, "year_end": 34200,
	} {
		list = append(list, input{name, filepath.Join("oracle2", name+".csv"), "", offset})
	}
	slices.SortFunc(list, func(a, b input) int { return cmp.Compare(a.name, b.name) })
	for i := range list {
		list[i].path, list[i].subject = filepath.Join(data, list[i].path), event.Subject("oracle-"+list[i].name)
	}
	return list
}

// facts are those of a file, as intake makes them.
func (f *input) facts(t *testing.T) []event.Event {
	t.Helper()
	in, err := intake.New(intake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := in.Open(f.path, f.options())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []event.Event
	for {
		e, reject, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return list
		case err != nil:
			t.Fatal(err)
		case reject != nil:
			t.Fatal(reject)
		}
		list = append(list, e)
	}
}

// amendedSubjects are generated, each by its own seed.
var amendedSubjects = []event.Subject{"oracle-amended-1", "oracle-amended-2", "oracle-amended-3"}

// everything is the facts of all files and of the generated subjects, whose hash is pinned.
func everything(t *testing.T) (list []event.Event, truths []*truth) {
	t.Helper()
	files := inputs()
	for i := range files {
		list = append(list, files[i].facts(t)...)
	}
	for i, subject := range amendedSubjects {
		truth := generate(uint64(i+1), subject, 150)
		truths = append(truths, truth)
		list = append(list, truth.events...)
	}
	return list, truths
}

// disorder shuffles facts and says 5 % of them again.
func disorder(seed uint64, list []event.Event) []event.Event {
	r := rand.New(rand.NewPCG(seed, 2))
	out := slices.Clone(list)
	for range len(list) / 20 {
		out = append(out, list[r.IntN(len(list))])
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
