package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"switchboard/config"
	"switchboard/internal/event"
	"switchboard/internal/kafkalog"
	"switchboard/topology"
)

// kafkaOptions say how to reach the brokers, as configured.
func kafkaOptions(cfg *config.Config, log *slog.Logger, dial Dialer) (kafkalog.Options, error) {
	secure, err := tlsDialer("kafka.tls", cfg.Kafka.TLS, log)
	if err != nil {
		return kafkalog.Options{}, err
	}
	if dial == nil {
		dial = secure
	}
	return kafkalog.Options{
		Brokers: cfg.Kafka.Brokers, ClientID: cfg.Kafka.ClientID, Dial: dial, Logger: log,
		SASL: kafkalog.SASL{Mechanism: cfg.Kafka.SASL.Mechanism, Username: cfg.Kafka.SASL.Username, Password: cfg.Kafka.SASL.Password.Reveal()},
	}, nil
}

// connectTimeout is how long a role waits for its servers when it starts.
const connectTimeout = 15 * time.Second

// checkTopology refuses to start on topics that are not what they should be; the error is a readable diff.
func checkTopology(ctx context.Context, cfg *config.Config, o kafkalog.Options, want topology.Topology) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	diff, err := planTopology(ctx, cfg, o, want)
	if err != nil {
		return err
	}
	if err := diff.Err(); err != nil {
		return fmt.Errorf("%w\nrun `switchboard topology plan` to see this again, `switchboard topology apply` for what can be changed", err)
	}
	return nil
}

// topicID is the identity of a topic, for tokens.
func topicID(ctx context.Context, o kafkalog.Options, topic string) (event.TopicID, error) {
	log, err := kafkalog.NewLog(o)
	if err != nil {
		return event.TopicID{}, err
	}
	defer log.Close()
	state, err := log.Observe(ctx, event.Partition{Topic: topic}, -1)
	return state.TopicID, err
}

// planTopology compares a cluster with the topology.
func planTopology(ctx context.Context, cfg *config.Config, o kafkalog.Options, want topology.Topology) (topology.Diff, error) {
	admin, err := kafkalog.NewAdmin(o)
	if err != nil {
		return topology.Diff{}, err
	}
	defer admin.Close()
	if err := admin.Reach(ctx); err != nil {
		return topology.Diff{}, err
	}
	var names []string
	for _, t := range want.Topics {
		names = append(names, t.Name)
	}
	actual, err := admin.Topics(ctx, names...)
	if err != nil {
		return topology.Diff{}, err
	}
	var unchecked []string
	if cfg.Kafka.Kind == config.KafkaEmbedded {
		unchecked = topology.EmbeddedIgnores
	}
	return topology.Plan(want, actual, unchecked...), nil
}

// PlanTopology is what separates the cluster from the topology.
func PlanTopology(ctx context.Context, cfg *config.Config, log *slog.Logger) (topology.Diff, error) {
	want, options, err := topologyAndOptions(cfg, log)
	if err != nil {
		return topology.Diff{}, err
	}
	return planTopology(ctx, cfg, options, want)
}

// ApplyTopology carries out what PlanTopology found and may be changed, telling done of each step. What is refused stays refused in
// the diff that it returns.
func ApplyTopology(ctx context.Context, cfg *config.Config, log *slog.Logger, done func(topology.Step)) (topology.Diff, error) {
	want, options, err := topologyAndOptions(cfg, log)
	if err != nil {
		return topology.Diff{}, err
	}
	diff, err := planTopology(ctx, cfg, options, want)
	if err != nil {
		return diff, err
	}
	admin, err := kafkalog.NewAdmin(options)
	if err != nil {
		return diff, err
	}
	defer admin.Close()
	if err := admin.Apply(ctx, diff, done); err != nil {
		return diff, err
	}
	// Brokers learn new settings one by one, and any of them may be asked.
	for deadline := time.Now().Add(settleFor); ; sleep(ctx, 100*time.Millisecond) {
		diff, err = planTopology(ctx, cfg, options, want)
		if err != nil || len(diff.Steps) == 0 || time.Now().After(deadline) || ctx.Err() != nil {
			return diff, err
		}
	}
}

// settleFor bounds how long a cluster may go on saying what was true before.
const settleFor = 10 * time.Second

func topologyAndOptions(cfg *config.Config, log *slog.Logger) (topology.Topology, kafkalog.Options, error) {
	want, err := LoadTopology(cfg)
	if err != nil {
		return topology.Topology{}, kafkalog.Options{}, err
	}
	options, err := kafkaOptions(cfg, log, nil)
	return want, options, err
}
