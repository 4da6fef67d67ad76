package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Options say how to reach the brokers.
type Options struct {
	Brokers  []string // host:port, to ask first
	ClientID string   // how we name ourselves; empty: switchboard
	SASL     SASL
	Logger   *slog.Logger // nil: nothing is logged
	// Dial replaces the dialer: with TLS, or with faults of a test. nil is the ordinary network, without TLS.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// SASL says who we are. The zero value is nobody.
type SASL struct {
	Mechanism          string // "", none, plain, scram-sha-256 or scram-sha-512
	Username, Password string
}

func (s SASL) mechanism() (sasl.Mechanism, error) {
	auth := scram.Auth{User: s.Username, Pass: s.Password}
	switch strings.ToLower(s.Mechanism) {
	case "", "none":
		return nil, nil
	case "plain":
		return plain.Auth{User: s.Username, Pass: s.Password}.AsMechanism(), nil
	case "scram-sha-256":
		return auth.AsSha256Mechanism(), nil
	case "scram-sha-512":
		return auth.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("sasl mechanism %q is not known: want none, plain, scram-sha-256 or scram-sha-512", s.Mechanism)
}

func (o *Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}

// client is a connection to the brokers with what every one of ours has.
func (o *Options) client(more ...kgo.Opt) (*kgo.Client, error) {
	opts, err := o.opts()
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return client, nil
}

func (o *Options) opts() ([]kgo.Opt, error) {
	if len(o.Brokers) == 0 {
		return nil, errors.New("kafka client: no brokers: set kafka.brokers")
	}
	id := o.ClientID
	if id == "" {
		id = "switchboard"
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.Brokers...), kgo.ClientID(id), kgo.SoftwareNameAndVersion("switchboard", "1"),
		kgo.WithLogger(clientLogger{o.logger()}), kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.DisableClientMetrics(),
	}
	if o.Dial != nil {
		opts = append(opts, kgo.Dialer(o.Dial))
	} else {
		opts = append(opts, kgo.DialTimeout(5*time.Second))
	}
	mechanism, err := o.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// reach tells whether a broker answers, within ctx.
func (o *Options) reach(ctx context.Context, client *kgo.Client) error {
	if err := client.Ping(ctx); err != nil {
		return o.unreachable(err)
	}
	return nil
}

func (o *Options) unreachable(err error) error {
	return fmt.Errorf("no broker answers at %s: check kafka.brokers: %w", strings.Join(o.Brokers, ", "), err)
}

// MissingTopic is a topic that the cluster does not have, or does not have for us.
type MissingTopic struct{ Topic string }

func (e *MissingTopic) Error() string {
	return fmt.Sprintf("topic %s does not exist: run `switchboard topology apply`", e.Topic)
}

// topicError names the topic in what a broker says about it.
func topicError(topic string, code int16) error {
	err := kerr.ErrorForCode(code)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		return &MissingTopic{Topic: topic}
	}
	return fmt.Errorf("topic %s: %w", topic, err)
}

// metadata asks a broker, and no cache, about topics; none asks about the cluster alone. A topic's own error is left
// in the answer.
func metadata(ctx context.Context, client kmsg.Requestor, topics ...string) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // nil would mean all
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("ask for metadata: %w", err)
	}
	return resp, nil
}
