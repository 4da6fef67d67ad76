package console

import (
	"fmt"
	"io"
	"strings"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/indicator"
	"switchboard/internal/view"
)

// Meta is what every answer says about itself.
type Meta struct {
	AsOf       []AsOf `json:"as_of"`                // where the read models stood, by partition
	Generation string `json:"generation,omitempty"` // of an answer from one partition
	// StalenessMs is by how much the read models may lag behind the log, of several partitions the most; null when nobody
	// knows, since nothing was folded or the end of the log was never asked for.
	StalenessMs *int64 `json:"staleness_ms"`
	Rebuilding  bool   `json:"rebuilding,omitempty"` // figures are still growing towards what they were
	Incomplete  bool   `json:"incomplete,omitempty"` // the log began before what was folded: incomplete_since in as_of
	Tombstones  int64  `json:"tombstones,omitempty"` // records without a value that were skipped
	// After tells whether the answer holds what the query's token covers; null without a token.
	After *After `json:"after,omitempty"`
}

// AsOf is the position of one partition.
type AsOf struct {
	Partition       string `json:"partition"`
	Generation      string `json:"generation"`
	Next            int64  `json:"next"`            // offset to be folded next; -1: nothing folded yet
	Ahead           int64  `json:"ahead,omitempty"` // the answer mixes next..ahead; absent otherwise
	StalenessMs     *int64 `json:"staleness_ms"`
	RebuildTo       int64  `json:"rebuild_to,omitempty"`      // while rebuilding
	RebuiltPercent  *int   `json:"rebuilt_percent,omitempty"` // while rebuilding
	IncompleteSince int64  `json:"incomplete_since,omitempty"`
	Tombstones      int64  `json:"tombstones,omitempty"`
	Broken          string `json:"broken,omitempty"` // the generation is no longer folded, and why
}

// After is what became of a consistency token.
type After struct {
	Reached bool      `json:"reached"`
	Lagging []Lagging `json:"lagging,omitempty"`
}

// Lagging is a partition that the token covers and the answer does not.
type Lagging struct {
	Partition string `json:"partition"`
	Next      int64  `json:"next"`
	Want      int64  `json:"want"`
}

// meta says where the cuts of an answer stood.
func (c *Console) meta(q *Query, cuts ...view.Cut) Meta {
	now := c.ports.Now().UnixMilli()
	m := Meta{AsOf: make([]AsOf, 0, len(cuts))}
	unknown := len(cuts) == 0
	var most int64
	for i := range cuts {
		a := asOf(&cuts[i], now)
		m.AsOf = append(m.AsOf, a)
		m.Rebuilding = m.Rebuilding || cuts[i].Rebuilding()
		m.Incomplete = m.Incomplete || a.IncompleteSince > 0
		m.Tombstones += a.Tombstones
		if a.StalenessMs == nil {
			unknown = true
		} else {
			most = max(most, *a.StalenessMs)
		}
	}
	if !unknown {
		m.StalenessMs = &most
	}
	if len(cuts) == 1 {
		m.Generation = cuts[0].Generation
	}
	m.After = reached(q.After, cuts)
	return m
}

func asOf(cut *view.Cut, nowMs int64) AsOf {
	a := AsOf{
		Partition: cut.Partition.String(), Generation: cut.Generation, Next: cut.Next,
		IncompleteSince: cut.HistoryFrom, Tombstones: cut.Tombstones, Broken: cut.Broken,
	}
	if ms, known := cut.StalenessMs(nowMs); known {
		a.StalenessMs = &ms
	}
	if cut.Moving() {
		a.Ahead = max(cut.Ahead, cut.EndNext)
	}
	if cut.Rebuilding() {
		percent := 0
		if whole := cut.RebuildTo - cut.HistoryFrom; whole > 0 {
			percent = int(100 * max(cut.Next-cut.HistoryFrom, 0) / whole)
		}
		a.RebuildTo, a.RebuiltPercent = cut.RebuildTo, &percent
	}
	return a
}

