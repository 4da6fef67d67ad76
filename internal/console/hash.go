package console

import (
	"context"
	"io"

	"switchboard/internal/view"
)

// HashAnswer is the canonical hash of the read models, and of each partition.
type HashAnswer struct {
	Meta
	Hash       string     `json:"hash"` // 64 hexadecimal digits
	Records    int64      `json:"records"`
	Comparable bool       `json:"comparable"` // false: tombstones were skipped, another fold may differ
	Partitions []PartHash `json:"partitions"`
}

// PartHash is the hash of one partition.
type PartHash struct {
	Partition string `json:"partition"`
	Next      int64  `json:"next"`
	Hash      string `json:"hash"`
	Records   int64  `json:"records"`
}

// Hash answers with the canonical hash of all serving generations, and the position vector that it belongs to.
func (c *Console) Hash(ctx context.Context, q Query) (*HashAnswer, error) {
	if err := awaitBy(ctx, c.ports.HashWait, &q); err != nil {
		return nil, err
	}
	got, err := c.ports.Hash(ctx)
	if err != nil {
		return nil, err
	}
	a := &HashAnswer{Hash: got.Hash.String(), Records: got.Hash.Records(), Comparable: got.Comparable()}
	var cuts []view.Cut
	for i := range got.Parts {
		part := &got.Parts[i]
		cuts = append(cuts, part.Cut)
		a.Partitions = append(a.Partitions, PartHash{part.Partition.String(), part.Next, part.Hash.String(), part.Hash.Records()})
	}
	a.Meta = c.meta(&q, cuts...)
	return a, nil
}

// Text shows the hash, so that two lines can be compared, and the positions.
func (a *HashAnswer) Text(w io.Writer, s Style) error {
	p := s.printer(w)
	p.line(p.bold(a.Hash) + "  " + count(a.Records) + " records")
	if !a.Comparable {
		p.line(p.warn("not comparable: erased records were skipped, so that another fold of the log may differ"))
	}
	if p.err != nil {
		return p.err
	}
	return a.Meta.Text(w, s)
}
