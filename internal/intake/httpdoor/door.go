// Package httpdoor is the HTTP door of intake: POST /v1/reports takes reports, POST /v1/device-events what happened to devices, and each
// answers when all that it accepted stand in the log. /openapi.yaml describes it.
//
// Try it:
//
//	curl -sS localhost:8080/v1/reports -H 'Authorization: Bearer ID.SECRET' -H 'Content-Type: application/json' -d '[
//	  {"kind":"call","subscriber":"+442079460958","direction":"out","counterpart":"020 7946 0000",
//	   "started_at":"2026-01-31T09:00:00+00:00","duration_s":61,"outcome":"answered"}]'
//
// answers
//
//	{"items":[{"index":0,"status":"accepted","event_id":"f5b0d9bb-..."}],"token":"AZ..."}
//
// and the token makes a query wait until it sees the report. A file with a report on each line, compressed:
//
//	gzip -c reports.ndjson | curl -sS localhost:8080/v1/reports -H 'Authorization: Bearer ID.SECRET' \
//	  -H 'Content-Type: application/x-ndjson' -H 'Content-Encoding: gzip' --data-binary @-
//
// Sending again is always safe: the same content has the same id, and counts once. What is sent
// twice in one request is accepted twice, under one id, and appended once.
//
// Nothing here logs or counts a number, a name or a body.
package httpdoor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/intake"
)

// AppendResult says what became of one event.
type AppendResult struct {
	Partition int32
	Offset    int64
	Err       error // nil: acknowledged by all replicas that must; ErrOverloaded; anything else: see ErrUnknown
}

// What an Append may answer. Any other error counts as ErrUnknown: only who knows for sure that
// nothing was sent may say so.
var (
	ErrOverloaded = errors.New("the log takes no more at the moment; nothing was sent")
	ErrUnknown    = errors.New("it is not known whether the event was appended")
)

// Append appends events to the log and waits for acks=all. It answers with one result per event in
// their order, at the latest when ctx ends: what is unresolved then is ErrUnknown.
type Append func(ctx context.Context, events []event.Event) []AppendResult

// Options configure a Door; zero limits are the defaults of RELIABILITY.md 6.5.
type Options struct {
	Intake *intake.Intake
	Append Append
	Topic  func(event.SubjectKind) event.TopicID // the topic that Append appends facts about such subjects to, for tokens

	Keys      []Key
	Anonymous bool // true: no key is asked for. Without it there must be keys.

	MaxBodyBytes     int64         // after decompression; 1 MiB
	MaxItems         int           // 1,000
	MaxItemBytes     int           // of one item; 64 KiB, which is also the most
	MaxRatio         int64         // decompressed to compressed bytes, above 64 KiB; 200
	MaxInFlightBytes int64         // of all requests that are being served; 64 MiB
	Timeout          time.Duration // of Append; 5 s

	Now     func() time.Time  // of quotas; nil is time.Now
	Observe func(Observation) // called once per request to one of Paths; may be nil
}

// Observation is what metrics may know of one request.
type Observation struct {
	Path     string // one of Paths
	Status   int    // as answered
	Outcome  string // one of a fixed few: see Outcomes
	Accepted int    // items
	Rejected int
	Unknown  int
	NotSent  int
	Bytes    int // of the body after decompression
	Duration time.Duration
}

// Outcomes are the values of Observation.Outcome.
var Outcomes = []string{
	"accepted", "partly_accepted", "all_rejected", "unresolved", "overloaded", "quota", "capacity", "unauthorized",
	"bad_request", "too_large", "unsupported", "method", "slow_body", "client_gone",
}

// route is a path that takes items of one shape.
type route struct {
	path  string
	items string // for people
	about event.SubjectKind
	// accept makes a fact of an item; the error is an intake.Errors.
	accept func(in *intake.Intake, data []byte, key *key) (event.Event, error)
}

var routes = []route{
	{"/v1/reports", "reports", event.Subscribers, acceptReport},
	{"/v1/device-events", "device events", event.Devices, acceptDeviceEvent},
}

// Paths lists the paths that take items.
func Paths() []string {
	var list []string
	for _, r := range routes {
		list = append(list, r.path)
	}
	return list
}

func acceptReport(in *intake.Intake, data []byte, key *key) (event.Event, error) {
	s, err := intake.DecodeJSON(data)
	if err != nil {
		return nil, err
	}
	key.sign(&s.Source, &s.Actor)
	return in.Accept(s)
}

func acceptDeviceEvent(in *intake.Intake, data []byte, key *key) (event.Event, error) {
	s, err := intake.DecodeDeviceJSON(data)
	if err != nil {
		return nil, err
	}
	key.sign(&s.Source, &s.Actor)
	return in.AcceptDevice(s)
}

// Door is an http.Handler for Paths and /openapi.yaml.
type Door struct {
	o     Options
	keys  keyring
	bytes bytesInFlight
}

