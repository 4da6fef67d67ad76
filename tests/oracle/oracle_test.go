package oracle

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/view"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
)

// TestHashOfTheFold folds everything in memory, by the pure packages alone: the hash that every run has to come to. GOLDEN=1 pins it anew.
func TestHashOfTheFold(t *testing.T) {
	list, _ := everything(t)
	hash := foldedHash(t, list, partitions)
	if os.Getenv("GOLDEN") == "1" {
		if err := os.WriteFile(pinned, []byte(hash.String()+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := pinnedHash(t); hash.String() != want {
		t.Errorf("the fold of %d facts has the hash %s, pinned is %s", len(list), hash, want)
	}
	if other := foldedHash(t, disorder(1, list), partitions); other != hash {
		t.Errorf("in another order, with duplicates, it is %s, want %s", other, hash)
	}
	t.Logf("%d facts, %d records, %s", len(list), hash.Records(), hash)
}

const pinned = "testdata/hash.golden"

func pinnedHash(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(pinned)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// foldedHash is the canonical hash of the fold of a list of facts.
func foldedHash(t *testing.T, list []event.Event, partitions int32) view.Hash {
	t.Helper()
	var sum view.Hash
	for _, part := range reference.Parted(list, partitions) {
		hash, err := reference.Hash(allViews(t), part)
		if err != nil {
			t.Fatal(err)
		}
		sum.Merge(hash)
	}
	return sum
}

func allViews(t *testing.T) view.Set {
	t.Helper()
	set, err := view.NewSet(view.Names())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// oracle is one backend, with what is known about everything.
type oracle struct {
	b      backend.Backend
	facts  []event.Event
	truths []*truth
	want   string // the hash
}

// TestOracle takes everything in, in many ways, and asks for the same answers and the same hash.
func TestOracle(t *testing.T) {
	facts, truths := everything(t)
	want := pinnedHash(t)
	backend.Each(t, func(t *testing.T, b backend.Backend) {
		o := &oracle{b: b, facts: facts, truths: truths, want: want}
		t.Run("files", o.files)
		t.Run("files the other way round", o.filesReversed)
		t.Run("http", o.http)
		for _, n := range []int{1, 7, 1000} {
			t.Run(fmt.Sprintf("shuffled with duplicates in batches of %d", n), func(t *testing.T) { o.batches(t, n) })
		}
	})
}

// files imports file after file while a processor folds, and the generated subjects.
func (o *oracle) files(t *testing.T) {
	in := install(t, o.b)
	in.process()
	o.importAll(in, inputs())
	in.wait()
	c := o.check(t, in)
	t.Log(c)
	for number, list := range reference.Parted(o.facts, partitions) { // field by field, once: it says where a hash differs
		rdb := in.redis()
		reference.Holds(t, rdb, reference.Serving(t.Context(), rdb, in.partition(int32(number))), allViews(t), list)
	}
	t.Run("again", func(t *testing.T) { // changes nothing
		o.importAll(in, inputs())
		in.wait()
		o.check(t, in)
	})
}

func (o *oracle) filesReversed(t *testing.T) {
	in := install(t, o.b)
	in.process()
	list := inputs()
	slices.Reverse(list)
	o.importAll(in, list)
	in.wait()
	o.check(t, in)
}

func (o *oracle) http(t *testing.T) {
	in := install(t, o.b)
	in.process()
	in.postFacts(o.facts)
	in.wait()
	o.check(t, in)
}

// batches lets a processor catch up in batches of exactly n events.
func (o *oracle) batches(t *testing.T, n int) {
	in := install(t, o.b)
	list := disorder(uint64(n), o.facts)
	in.importFacts(list)
	p := in.process(
		fmt.Sprint("SWITCHBOARD_PROCESSOR_BATCH_LIVE_EVENTS=", n), fmt.Sprint("SWITCHBOARD_PROCESSOR_BATCH_CATCHUP_EVENTS=", n), fmt.Sprint("SWITCHBOARD_PROCESSOR_BATCH_SUBJECT_EVENTS=", n),
	)
	in.wait()
	var events, batches int64
	for _, s := range p.Lanes() {
		events, batches = events+s.Events, batches+s.Batches
	}
	if least, most := int64(len(list)/n), int64(len(list)/n+20*partitions); events != int64(len(list)) || batches < least || batches > most {
		t.Errorf("%d of %d events in %d batches, want %d to %d", events, len(list), batches, least, most)
	}
	o.check(t, in)
}

func (o *oracle) importAll(in *installation, list []input) {
	in.Helper()
	n := 0
	for _, f := range list {
		n += in.importFile(f.path, f.options())
	}
	for _, truth := range o.truths {
		in.importFacts(truth.events)
		n += len(truth.events)
	}
	if n != len(o.facts) {
		in.Fatalf("%d facts imported, want %d", n, len(o.facts))
	}
}

// check holds hash and answers against what they must be.
func (o *oracle) check(t *testing.T, in *installation) *comparison {
	t.Helper()
	answers := in.console()
	hash, err := answers.Hash(t.Context(), console.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if hash.Hash != o.want || !hash.Comparable {
		t.Errorf("hash %s of %d records (comparable: %t), want %s", hash.Hash, hash.Records, hash.Comparable, o.want)
	}
	for _, part := range hash.AsOf {
		if part.Next < in.upTo.Next[partitionNumber(part.Partition)] || part.Ahead != 0 {
			t.Errorf("the hash is as of %s @ %d..%d, taken in was up to %d", part.Partition, part.Next, part.Ahead, in.upTo.Next[partitionNumber(part.Partition)])
		}
	}
	if len(hash.AsOf) != partitions {
		t.Errorf("the position vector has %d partitions, want %d", len(hash.AsOf), partitions)
	}
	return compareAll(t, answers, o.truths)
}

func partitionNumber(name string) int32 {
	p, err := event.ParsePartition(name)
	if err != nil {
		panic(err)
	}
	return p.Number
}
