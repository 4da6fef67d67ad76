// Package console answers what analysts ask, from the read models: one file for each query, with its answer as a plain
// struct (the JSON), and how it looks in a terminal. It changes nothing and knows no technology: what it needs
// is in Ports, which internal/app connects.
//
// Every answer carries Meta: the position it reflects, how stale it is, the generation, and what is incomplete. What needs
// the reports of a subscriber reads the weeks of the period and is computed by internal/indicator; a computed answer is kept
// by (subject, @, period).
package console

import (
	"context"
	"fmt"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/fold"
	"switchboard/internal/indicator"
	"switchboard/internal/view"
)

// Ports are what the console needs of the read models; internal/redisview's Reader has them.
type Ports struct {
	// Partition is where a subscriber is.
	Partition func(event.Subject) event.Partition
	// Card reads the head record of a subscriber.
	Card func(context.Context, event.Subject) (view.Reading, error)
	// Contacts calls each for every contact, in no order; again says that it begins anew.
	Contacts func(ctx context.Context, id event.Subject, each func(string, *fold.Contact) error, again func()) (view.Reading, error)
	// Timeline calls each for every report of the weeks that choose takes of those of the card (both ascending), in order; again
	// says that it begins anew. Without again (nil) nothing is delivered twice, and the reading names two positions if the subscriber
	// changed meanwhile. choose may be called often; what was read is what it takes of the reading's weeks.
	Timeline func(ctx context.Context, id event.Subject, choose func([]view.WeekCount) []view.WeekCount, each func(fold.EntryID, *fold.Entry) error, again func()) (view.Reading, error)
	// Top is the places from+1 to from+k of a ranking.
	Top func(ctx context.Context, name string, from, k int) ([]view.Ranked, []view.Cut, error)
	// Reach is who reported a number, in no order.
	Reach func(ctx context.Context, number string) ([]view.Reporter, []view.Cut, error)
	// Totals is the sum over all partitions.
	Totals func(context.Context) (view.Totals, []view.Cut, error)
	// Devices are the ports of the topic of devices.
	Devices DevicePorts
	// Where says where a subscriber is kept.
	Where func(context.Context, event.Subject) (view.Place, error)
	// Hash is the canonical hash of all serving generations.
	Hash func(context.Context) (view.HashAnswer, error)
	// HashWait is Wait for Hash, which takes tokens of any topic that it covers; nil: Wait.
	HashWait func(ctx context.Context, t event.Token, only ...event.Partition) ([]view.Lag, error)
	// Wait waits until partitions (none: all) have reached a token, or ctx is done.
	Wait func(ctx context.Context, t event.Token, only ...event.Partition) ([]view.Lag, error)
	// Normalise turns what a person typed into an id as it is stored; nil: ids are given as stored.
	Normalise func(string) string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// DevicePorts are what the console needs of the read models of devices; the Reader of their topic has them.
type DevicePorts struct {
	// Partition is where a device is.
	Partition func(event.Subject) event.Partition
	// Device reads the head record of a device.
	Device func(context.Context, event.Subject) (view.DeviceReading, error)
	// Links calls each for every link that a device declared or ended, in no order; again says that it begins anew.
	Links func(ctx context.Context, id event.Subject, each func(string, *fold.Edge) error, again func()) (view.DeviceReading, error)
	// Linked is who declares a link to a device, in no order.
	Linked func(context.Context, event.Subject) ([]view.Linked, []view.Cut, error)
	// List is the first k devices after one, by id, whose ids begin with a prefix and which are in one of some states.
	List func(ctx context.Context, states []fold.DeviceState, prefix, after string, k int) ([]view.Listed, []view.Cut, error)
	// Where is where a device is kept.
	Where func(context.Context, event.Subject) (view.Place, error)
	// Wait is Ports.Wait for tokens of facts about devices.
	Wait func(ctx context.Context, t event.Token, only ...event.Partition) ([]view.Lag, error)
}

// Query says what is asked. Each query looks at what concerns it.
type Query struct {
	Subject event.Subject    // a subscriber, or device; for reach the number
	Period  indicator.Period // reports that count
	Limit   int              // longest list; 0: everything (of a ranking 10)
	By      string           // what a list is ordered by, or which figure a heat map shows; "" is the first of its choices
	ByWeek  bool             // indicators, hours: each local ISO week as well
	All     bool             // indicators: calls and texts together too, and every split in the table
	State   string           // devices: only those that are connected, disconnected or unknown; "" all
	Prefix  string           // devices: only ids that begin so
	Cursor  string           // devices: what the answer before gave as next
	After   event.Token      // the answer should hold what this covers
	Wait    time.Duration    // for how long After is waited for
}

// BadQuery is a query that means nothing.
type BadQuery struct{ Field, Problem string }

func (e *BadQuery) Error() string { return e.Field + ": " + e.Problem }

// Console answers queries. It is safe for concurrent use.
type Console struct {
	ports Ports
	cache *cache
}

// cachedAnswers bounds the computed answers that are kept.
const cachedAnswers = 128

// New makes a console over the read models.
func New(p Ports) *Console {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Normalise == nil {
		p.Normalise = func(id string) string { return id }
	}
	if p.HashWait == nil {
		p.HashWait = p.Wait
	}
	return &Console{ports: p, cache: newCache(cachedAnswers)}
}

// subject checks and normalises the query's subject.
func (c *Console) subject(q *Query) error {
	q.Subject = event.Subject(c.ports.Normalise(string(q.Subject)))
	if q.Subject == "" {
		return &BadQuery{"subscriber", "must not be empty"}
	}
	return c.check(q)
}

func (c *Console) check(q *Query) error {
	if q.Limit < 0 {
		return &BadQuery{"limit", "must be >= 0"}
	}
	if err := q.Period.Validate(); err != nil {
		return &BadQuery{"period", err.Error()}
	}
	return nil
}

// choose checks By against the choices; the first is the default.
func (q *Query) choose(choices ...string) error {
	if q.By == "" {
		q.By = choices[0]
	}
	for _, c := range choices {
		if q.By == c {
			return nil
		}
	}
	return &BadQuery{"by", fmt.Sprintf("%q is not one of %v", q.By, choices)}
}

// await waits for the query's token, in the partitions that the answer reads (none: all).
func (c *Console) await(ctx context.Context, q *Query, only ...event.Partition) error {
	return awaitBy(ctx, c.ports.Wait, q, only...)
}

func awaitBy(ctx context.Context, wait func(context.Context, event.Token, ...event.Partition) ([]view.Lag, error), q *Query, only ...event.Partition) error {
	if len(q.After.Next) == 0 || wait == nil {
		return nil
	}
	const least = 100 * time.Millisecond // asking once takes its time, too
	ctx, cancel := context.WithTimeout(ctx, max(q.Wait, least))
	defer cancel()
	_, err := wait(ctx, q.After, only...)
	return err
}
