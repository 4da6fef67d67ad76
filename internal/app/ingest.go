package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchboard/config"
	"switchboard/internal/daemon"
	"switchboard/internal/event"
	"switchboard/internal/intake"
	"switchboard/internal/intake/httpdoor"
	"switchboard/internal/kafkalog"
)

// Ingest is the doors for reports and device events: HTTP, and inboxes in Kafka. It is the program of cmd/ingest as a value.
type Ingest struct {
	Config  *config.Config
	Logger  *slog.Logger
	Observe func(httpdoor.Observation) // may be nil
	// Listening, if not nil, is told the address once the door is open.
	Listening func(addr string)
	KafkaDial Dialer

	appender atomic.Pointer[kafkalog.Appender]
	inbox    atomic.Pointer[Inbox] // nil: none, or not yet
}

// Ready is nil when reports are taken; else it says why not.
func (in *Ingest) Ready() error {
	a := in.appender.Load()
	if a == nil {
		return errors.New("starting")
	}
	if err := a.Failed(); err != nil {
		return err
	}
	if records, bytes := a.Buffered(); 10*records > 8*int64(in.Config.Ingest.MaxBufferedRecords) || 10*bytes > 8*int64(in.Config.Ingest.MaxBufferedBytes) {
		return fmt.Errorf("%d records (%d bytes) wait for Kafka: more than 80 %% of what may wait", records, bytes)
	}
	return nil
}

// Run takes reports until ctx ends, then finishes the requests in flight.
func (in *Ingest) Run(ctx context.Context) error {
	cfg := &in.Config.Ingest
	top, err := LoadTopology(in.Config)
	if err != nil {
		return err
	}
	options, err := kafkaOptions(in.Config, in.Logger, in.KafkaDial)
	if err != nil {
		return err
	}
	f, err := newFacts(top)
	if err != nil {
		return err
	}
	if err := checkTopology(ctx, in.Config, options, top); err != nil {
		return err
	}
	ids, err := f.topicIDs(ctx, options)
	if err != nil {
		return err
	}
	appender, err := kafkalog.NewAppender(kafkalog.AppenderOptions{
		Options: options, MaxBufferedRecords: cfg.MaxBufferedRecords, MaxBufferedBytes: int(cfg.MaxBufferedBytes),
	})
	if err != nil {
		return err
	}
	defer closeAppender(appender, in.Config)
	door, err := in.door(f, ids, appender)
	if err != nil {
		return err
	}
	var inbox *Inbox
	if cfg.Inbox == config.InboxOn {
		if inbox, err = newInbox(in.Config, in.Logger, top, options); err != nil {
			return err
		}
	}
	in.inbox.Store(inbox)
	in.appender.Store(appender)
	return in.both(ctx, door, inbox)
}

// InboxReady is nil when inboxes are taken from, or not to be; else it says why not.
func (in *Ingest) InboxReady() error {
	if inbox := in.inbox.Load(); inbox != nil {
		return inbox.Ready()
	}
	return nil
}

