package oracle

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/tests/backend"
	"switchboard/tests/reference"
)

// compacting is a topic that a real broker cleans within seconds. In the topology, so that the roles find what they expect.
var compacting = []string{
	fmt.Sprint("partitions: ", partitions), "segment: 1s", "min_compaction_lag: 1ms", "max_compaction_lag: 1s", `settings: {min.cleanable.dirty.ratio: "0.001"}`,
}

// TestCompacted sends every fact twice, by two doors, waits until a real broker has removed every first copy, and folds what is left.
//
//fault:k8 the first copy of every fact compacted away by a broker, then folded from the start
//fault:k10 the holes that compaction leaves
//fault:k14 every fact sent twice, by two doors
func TestCompacted(t *testing.T) {
	t.Parallel() // it waits for the broker most of the time
	facts, truths := everything(t)
	b := backend.Real(t)
	o := &oracle{b: b, facts: facts, truths: truths, want: pinnedHash(t)}
	in := install(t, b, compacting...)
	p := in.process()
	o.importAll(in, inputs())
	firstEnd := maps.Clone(in.upTo.Next)
	in.importFacts(disorder(3, facts))
	in.wait()
	o.check(t, in)

	nudges := 0
	var nudge []event.Event // a fact of each partition, known long since: a broker closes a segment when the next record comes
	for _, part := range reference.Parted(facts, partitions) {
		nudge = append(nudge, part[0])
	}
	var left logContent
	last := time.Now()
	in.await("compaction", func() bool {
		left = in.content(firstEnd)
		if left.firstCopies > 0 && time.Since(last) > time.Second {
			in.importFacts(nudge)
			nudges, last = nudges+1, time.Now()
		}
		return left.firstCopies == 0
	})
	if left.records >= left.appended || len(left.ids) != distinct(facts) {
		t.Errorf("%d of %d records left, with %d facts, want fewer, with %d", left.records, left.appended, len(left.ids), distinct(facts))
	}
	t.Logf("%d records appended (%d nudges), %d left of %d facts, none of the first copies", left.appended, nudges, left.records, len(left.ids))
	in.wait()
	o.check(t, in)
	p.stop()
	o.replaced(t, in)
}

func distinct(list []event.Event) int {
	ids := map[event.ID]bool{}
	for _, e := range list {
		ids[e.Envelope().ID] = true
	}
	return len(ids)
}

// logContent is what a topic holds.
type logContent struct {
	appended, records, firstCopies int64
	ids                            map[string]bool
}

func (in *installation) content(firstEnd map[int32]int64) logContent {
	in.Helper()
	c := logContent{ids: map[string]bool{}}
	log := in.kafka()
	defer log.Close()
	ends, err := log.HighWatermarks(in.Context(), in.topic())
	if err != nil {
		in.Fatal(err)
	}
	for p, end := range ends {
		c.appended += end
		err := log.ReadRange(in.Context(), p, 0, end, func(raw pipeline.Raw) error {
			c.records++
			c.ids[string(raw.Key)] = true
			if raw.Offset < firstEnd[p.Number] {
				c.firstCopies++
			}
			return nil
		})
		if err != nil {
			in.Fatal(err)
		}
	}
	return c
}
