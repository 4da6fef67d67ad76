package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/topology"
)

// Admin tells what topics a cluster has and makes what a topology asks for. It never deletes.
type Admin struct {
	o      Options
	client *kgo.Client
	admin  *kadm.Client
}

// NewAdmin is an Admin; it connects when it is first asked.
func NewAdmin(o Options) (*Admin, error) {
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	return &Admin{o: o, client: client, admin: kadm.NewClient(client)}, nil
}

// Close ends the connections.
func (a *Admin) Close() { a.client.Close() }

// Reach is nil if a broker answers within ctx.
func (a *Admin) Reach(ctx context.Context) error { return a.o.reach(ctx, a.client) }

// ClusterID asks a broker.
func (a *Admin) ClusterID(ctx context.Context) (string, error) {
	resp, err := metadata(ctx, a.client)
	if err != nil {
		return "", a.o.unreachable(err)
	}
	if resp.ClusterID == nil {
		return "", errors.New("the brokers have no cluster id")
	}
	return *resp.ClusterID, nil
}

// Topics is which of the named topics there are, in ascending order of names, with the settings in force. What is not there is left out.
func (a *Admin) Topics(ctx context.Context, names ...string) ([]topology.ActualTopic, error) {
	if len(names) == 0 {
		return nil, nil
	}
	resp, err := metadata(ctx, a.client, names...)
	if err != nil {
		return nil, a.o.unreachable(err)
	}
	found := make(map[string]*topology.ActualTopic)
	for _, t := range resp.Topics {
		err := kerr.ErrorForCode(t.ErrorCode)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("describe topic %s: %w", *t.Topic, err)
		}
		actual := &topology.ActualTopic{Name: *t.Topic, Partitions: int32(len(t.Partitions)), Settings: make(map[string]string)}
		for i, p := range t.Partitions {
			if n := int16(len(p.Replicas)); i == 0 || n < actual.Replication {
				actual.Replication = n
			}
		}
		found[actual.Name] = actual
	}
	if err := a.settings(ctx, found); err != nil {
		return nil, err
	}
	topics := make([]topology.ActualTopic, 0, len(found))
	for _, t := range found {
		topics = append(topics, *t)
	}
	slices.SortFunc(topics, func(x, y topology.ActualTopic) int { return strings.Compare(x.Name, y.Name) })
	return topics, nil
}

func (a *Admin) settings(ctx context.Context, topics map[string]*topology.ActualTopic) error {
	if len(topics) == 0 {
		return nil
	}
	names := make([]string, 0, len(topics))
	for name := range topics {
		names = append(names, name)
	}
	configs, err := a.admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return fmt.Errorf("describe the settings of topics: %w", err)
	}
	for _, c := range configs {
		if c.Err != nil {
			return fmt.Errorf("describe the settings of topic %s: %w", c.Name, c.Err)
		}
		for _, setting := range c.Configs {
			if setting.Value != nil {
				topics[c.Name].Settings[setting.Key] = *setting.Value
			}
		}
	}
	return nil
}

// Apply carries out the steps of a diff in order, and tells done of each. A topic that somebody else has created in the meantime is no
// error: plan again. What the diff refuses is left alone.
func (a *Admin) Apply(ctx context.Context, diff topology.Diff, done func(topology.Step)) error {
	for _, step := range diff.Steps {
		if err := a.step(ctx, step); err != nil {
			return fmt.Errorf("%s %s: %w", step.Op, step.Topic, err)
		}
		if done != nil {
			done(step)
		}
	}
	return nil
}

func (a *Admin) step(ctx context.Context, step topology.Step) error {
	switch step.Op {
	case topology.CreateTopic:
		settings := make(map[string]*string, len(step.Settings))
		for name, value := range step.Settings {
			settings[name] = &value
		}
		resp, err := a.admin.CreateTopics(ctx, step.Partitions, step.Replication, settings, step.Topic)
		if err != nil {
			return err
		}
		created, err := resp.On(step.Topic, nil)
		if err == nil {
			err = created.Err
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return withMessage(err, created.ErrMessage)
		}
		return a.awaitTopic(ctx, step.Topic)
	case topology.AlterSettings:
		changes := make([]kadm.AlterConfig, 0, len(step.Changes))
		for _, change := range step.Changes {
			changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: change.Name, Value: &change.To})
		}
		resp, err := a.admin.AlterTopicConfigs(ctx, changes, step.Topic)
		if err != nil {
			return err
		}
		for _, r := range resp {
			if r.Err != nil {
				return withMessage(r.Err, r.ErrMessage)
			}
		}
		return nil
	}
	return fmt.Errorf("%q is not an operation", step.Op)
}

// awaitTopic waits until every broker that answers knows a new topic with its leaders. Each learns it by itself: whoever asks another broker next, such
// as a role that starts, would be told that there is none.
func (a *Admin) awaitTopic(ctx context.Context, topic string) error {
	for try := 1; ; try++ {
		cluster, err := metadata(ctx, a.client, topic)
		if err != nil {
			return err
		}
		known := knows(cluster)
		for _, b := range cluster.Brokers {
			// One that does not answer is not waited for.
			resp, err := metadata(ctx, a.client.Broker(int(b.NodeID)), topic)
			known = known && (err != nil || knows(resp))
		}
		if known {
			return nil
		}
		if err := backOff(ctx, min(try, 10)); err != nil {
			return fmt.Errorf("it was created, and not every broker knows it yet: %w", err)
		}
	}
}

// knows tells whether an answer about one topic names its partitions and their leaders.
func knows(resp *kmsg.MetadataResponse) bool {
	t := &resp.Topics[0]
	return t.ErrorCode == 0 && len(t.Partitions) > 0 &&
		!slices.ContainsFunc(t.Partitions, func(p kmsg.MetadataResponseTopicPartition) bool { return p.ErrorCode != 0 })
}

func withMessage(err error, message string) error {
	if message == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, message)
}