// both runs both doors until ctx ends or one of them fails.
func (in *Ingest) both(ctx context.Context, door http.Handler, inbox *Inbox) error {
	if inbox == nil {
		return in.serve(ctx, door)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	taken := make(chan error, 1)
	go func() {
		defer stop()
		taken <- inbox.Run(ctx)
	}()
	err := in.serve(ctx, door)
	stop()
	return errors.Join(err, <-taken)
}

func (in *Ingest) door(f *facts, ids map[event.SubjectKind]event.TopicID, appender *kafkalog.Appender) (http.Handler, error) {
	cfg := &in.Config.Ingest
	accept, err := intake.New(intake.Options{DefaultRegion: cfg.DefaultRegion})
	if err != nil {
		return nil, &config.Error{Key: "ingest.default_region", Problem: err.Error()}
	}
	return httpdoor.New(httpdoor.Options{
		Intake: accept, Topic: func(about event.SubjectKind) event.TopicID { return ids[about] }, Keys: keysOf(cfg.APIKeys), Anonymous: cfg.Auth == config.AuthOff,
		MaxBodyBytes: int64(cfg.MaxBodyBytes), MaxItems: cfg.MaxEvents, MaxItemBytes: min(int(cfg.MaxEventBytes), intake.MaxItemBytes), MaxInFlightBytes: int64(cfg.MaxInflightBytes), Timeout: cfg.RequestDeadline, Observe: in.Observe,
		Append: func(ctx context.Context, events []event.Event) []httpdoor.AppendResult {
			return f.append(ctx, appender, events)
		},
	})
}

// keysOf gathers the hashes of each id: two while a key is rotated.
func keysOf(list []config.APIKey) []httpdoor.Key {
	var keys []httpdoor.Key
	at := map[string]int{}
	for _, k := range list {
		i, known := at[k.ID]
		if !known {
			i = len(keys)
			at[k.ID] = i
			keys = append(keys, httpdoor.Key{ID: k.ID})
		}
		keys[i].SHA256 = append(keys[i].SHA256, hex.EncodeToString(k.SHA256[:]))
	}
	return keys
}

// append is httpdoor.Append over the log.
func (f *facts) append(ctx context.Context, a *kafkalog.Appender, events []event.Event) []httpdoor.AppendResult {
	records := make([]kafkalog.Record, len(events))
	out := make([]httpdoor.AppendResult, len(events))
	for i, e := range events {
		var err error
		if records[i], err = f.record(e); err != nil { // an event of ours that cannot be written: nothing is sent
			for j := range out {
				out[j].Err = fmt.Errorf("%w: %w", httpdoor.ErrOverloaded, err)
			}
			return out
		}
	}
	for i, r := range a.Append(ctx, records) {
		out[i] = httpdoor.AppendResult{Partition: records[i].Partition.Number, Offset: r.Offset}
		switch {
		case r.Err == nil:
		case errors.Is(r.Err, kafkalog.ErrOverloaded), errors.Is(r.Err, kafkalog.ErrRefused):
			out[i].Err = fmt.Errorf("%w: %w", httpdoor.ErrOverloaded, r.Err)
		default:
			out[i].Err = fmt.Errorf("%w: %w", httpdoor.ErrUnknown, r.Err)
		}
	}
	return out
}

func (in *Ingest) serve(ctx context.Context, door http.Handler) error {
	listener, fellBack, err := daemon.Listen(in.Config.Ingest.Listen)
	if err != nil {
		return &config.Error{Key: "ingest.listen", Problem: err.Error()}
	}
	addr := listener.Addr().String()
	in.Logger.Info("taking reports and device events", "url", "http://"+addr+"/v1/reports", "port_was_taken", fellBack, "auth", in.Config.Ingest.Auth)
	server := httpdoor.NewServer(door, slog.NewLogLogger(in.Logger.Handler(), slog.LevelDebug))
	if in.Listening != nil {
		in.Listening(addr)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(httpdoor.Limit(listener, in.Config.Ingest.MaxConnections)) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(in.Config.Shutdown.DrainDeadline, time.Second))
	defer cancel()
	err = server.Shutdown(drain) // answers what is in flight
	<-served
	if err != nil {
		return fmt.Errorf("requests were cut off after %s: %w", in.Config.Shutdown.DrainDeadline, err)
	}
	return nil
}

// runIngest is the role ingest of cmd/ingest and `switchboard dev`.
func runIngest(ctx context.Context, p *daemon.Process, cfg *config.Config) error {
	return runIngestAt(ctx, p, cfg, nil)
}

func runIngestAt(ctx context.Context, p *daemon.Process, cfg *config.Config, listening func(addr string)) error {
	m := newIngestMetrics(p.Registerer)
	in := &Ingest{Config: cfg, Logger: p.Logger, Observe: m.observe, Listening: listening}
	p.Check("kafka", in.Ready)
	p.Check("inbox", in.InboxReady)
	p.Registerer.MustRegister(inboxMetrics{in})
	return in.Run(ctx)
}

// ingestMetrics count requests and items; labels hold no personal data.
type ingestMetrics struct {
	requests *prometheus.CounterVec
	items    *prometheus.CounterVec
	bytes    prometheus.Counter
	seconds  *prometheus.HistogramVec
}

func newIngestMetrics(r prometheus.Registerer) *ingestMetrics {
	m := &ingestMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "switchboard_ingest_requests_total", Help: "Requests, by path, outcome and status."}, []string{"path", "outcome", "status"}),
		items:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "switchboard_ingest_items_total", Help: "Reports and device events, by path and by what became of them: accepted, rejected, unknown, not_sent."}, []string{"path", "result"}),
		bytes:    prometheus.NewCounter(prometheus.CounterOpts{Name: "switchboard_ingest_body_bytes_total", Help: "Bytes of bodies after decompression."}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "switchboard_ingest_request_seconds", Help: "Time to answer a request, by path and outcome.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"path", "outcome"}),
	}
	r.MustRegister(m.requests, m.items, m.bytes, m.seconds)
	return m
}

func (m *ingestMetrics) observe(o httpdoor.Observation) {
	m.requests.WithLabelValues(o.Path, o.Outcome, strconv.Itoa(o.Status)).Inc()
	m.bytes.Add(float64(o.Bytes))
	m.seconds.WithLabelValues(o.Path, o.Outcome).Observe(o.Duration.Seconds())
	for result, n := range map[string]int{"accepted": o.Accepted, "rejected": o.Rejected, "unknown": o.Unknown, "not_sent": o.NotSent} {
		m.items.WithLabelValues(o.Path, result).Add(float64(n))
	}
}
