package tests

import (
	"slices"
	"testing"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/schemas"
	"switchboard/topology"
)

// TestEveryEventIsWired: an event without a schema, a fold case or a topic is not finished. (TestEveryEventHasAScenario is the
// fourth part.)
func TestEveryEventIsWired(t *testing.T) {
	var records []string
	for _, s := range schemas.All() {
		records = append(records, s.Record)
	}
	for _, env := range []string{"dev", "prod"} {
		top, err := topology.Load(env, records)
		if err != nil {
			t.Fatal(err)
		}
		abouts := map[string]event.SubjectKind{} // one topic, one kind of subjects
		for _, e := range event.Types() {
			if _, ok := schemas.Current(e.Type()); !ok {
				t.Errorf("%s has no current schema", e.Type())
			}
			if _, report := fold.TouchOf(e); !report && !fold.NewDevice(true).Fold(0, e) {
				t.Errorf("%s has no fold case", e.Type())
			}
			topic, ok := top.FactsOf(e.Type())
			if !ok {
				t.Errorf("%s: no facts topic of the topology of %s carries %s", env, env, e.Type())
			}
			if about, taken := abouts[topic.Name]; taken && about != e.About() {
				t.Errorf("%s: %s carries facts about %s and, with %s, about %s", env, topic.Name, about, e.Type(), e.About())
			}
			abouts[topic.Name] = e.About()
			if reads := top.ReadBy("switchboard-processor"); !slices.ContainsFunc(reads, func(t topology.Topic) bool { return t.Name == topic.Name }) {
				t.Errorf("%s: the processor does not read %s, which carries %s", env, topic.Name, e.Type())
			}
		}
		for _, f := range top.Flows {
			topic, ok := top.Topic(f.Topic)
			if !ok {
				t.Errorf("%s: the flow of %s has no topic", env, f.Topic)
			}
			for _, name := range f.Events {
				if topic.Kind == topology.Facts && !isEvent(name) {
					t.Errorf("%s: %s carries %s, which is no event", env, f.Topic, name)
				}
			}
			for _, group := range f.ReadBy {
				if _, ok := top.Group(group); !ok {
					t.Errorf("%s: the flow of %s is read by group %s, which does not exist", env, f.Topic, group)
				}
			}
		}
	}
}

func isEvent(name string) bool {
	for _, e := range event.Types() {
		if e.Type() == name {
			return true
		}
	}
	return false
}
