package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"switchboard/topology"
)

// EmbeddedOptions configure the broker in this process.
type EmbeddedOptions struct {
	Listen   string            // host:port; port 0, or nothing, takes a free one of 127.0.0.1
	DataDir  string            // where the log is kept; empty: in memory
	Topology topology.Topology // whose topics are made if they are not there
	Logger   *slog.Logger
}

// Embedded is franz-go's broker (kfake) in this process: for trying and for tests. It has no replicas, and ignores the settings
// that topology.EmbeddedIgnores lists.
type Embedded struct {
	cluster *kfake.Cluster
	addr    string
}

// StartEmbedded starts a broker and makes its topics. With a DataDir it goes on where an earlier one ended.
func StartEmbedded(ctx context.Context, o EmbeddedOptions) (*Embedded, error) {
	listen := o.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, fmt.Errorf("embedded kafka: listen on %q: %w", listen, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("embedded kafka: %q is not an address of this machine alone; the embedded broker asks nobody who he is", listen)
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.ClusterID("switchboard-embedded"), kfake.GroupMinSessionTimeout(100 * time.Millisecond),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, listen) }),
	}
	if o.DataDir != "" {
		if err := os.MkdirAll(o.DataDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("embedded kafka: %w", err)
		}
		opts = append(opts, kfake.DataDir(o.DataDir))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("embedded kafka at %s: %w", listen, err)
	}
	e := &Embedded{cluster: cluster, addr: strings.Join(cluster.ListenAddrs(), ",")}
	if err := e.makeTopics(ctx, o); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Embedded) makeTopics(ctx context.Context, o EmbeddedOptions) error {
	admin, err := NewAdmin(Options{Brokers: []string{e.addr}, Logger: o.Logger})
	if err != nil {
		return err
	}
	defer admin.Close()
	names := make([]string, len(o.Topology.Topics))
	for i, t := range o.Topology.Topics {
		names[i] = t.Name
	}
	actual, err := admin.Topics(ctx, names...)
	if err != nil {
		return err
	}
	return admin.Apply(ctx, topology.Plan(o.Topology, actual, topology.EmbeddedIgnores...), nil)
}

// Addr is host:port of the broker.
func (e *Embedded) Addr() string { return e.addr }

// Close stops the broker. What a DataDir holds is complete then.
func (e *Embedded) Close() { e.cluster.Close() }