// reached compares the cuts with what the token says of their partitions.
func reached(t event.Token, cuts []view.Cut) *After {
	if len(t.Next) == 0 {
		return nil
	}
	a := &After{Reached: true}
	for i := range cuts {
		if cuts[i].TopicID != t.Topic { // an answer from several topics; a token is of one
			continue
		}
		if want := t.Next[cuts[i].Partition.Number]; cuts[i].Next < want {
			a.Reached = false
			a.Lagging = append(a.Lagging, Lagging{cuts[i].Partition.String(), cuts[i].Next, want})
		}
	}
	return a
}

// Text writes the position and whatever the reader should know, below an answer.
func (m *Meta) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	p.line("")
	if len(m.AsOf) == 1 {
		a := &m.AsOf[0]
		p.line(s.dim(fmt.Sprintf("as of %s @ %s · generation %s · %s", a.Partition, a.position(), a.Generation, lag(m.StalenessMs))))
	} else {
		p.wrapped("as of ", m.vector(), s.dim)
		p.line(s.dim(lag(m.StalenessMs)))
	}
	for i := range m.AsOf {
		m.AsOf[i].warn(p)
	}
	if m.After != nil && !m.After.Reached {
		for _, l := range m.After.Lagging {
			p.para(fmt.Sprintf("stale: %s is at %d, the token asks for %d", l.Partition, l.Next, l.Want), s.warn)
		}
	}
	return p.err
}

func (a *AsOf) position() string {
	switch {
	case a.Next < 0:
		return "nothing yet"
	case a.Ahead > a.Next:
		return fmt.Sprintf("%d..%d", a.Next, a.Ahead)
	}
	return fmt.Sprint(a.Next)
}

func (a *AsOf) warn(p *printer) {
	switch {
	case a.Next < 0:
		p.para(fmt.Sprintf("rebuilding: nothing of %s is folded yet", a.Partition), p.warn)
	case a.RebuiltPercent != nil:
		p.para(fmt.Sprintf("rebuilding: %s is at %s of %d, %d %%: figures are still growing", a.Partition, a.position(), a.RebuildTo, *a.RebuiltPercent), p.warn)
	}
	if a.IncompleteSince > 0 {
		p.para(fmt.Sprintf("incomplete: the log of %s began at offset %d when it was folded; what was before is not in it", a.Partition, a.IncompleteSince), p.warn)
	}
	if a.Tombstones > 0 {
		p.para(fmt.Sprintf("tombstones: %d records of %s had been erased and were skipped", a.Tombstones, a.Partition), p.warn)
	}
	if a.Broken != "" {
		p.para(fmt.Sprintf("broken: %s is no longer folded (%s)", a.Partition, a.Broken), p.warn)
	}
}

// vector is partition number @ position, for each; the topic stands before the first.
func (m *Meta) vector() []string {
	words := make([]string, len(m.AsOf))
	topic := ""
	for i := range m.AsOf {
		a := &m.AsOf[i]
		t, number, _ := strings.Cut(a.Partition, "/")
		words[i] = fmt.Sprintf("%s@%s(%s)", number, a.position(), a.Generation)
		if t != topic {
			words[i], topic = t+" "+words[i], t
		}
	}
	return words
}

func lag(ms *int64) string {
	if ms == nil {
		return "staleness unknown"
	}
	return fmt.Sprintf("at most %s behind", age(time.Duration(*ms)*time.Millisecond))
}

// Period is the period of an answer, as it was asked for.
type Period struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

func periodOf(p indicator.Period) *Period {
	if p == (indicator.Period{}) {
		return nil
	}
	return &Period{p.From.String(), p.To.String()}
}

// String is for titles: " from 2012-01-01 to 2012-01-31".
func (p *Period) String() string {
	text := ""
	if p != nil && p.From != "" {
		text += " from " + p.From
	}
	if p != nil && p.To != "" {
		text += " to " + p.To
	}
	return text
}
