package httpdoor

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/intake"
)

// Status tells what became of an item.
type Status string

// The statuses. After unknown and not_sent the item is to be sent again.
const (
	Accepted Status = "accepted" // it stands in the log
	Rejected Status = "rejected" // it is no report or device event; sending it again does not help
	Unknown  Status = "unknown"  // nobody knows whether it stands in the log
	NotSent  Status = "not_sent" // it is one, and does not stand in the log
)

// itemResult is the line of one item in an answer.
type itemResult struct {
	Index   int      `json:"index"`
	Status  Status   `json:"status"`
	EventID string   `json:"event_id,omitempty"`
	Field   string   `json:"field,omitempty"`
	Reason  string   `json:"reason,omitempty"` // the first problem
	More    []string `json:"more,omitempty"`   // the others
}

// problemDetails is RFC 9457.
type problemDetails struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// answer is what is written; body is marshalled.
type answer struct {
	status int
	header [][2]string
	body   any
	seen   Observation
}

func refuse(status int, outcome, detail string) answer {
	return answer{
		status: status,
		header: [][2]string{{"Content-Type", "application/problem+json"}},
		body:   problemDetails{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail},
		seen:   Observation{Outcome: outcome},
	}
}

func (a answer) with(name, value string) answer {
	a.header = append(a.header, [2]string{name, value})
	return a
}

// retryAfter asks to come again after a time, or soon; scattered, lest all come at once.
func (a answer) retryAfter(wait time.Duration) answer {
	seconds := 1 + int(wait/time.Second) + rand.IntN(3)
	return a.with("Retry-After", strconv.Itoa(seconds))
}

func (a answer) write(w http.ResponseWriter) {
	body, err := json.Marshal(a.body)
	if err != nil {
		panic(fmt.Sprintf("httpdoor: an answer of %T cannot be written: %v", a.body, err))
	}
	for _, h := range a.header {
		w.Header().Set(h[0], h[1])
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	_, _ = w.Write(append(body, '\n')) // who has gone reads nothing
}

// batch are the items of one request.
type batch struct {
	items   []itemResult
	at      []int            // per item the place in events, or -1
	place   map[event.ID]int // in events
	events  []event.Event    // each once
	results []AppendResult
}

func (b *batch) reject(index int, err error) {
	r := itemResult{Index: index, Status: Rejected}
	name := fmt.Sprintf("items[%d]", index)
	var all intake.Errors
	if !errors.As(err, &all) || len(all) == 0 {
		panic(fmt.Sprintf("httpdoor: intake refused an item with %T", err))
	}
	r.Field, r.Reason = all[0].Field, all.In(name)
	for i := range all[1:] {
		r.More = append(r.More, all[i+1:].In(name))
	}
	b.items, b.at = append(b.items, r), append(b.at, -1)
}

func (b *batch) add(index int, e event.Event) {
	id := e.Envelope().ID
	n, twice := b.place[id]
	if !twice {
		if b.place == nil {
			b.place = make(map[event.ID]int)
		}
		n = len(b.events)
		b.place[id], b.events = n, append(b.events, e)
	}
	b.items, b.at = append(b.items, itemResult{Index: index, EventID: id.String()}), append(b.at, n)
}

// answer is 202 if something was accepted and all that is valid stands in the log, 422 if nothing
// is valid, else 503.
func (b *batch) answer(topic func() event.TopicID) answer {
	token := event.Token{}
	var a answer
	for i := range b.items {
		item := &b.items[i]
		if b.at[i] >= 0 {
			item.Status = b.status(b.at[i], &token)
		}
		switch item.Status {
		case Accepted:
			a.seen.Accepted++
		case Rejected:
			a.seen.Rejected++
		case NotSent:
			a.seen.NotSent++
		default:
			a.seen.Unknown++
		}
	}
	if len(token.Next) > 0 {
		token.Topic = topic()
	}
	list := b.items
	if list == nil {
		list = []itemResult{}
	}
	a.header = [][2]string{{"Content-Type", "application/json"}}
	a.body = struct {
		Items []itemResult `json:"items"`
		Token string       `json:"token,omitempty"`
	}{list, token.String()}
	switch {
	case len(b.events) == 0:
		a.status, a.seen.Outcome = http.StatusUnprocessableEntity, "all_rejected"
	case a.seen.Unknown > 0:
		a.status, a.seen.Outcome = http.StatusServiceUnavailable, "unresolved"
		return a.retryAfter(0)
	case a.seen.NotSent > 0:
		a.status, a.seen.Outcome = http.StatusServiceUnavailable, "overloaded"
		return a.retryAfter(0)
	case a.seen.Rejected > 0:
		a.status, a.seen.Outcome = http.StatusAccepted, "partly_accepted"
	default:
		a.status, a.seen.Outcome = http.StatusAccepted, "accepted"
	}
	return a
}

func (b *batch) status(n int, token *event.Token) Status {
	if n >= len(b.results) {
		return Unknown // Append broke its word
	}
	switch r := b.results[n]; {
	case r.Err == nil:
		token.Cover(r.Partition, r.Offset)
		return Accepted
	case errors.Is(r.Err, ErrOverloaded):
		return NotSent
	}
	return Unknown
}
