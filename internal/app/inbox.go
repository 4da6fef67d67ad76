package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/config"
	"switchboard/internal/avrowire"
	"switchboard/internal/daemon"
	"switchboard/internal/event"
	"switchboard/internal/intake"
	"switchboard/internal/kafkalog"
	"switchboard/topology"
)

// inboxKind is one kind of record that foreign producers send.
type inboxKind struct {
	submitted string // record type, as the flow of an inbox names it
	// read makes the fact. Its error is *avrowire.Error or intake.Errors, deterministic verdicts on the bytes; any other
	// one, such as a registry that does not answer, says nothing about them.
	read func(d *avrowire.Decoder, in *intake.Intake, value []byte) (event.Event, error)
}

// inboxKinds is every kind, one line each.
var inboxKinds = []inboxKind{
	{"ReportSubmitted", readReport},
	{"DeviceEventSubmitted", readDeviceEvent},
}

// inboxSource is the source of what names none.
const inboxSource = "inbox"

func readReport(d *avrowire.Decoder, in *intake.Intake, value []byte) (event.Event, error) {
	s, err := d.DecodeSubmitted(value)
	if err != nil {
		return nil, err
	}
	if s.Source == "" {
		s.Source = inboxSource
	}
	return in.Accept(*s)
}

func readDeviceEvent(d *avrowire.Decoder, in *intake.Intake, value []byte) (event.Event, error) {
	s, err := d.DecodeDeviceSubmitted(value)
	if err != nil {
		return nil, err
	}
	if s.Source == "" {
		s.Source = inboxSource
	}
	return in.AcceptDevice(*s)
}

// Inbox takes what foreign producers send: it reads inboxes as a member of a consumer group, passes each record through intake,
// appends the facts, points dead letters at what is invalid, and only then tells the group. So a record is taken at least once, and since
// the id of a fact is a hash of its content, it counts once. Its part of the read models' exactness is that it loses nothing.
type Inbox struct {
	config   *config.Config
	logger   *slog.Logger
	consumer *kafkalog.Consumer
	log      *kafkalog.Log
	appender *kafkalog.Appender
	letters  string // topic
	decoder  *avrowire.Decoder
	intake   *intake.Intake
	facts    *facts
	topics   map[string]inboxKind

	fail context.CancelCauseFunc // of Run

	mu    sync.Mutex
	lanes map[event.Partition]*inboxStats
	done  inboxTotals
}

// newInbox finds the inboxes of a topology: the topics that the group of the role ingest reads. nil: there is none.
func newInbox(cfg *config.Config, logger *slog.Logger, top topology.Topology, options kafkalog.Options) (*Inbox, error) {
	group := ""
	for _, g := range top.Groups {
		if g.Role == string(config.RoleIngest) {
			group = g.Name
		}
	}
	in := &Inbox{config: cfg, logger: logger, topics: map[string]inboxKind{}, lanes: map[event.Partition]*inboxStats{}, done: inboxTotals{}}
	var names []string
	for _, t := range top.ReadBy(group) {
		kind, err := inboxKindOf(top, t)
		if err != nil {
			return nil, err
		}
		in.topics[t.Name] = kind
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return nil, nil
	}
	letters, err := lettersTopic(top)
	if err != nil {
		return nil, err
	}
	in.letters = letters.Name
	if in.facts, err = newFacts(top); err != nil {
		return nil, err
	}
	schemaByID, err := newRegistry(cfg)
	if err != nil {
		return nil, err
	}
	if in.decoder, err = newDecoder(cfg, schemaByID); err != nil {
		return nil, err
	}
	if in.intake, err = intake.New(intake.Options{DefaultRegion: cfg.Ingest.DefaultRegion}); err != nil {
		return nil, &config.Error{Key: "ingest.default_region", Problem: err.Error()}
	}
	if in.consumer, err = kafkalog.NewConsumer(kafkalog.ConsumerOptions{
		Options: options, Group: group, Topics: names, QueueBytes: int64(cfg.Ingest.InboxQueueBytes), QueueRecords: 10 * inboxBatch,
		SessionTimeout: cfg.Ingest.InboxSessionTimeout, FetchMaxBytes: 4 << 20,
	}); err != nil {
		return nil, err
	}
	if in.log, err = kafkalog.NewLog(options); err != nil {
		return nil, err
	}
	// Not the appender of the HTTP door: an inbox that catches up must not fill the buffer that answers 503 when it is full.
	in.appender, err = kafkalog.NewAppender(kafkalog.AppenderOptions{Options: options})
	if err != nil {
		in.log.Close()
		return nil, err
	}
	return in, nil
}

func inboxKindOf(top topology.Topology, t topology.Topic) (inboxKind, error) {
	for _, flow := range top.Flows {
		for _, kind := range inboxKinds {
			if flow.Topic == t.Name && len(flow.Events) == 1 && flow.Events[0] == kind.submitted {
				return kind, nil
			}
		}
	}
	return inboxKind{}, fmt.Errorf("topology: flow %s: events: want one that an inbox can carry", t.Name)
}

// Run takes until ctx ends, then finishes what is in work, tells the group and leaves it. Its error is fatal to the process: an
// appender that brokers have lost records of.
func (in *Inbox) Run(ctx context.Context) error {
	defer in.log.Close()
	defer closeAppender(in.appender, in.config)
	ctx, in.fail = context.WithCancelCause(ctx)
	defer in.fail(nil)
	var background sync.WaitGroup
	background.Go(func() { in.watch(ctx) })
	defer background.Wait()
	defer in.fail(nil)
	err := in.consumer.Run(ctx, in.lane)
	var lost *appendingEnded
	if errors.As(context.Cause(ctx), &lost) {
		return lost
	}
	return err
}

// appendingEnded is kafkalog.Appender.Failed.
type appendingEnded struct{ error }

// watch asks for the ends of the inboxes, for the lag.
func (in *Inbox) watch(ctx context.Context) {
	var names []string
	for name := range in.topics {
		names = append(names, name)
	}
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, 5*time.Second)
		ends, err := in.log.HighWatermarks(asking, names...)
		cancel()
		if err == nil {
			in.mu.Lock()
			for p, s := range in.lanes {
				s.end.Store(ends[p])
			}
			in.mu.Unlock()
		}
		sleep(ctx, 5*time.Second)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Ready is nil when the process is a member of the group and takes from every partition that it has. What a partition waits for does
// not close the HTTP door: daemon.ErrDegraded.
func (in *Inbox) Ready() error {
	switch {
	case in.consumer.Trouble() != nil:
		return fmt.Errorf("%w: %w", daemon.ErrDegraded, in.consumer.Trouble())
	case !in.consumer.Joined():
		return fmt.Errorf("%w: joining the consumer group", daemon.ErrDegraded)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for p, s := range in.lanes {
		if why := s.waits.Load(); why != nil {
			return fmt.Errorf("%w: %s waits at %d: %w", daemon.ErrDegraded, p, s.next.Load(), *why)
		}
	}
	return nil
}

// inboxStats are those of a lane, read by others.
type inboxStats struct {
	next, end atomic.Int64
	waits     atomic.Pointer[error] // nil: it does its work
}

// inboxTotals count since the start of the process, by topic.
type inboxTotals map[string]*inboxCounts

type inboxCounts struct {
	accepted, retries, gone int64
	letters                 map[string]int64 // by class
}

// count changes the totals of a topic.
func (in *Inbox) count(topic string, change func(*inboxCounts)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	c := in.done[topic]
	if c == nil {
		c = &inboxCounts{letters: map[string]int64{}}
		in.done[topic] = c
	}
	change(c)
}
