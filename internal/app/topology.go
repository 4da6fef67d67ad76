package app

import (
	"fmt"

	"switchboard/config"
	"switchboard/internal/event"
	"switchboard/schemas"
	"switchboard/topology"
)

// LoadTopology is the topology of an installation: the built-in one, its overlays, and the prefix in front of every name.
func LoadTopology(cfg *config.Config) (topology.Topology, error) {
	var known []string
	for _, s := range schemas.All() {
		known = append(known, s.Record)
	}
	t, err := topology.Load(cfg.Env, known, cfg.Topology.Overlays...)
	if err != nil {
		return topology.Topology{}, fmt.Errorf("topology: %w", err)
	}
	return t.WithPrefix(cfg.Kafka.TopicPrefix), nil
}

// factsTopic is the topic of the facts about a kind of subjects.
func factsTopic(t topology.Topology, about event.SubjectKind) (topology.Topic, error) {
	var found topology.Topic
	for _, e := range event.Types() {
		if e.About() != about {
			continue
		}
		topic, ok := t.FactsOf(e.Type())
		if !ok {
			return topic, fmt.Errorf("topology: no facts topic carries %s", e.Type())
		}
		if found.Name != "" && found.Name != topic.Name {
			return topic, fmt.Errorf("topology: facts about %s are in %s and in %s: want one topic", about, found.Name, topic.Name)
		}
		found = topic
	}
	return found, nil
}

// lettersTopic is the topic of the dead letters.
func lettersTopic(t topology.Topology) (topology.Topic, error) {
	topics := t.OfKind(topology.DeadLetters)
	if len(topics) != 1 {
		return topology.Topic{}, fmt.Errorf("topology: want one topic of kind %s, there are %d", topology.DeadLetters, len(topics))
	}
	return topics[0], nil
}
