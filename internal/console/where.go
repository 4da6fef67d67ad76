package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// WhereAnswer is where a subscriber or a device is kept.
type WhereAnswer struct {
	Meta
	About
	Kind      string   `json:"kind"` // subscribers or devices
	Partition string   `json:"partition"`
	Node      string   `json:"node"` // host:port
	Pos       string   `json:"pos"`  // key of the position
	Keys      []string `json:"keys"`
	Timeline  []string `json:"timeline"` // keys of its weeks, ascending
}

// Where answers with the partition, the serving generation and the keys of a subscriber or, when there is none of that name, of a device.
func (c *Console) Where(ctx context.Context, q Query) (*WhereAnswer, error) {
	asked := q.Subject
	if err := c.subject(&q); err != nil {
		return nil, err
	}
	if err := c.await(ctx, &q, c.ports.Partition(q.Subject)); err != nil {
		return nil, err
	}
	place, err := c.ports.Where(ctx, q.Subject)
	if err != nil {
		return nil, err
	}
	kind := event.Subscribers
	if !place.Found {
		switch device, err := c.ports.Devices.Where(ctx, asked); {
		case err != nil && !errors.Is(err, view.ErrUnavailable): // without devices nothing serves them
			return nil, err
		case err == nil && device.Found:
			place, q.Subject, kind = device, asked, event.Devices
		}
	}
	return &WhereAnswer{
		Meta: c.meta(&q, place.Cut), About: subscriberOf(&q, &place.Reading), Kind: kind.String(), Partition: place.Partition.String(), Node: place.Node,
		Pos: place.Pos, Keys: place.Keys, Timeline: append([]string{}, place.Weeks...),
	}, nil
}

// Text shows commands that can be copied.
func (a *WhereAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	p.title("Where "+a.Subscriber+" is kept", "")
	p.table(nil, [][]string{{"partition", a.Partition}, {"generation", a.Generation}, {"redis", a.Node}})
	if !a.Found {
		p.line("Nothing is known about " + a.Subscriber + "; its keys would be these.")
	}
	p.line("")
	host, port, _ := strings.Cut(a.Node, ":")
	cli := fmt.Sprintf("redis-cli -h %s -p %s ", host, port)
	command := func(c string, key string) { p.line(p.dim(cli) + c + " '" + key + "'") }
	command("HGET v:serving", a.Partition)
	command("HGETALL", a.Pos)
	for _, key := range a.Keys {
		command("HGETALL", key)
	}
	for i, key := range a.Timeline {
		if i == 0 || i == len(a.Timeline)-1 {
			command("HGETALL", key)
		} else if i == 1 {
			p.line(p.dim(fmt.Sprintf("... %d more weeks", len(a.Timeline)-2)))
		}
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}