// New makes a Door; the error says which option is wrong.
func New(o Options) (*Door, error) {
	if o.Intake == nil || o.Append == nil || o.Topic == nil {
		return nil, errors.New("httpdoor: intake, append and topic are required")
	}
	if len(o.Keys) == 0 && !o.Anonymous {
		return nil, errors.New("httpdoor: no API keys: give some, or say that none are asked for")
	}
	if len(o.Keys) > 0 && o.Anonymous {
		return nil, errors.New("httpdoor: API keys are given, and it is said that none are asked for: which one?")
	}
	setDefault(&o.MaxBodyBytes, 1<<20)
	setDefault(&o.MaxItems, 1000)
	setDefault(&o.MaxItemBytes, intake.MaxItemBytes)
	setDefault(&o.MaxRatio, 200) // batches that look like life reach 40 with gzip and 90 with zstd: see the test
	setDefault(&o.MaxInFlightBytes, 64<<20)
	setDefault(&o.Timeout, 5*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(Observation) {}
	}
	d := &Door{o: o, bytes: bytesInFlight{max: o.MaxInFlightBytes}}
	if most := weight(o.MaxBodyBytes) + zstdWindow; most > o.MaxInFlightBytes {
		return nil, fmt.Errorf("httpdoor: %d bytes in flight are too few for one body: want at least %d", o.MaxInFlightBytes, most)
	}
	var err error
	if d.keys, err = newKeyring(o.Keys, o.MaxItems, o.Now); err != nil {
		return nil, err
	}
	return d, nil
}

func setDefault[T int | int64 | time.Duration](v *T, to T) {
	if *v == 0 {
		*v = to
	}
}

// ServeHTTP serves them; any other path is a 404.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for i := range routes {
		if to := &routes[i]; r.URL.Path == to.path {
			start := time.Now()
			a := d.take(w, r, to)
			a.seen.Path, a.seen.Status, a.seen.Duration = to.path, a.status, time.Since(start)
			a.write(w)
			d.o.Observe(a.seen)
			return
		}
	}
	if r.URL.Path == "/openapi.yaml" {
		serveDescription(w, r)
		return
	}
	refuse(http.StatusNotFound, "bad_request", "there is "+strings.Join(Paths(), ", ")+", and /openapi.yaml which describes them").write(w)
}

// take goes from what costs least to what costs most: nothing is read before there is room for it.
func (d *Door) take(w http.ResponseWriter, r *http.Request, to *route) answer {
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "method", to.items+" are sent by POST").with("Allow", http.MethodPost)
	}
	key, ok := d.authenticate(r)
	if !ok {
		return refuse(http.StatusUnauthorized, "unauthorized", "want Authorization: Bearer ID.SECRET with a key that is known").
			with("WWW-Authenticate", `Bearer realm="switchboard"`)
	}
	framing, ok := framingOf(r)
	if !ok {
		return refuse(http.StatusUnsupportedMediaType, "unsupported", "want Content-Type application/json for an array of "+to.items+", or application/x-ndjson for one a line").
			with("Accept-Post", "application/json, application/x-ndjson")
	}
	encoding, ok := encodingOf(r)
	if !ok {
		return refuse(http.StatusUnsupportedMediaType, "unsupported", "want one Content-Encoding of gzip, zstd and identity, or none").
			with("Accept-Encoding", "gzip, zstd, identity")
	}
	if wait := key.wait(d.o.Now()); wait > 0 {
		return refuse(http.StatusTooManyRequests, "quota", "the quota of this key is used up").retryAfter(wait)
	}
	size := d.o.MaxBodyBytes
	if r.ContentLength > size {
		return d.tooLarge()
	}
	if encoding == "" && r.ContentLength >= 0 {
		size = r.ContentLength
	}
	reserved := weight(size)
	if !d.bytes.take(reserved) {
		return noRoom()
	}
	defer func() { d.bytes.give(reserved) }()

	body, refused := d.read(w, r, encoding)
	if refused != nil {
		return *refused
	}
	d.bytes.give(reserved - weight(int64(len(body)))) // what the body turned out not to need
	reserved = weight(int64(len(body)))
	list, refused := d.parse(body, framing, key, to)
	if refused != nil {
		return *refused
	}
	key.spend(len(list.items))
	d.append(r.Context(), &list)
	a := list.answer(func() event.TopicID { return d.o.Topic(to.about) })
	a.seen.Bytes = len(body)
	return a
}

func noRoom() answer {
	return refuse(http.StatusServiceUnavailable, "capacity", "too many requests are being served").retryAfter(0)
}

func (d *Door) tooLarge() answer {
	return refuse(http.StatusRequestEntityTooLarge, "too_large",
		fmt.Sprintf("a request holds at most %d items and %d bytes after decompression: send several", d.o.MaxItems, d.o.MaxBodyBytes))
}

// parse makes events of the items. Nothing of a body that is no JSON array is accepted.
func (d *Door) parse(body []byte, framing intake.Framing, key *key, to *route) (batch, *answer) {
	var list batch
	for item, err := range intake.Items(body, framing, d.o.MaxItemBytes) {
		if err != nil {
			a := refuse(http.StatusBadRequest, "bad_request", "the body is no JSON array: "+err.Error())
			return list, &a
		}
		if item.Index >= d.o.MaxItems {
			a := d.tooLarge()
			return list, &a
		}
		if item.Problem != nil {
			list.reject(item.Index, item.Problem)
			continue
		}
		if e, err := to.accept(d.o.Intake, item.Data, key); err != nil {
			list.reject(item.Index, err)
		} else {
			list.add(item.Index, e)
		}
	}
	return list, nil
}

// append waits for the log, longer than the client may: what was read is worth storing, and the
// room it takes stays reserved meanwhile.
func (d *Door) append(ctx context.Context, list *batch) {
	if len(list.events) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.o.Timeout)
	defer cancel()
	list.results = d.o.Append(ctx, list.events)
}
