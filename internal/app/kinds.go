package app

import (
	"switchboard/config"
	"switchboard/internal/event"
	"switchboard/internal/view"
	"switchboard/topology"
)

// folded is the kinds of subjects that are folded, by processors into read models and by snapshotters into snapshots, each with its topic
// and read models.
type folded []struct {
	topic topology.Topic
	views view.Set
}

// foldedKinds are subscribers and, unless processor.views leaves them out, devices.
func foldedKinds(cfg *config.Config, top topology.Topology) (folded, error) {
	abouts := []event.SubjectKind{event.Subscribers}
	if cfg.Processor.FoldsDevices() {
		abouts = append(abouts, event.Devices)
	}
	list := make(folded, len(abouts))
	for i, about := range abouts {
		var err error
		if list[i].topic, err = factsTopic(top, about); err != nil {
			return nil, err
		}
		if list[i].views, err = view.SetFor(about, cfg.Processor.Views); err != nil {
			return nil, &config.Error{Key: "processor.views", Problem: err.Error()}
		}
	}
	return list, nil
}

// readBy is those whose topic a consumer group reads.
func (f folded) readBy(top topology.Topology, group string) folded {
	var list folded
	for _, t := range top.ReadBy(group) {
		for _, k := range f {
			if k.topic.Name == t.Name {
				list = append(list, k)
			}
		}
	}
	return list
}

func (f folded) topics() []string {
	var names []string
	for _, k := range f {
		names = append(names, k.topic.Name)
	}
	return names
}

func (f folded) views(topic string) view.Set {
	for _, k := range f {
		if k.topic.Name == topic {
			return k.views
		}
	}
	return view.Set{} // of no topic that we asked for
}

// partitionsOf is how many partitions the topology gives a topic.
func (f folded) partitionsOf(topic string) int32 {
	for _, k := range f {
		if k.topic.Name == topic {
			return k.topic.Partitions
		}
	}
	return 0
}
