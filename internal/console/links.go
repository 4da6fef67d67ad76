package console

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"

	"switchboard/internal/fold"
)

// LinksAnswer is the links of a device.
type LinksAnswer struct {
	Meta
	AboutDevice
	OutTotal int    `json:"out_total"`
	Out      []Link `json:"out"` // declared by the device, also those that it ended; the list may be shorter
	InTotal  int    `json:"in_total"`
	In       []Link `json:"in"` // declared by other devices, and not ended
}

// Link is one end of a link.
type Link struct {
	Device string `json:"device"` // the other one
	Linked bool   `json:"linked"` // false: it was ended
	Kind   string `json:"kind,omitempty"`
	Since  string `json:"since"` // RFC 3339: when it was linked, or ended
	Event  string `json:"event_id"`
}

// Links answers with the links that a device declared and those that others declare to it, by device, the first Limit of each. Links to it
// come from all partitions, each as of its own position.
func (c *Console) Links(ctx context.Context, q Query) (*LinksAnswer, error) {
	if err := c.deviceQuery(&q); err != nil {
		return nil, err
	}
	ports := &c.ports.Devices
	if err := awaitBy(ctx, ports.Wait, &q); err != nil {
		return nil, err
	}
	a := &LinksAnswer{Out: []Link{}, In: []Link{}}
	r, err := ports.Links(ctx, q.Subject, func(other string, e *fold.Edge) error {
		a.Out = append(a.Out, linkOf(other, e))
		return nil
	}, func() { a.Out = a.Out[:0] })
	if err != nil {
		return nil, err
	}
	in, cuts, err := ports.Linked(ctx, q.Subject)
	if err != nil {
		return nil, err
	}
	for i := range in {
		a.In = append(a.In, linkOf(string(in[i].By), &in[i].Edge))
	}
	extend(cuts, &r.Cut)
	a.Meta, a.AboutDevice = c.meta(&q, cuts...), deviceOf(&q, &r)
	a.OutTotal, a.Out = firstLinks(a.Out, q.Limit)
	a.InTotal, a.In = firstLinks(a.In, q.Limit)
	a.Found = a.Found || a.InTotal > 0
	return a, nil
}

func linkOf(other string, e *fold.Edge) Link {
	return Link{other, e.Linked, e.Kind, stamp(e.Stamp.Ms), e.Stamp.Fact.String()}
}

// firstLinks sorts links, those that last first, and leaves limit of them (0: all).
func firstLinks(list []Link, limit int) (total int, first []Link) {
	slices.SortFunc(list, func(a, b Link) int {
		if a.Linked != b.Linked {
			if a.Linked {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(a.Device, b.Device), strings.Compare(a.Event, b.Event))
	})
	if limit == 0 {
		limit = len(list)
	}
	return len(list), list[:min(limit, len(list))]
}

// Text shows both lists as tables.
func (a *LinksAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	if a.head(p, "Links of", counted(a.OutTotal, "link")+" out, "+count(int64(a.InTotal))+" in") {
		for _, side := range []struct {
			title string
			total int
			list  []Link
		}{{"declared by it", a.OutTotal, a.Out}, {"declared to it", a.InTotal, a.In}} {
			p.line("")
			right := ""
			if len(side.list) < side.total {
				right = "first " + count(int64(len(side.list))) + " of " + count(int64(side.total))
			}
			p.title(side.title, right)
			if side.total == 0 {
				p.line("None.")
				continue
			}
			rows := make([][]string, len(side.list))
			for i, l := range side.list {
				word := "linked"
				if !l.Linked {
					word = "ended"
				}
				rows[i] = []string{l.Device, word, l.Kind, instantOf(l.Since)}
			}
			p.table([]string{"device", "state", "kind", "since"}, rows)
		}
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}
