package snapshot

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// A manifest is one record:
//
//	"SWM1"  version (2 bytes)  body  SHA-256 of all of that
//
// Magic, version and checksum stay where they are in every version, so that a program can tell a manifest that is newer than
// itself from a damaged one. The body of version 1 is the fields of Header and the table of chunks, packed; a table that would make the record larger than
// MaxRecord stands in parts of its own, written as those of a chunk are.

const (
	manifestMagic = "SWM1"
	// FormatVersion is what EncodeManifest writes.
	FormatVersion = 1
)

// Identity says which log a snapshot was folded from, and how.
type Identity struct {
	ClusterID  string
	TopicID    event.TopicID
	Of         event.Partition
	Partitions int32
	Fold       int    // fold.Version
	Views      string // view.Set
}

// Chunk is an entry of a manifest: a section, and where it is.
type Chunk struct {
	Section
	Digest  Digest
	Fields  int64   // how many fields its records have
	Size    int64   // of the canonical bytes
	Packed  int64   // of all parts, without their headers
	Offsets []int64 // of the parts, in the topic of snapshots
}

// Manifest is one snapshot of one partition.
type Manifest struct {
	Identity
	Next            int64 // the position: the snapshot holds every event before it
	LeaderEpoch     int32 // of the last record folded; -1: none
	HistoryFrom     int64 // where folding began; above 0 what lay before it is not in the snapshot
	Tombstones      int64 // skipped since folding began
	Skipped         int64 // records that could not be folded, since folding began
	AppliedAppendMs int64 // broker's append time of the last record, Unix milliseconds; 0: none
	CreatedMs       int64 // Unix milliseconds, by the clock of whoever made it: for people and for what is kept
	Bits            uint8 // of the number of buckets
	Totals          view.Totals

	Chunks []Chunk // ascending by bucket and week

	// Offset is that of the manifest's record in the topic of snapshots: of what was read, or has been written. It is not encoded.
	Offset int64

	table Digest // of the table of chunks
}

// Fields is how many fields all chunks hold.
func (m *Manifest) Fields() int64 { return sum(m.Chunks, func(c *Chunk) int64 { return c.Fields }) }

// Size is that of the canonical bytes of all chunks.
func (m *Manifest) Size() int64 { return sum(m.Chunks, func(c *Chunk) int64 { return c.Size }) }

// Packed is what the chunks take in the topic.
func (m *Manifest) Packed() int64 { return sum(m.Chunks, func(c *Chunk) int64 { return c.Packed }) }

func sum(chunks []Chunk, of func(*Chunk) int64) (n int64) {
	for i := range chunks {
		n += of(&chunks[i])
	}
	return n
}

// Key is the manifest's.
func (m *Manifest) Key() Key { return Key{Of: m.Of, Kind: ManifestKind, Next: m.Next} }

func compareSections(a, b Section) int {
	return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Week, b.Week))
}

// Validate says what no manifest can be.
func (m *Manifest) Validate() error {
	switch {
	case m.ClusterID == "" || m.Of.Topic == "" || m.TopicID == event.TopicID{}:
		return errors.New("it does not say which log it is of")
	case m.Of.Number < 0 || m.Partitions <= m.Of.Number:
		return fmt.Errorf("partition %d of %d", m.Of.Number, m.Partitions)
	case m.Next < 0 || m.HistoryFrom < 0 || m.HistoryFrom > m.Next || m.Tombstones < 0 || m.Skipped < 0 || m.LeaderEpoch < -1:
		return errors.New("a position or a count is negative, or history begins behind the position")
	case m.Bits > MaxBits:
		return fmt.Errorf("2^%d buckets", m.Bits)
	}
	for i := range m.Chunks {
		c := &m.Chunks[i]
		switch {
		case c.Bucket>>m.Bits != 0:
			return fmt.Errorf("chunk %s of 2^%d buckets", c.Section, m.Bits)
		case i > 0 && compareSections(m.Chunks[i-1].Section, c.Section) >= 0:
			return fmt.Errorf("chunk %s is out of order", c.Section)
		case len(c.Offsets) == 0 || len(c.Offsets) > maxParts || c.Size <= 0 || c.Size > MaxChunk || c.Packed <= 0 || c.Fields < 0:
			return fmt.Errorf("chunk %s is empty or too large", c.Section)
		}
	}
	return nil
}

// table is where the table of chunks is.
type table struct {
	digest Digest
	size   int64
	packed []byte // nil when it stands in parts
	parts  []int64
	length int64 // of packed
}

// encodeTable is the canonical bytes of the list of chunks.
func encodeTable(chunks []Chunk) []byte {
	b := binary.AppendUvarint(nil, uint64(len(chunks)))
	for i := range chunks {
		c := &chunks[i]
		b = appendText(binary.AppendUvarint(b, uint64(c.Bucket)), string(c.Week))
		b = append(b, c.Digest[:]...)
		for _, n := range [...]int64{c.Fields, c.Size, c.Packed} {
			b = binary.AppendUvarint(b, uint64(n))
		}
		b = appendOffsets(b, c.Offsets)
	}
	return b
}

func appendOffsets(b []byte, offsets []int64) []byte {
	b = binary.AppendUvarint(b, uint64(len(offsets)))
	before := int64(0)
	for _, o := range offsets { // parts of one chunk mostly follow each other
		b = appendVarint(b, o-before)
		before = o
	}
	return b
}

func (w *wire) offsets() []int64 {
	n := w.atMost(uint64(len(w.rest))) // each takes a byte at least
	if n == 0 || n > maxParts {
		return nil
	}
	list := make([]int64, 0, n)
	before := int64(0)
	for range n {
		before += w.varint()
		if before < 0 {
			w.fail(errShort)
			return nil
		}
		list = append(list, before)
	}
	return list
}

func decodeTable(data []byte) ([]Chunk, error) {
	w := wire{rest: data}
	n := w.atMost(uint64(len(data)) / 36) // an entry takes more than its digest
	list := make([]Chunk, 0, n)
	for range n {
		c := Chunk{Section: Section{Bucket: uint32(w.atMost(1<<MaxBits - 1)), Week: event.Week(w.text())}}
		copy(c.Digest[:], w.bytes(len(c.Digest)))
		c.Fields, c.Size, c.Packed = w.offset(), w.offset(), w.offset()
		c.Offsets = w.offsets()
		list = append(list, c)
	}
	if w.err == nil && len(w.rest) > 0 {
		w.fail(errNotCanonical)
	}
	if w.err != nil {
		return nil, fmt.Errorf("table of chunks: %w", w.err)
	}
	return list, nil
}

// encode writes a manifest around a table.
func (m *Manifest) encode(t table) []byte {
	b := append([]byte(nil), manifestMagic...)
	b = binary.BigEndian.AppendUint16(b, FormatVersion)
	b = appendText(b, m.ClusterID)
	b = appendText(b, m.Of.Topic)
	b = binary.AppendUvarint(b, uint64(m.Of.Number))
	b = append(b, m.TopicID[:]...)
	b = binary.AppendUvarint(b, uint64(m.Partitions))
	b = binary.AppendUvarint(b, uint64(m.Next))
	b = appendVarint(b, int64(m.LeaderEpoch))
	b = binary.AppendUvarint(b, uint64(m.Fold))
	b = appendText(b, m.Views)
	for _, n := range [...]int64{m.HistoryFrom, m.Tombstones, m.Skipped} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = appendVarint(appendVarint(b, m.AppliedAppendMs), m.CreatedMs)
	b = append(b, m.Bits)
	var totals []string
	for _, mutation := range m.Totals.Project(nil, view.Totals{}) {
		totals = mutation.Args
	}
	b = binary.AppendUvarint(b, uint64(len(totals)))
	for _, text := range totals { // name, number, ...
		b = appendText(b, text)
	}
	b = append(b, t.digest[:]...)
	b = binary.AppendUvarint(b, uint64(t.size))
	b = binary.AppendUvarint(b, uint64(t.length))
	b = appendOffsets(b, t.parts)
	b = append(b, t.packed...)
	checksum := sha256.Sum256(b)
	return append(b, checksum[:]...)
}

// NewerError is a manifest that a later version of the program has written.
type NewerError struct{ Version int }

func (e *NewerError) Error() string {
	return fmt.Sprintf("format version %d, this program knows %d", e.Version, FormatVersion)
}

// decodeManifest reads a record; Chunks are not there yet, the table says where they are. A *NewerError, or it is damaged.
func decodeManifest(value []byte) (*Manifest, table, error) {
	const frame = len(manifestMagic) + 2 + sha256.Size
	if len(value) < frame || string(value[:len(manifestMagic)]) != manifestMagic {
		return nil, table{}, fmt.Errorf("no %s", manifestMagic)
	}
	body, checksum := value[:len(value)-sha256.Size], value[len(value)-sha256.Size:]
	if sha256.Sum256(body) != [sha256.Size]byte(checksum) {
		return nil, table{}, errors.New("its checksum does not fit: damaged or cut off")
	}
	if version := int(binary.BigEndian.Uint16(value[len(manifestMagic):])); version != FormatVersion {
		return nil, table{}, &NewerError{version}
	}
	w := wire{rest: body[len(manifestMagic)+2:]}
	m, t := &Manifest{Offset: -1}, table{}
	m.ClusterID = string(w.text())
	m.Of.Topic = string(w.text())
	m.Of.Number = int32(w.atMost(1<<31 - 1))
	copy(m.TopicID[:], w.bytes(len(m.TopicID)))
	m.Partitions = int32(w.atMost(1<<31 - 1))
	m.Next = w.offset()
	epoch := w.varint()
	m.LeaderEpoch = int32(epoch)
	m.Fold = int(w.atMost(1<<31 - 1))
	m.Views = string(w.text())
	m.HistoryFrom, m.Tombstones, m.Skipped = w.offset(), w.offset(), w.offset()
	m.AppliedAppendMs, m.CreatedMs = w.varint(), w.varint()
	if bits := w.bytes(1); bits != nil {
		m.Bits = bits[0]
	}
	if err := m.readTotals(&w); err != nil {
		return nil, table{}, err
	}
	copy(t.digest[:], w.bytes(len(t.digest)))
	t.size, t.length = w.offset(), w.offset()
	if t.parts = w.offsets(); len(t.parts) == 0 {
		t.packed = w.rest
		if int64(len(t.packed)) != t.length {
			w.fail(errShort)
		}
	} else if len(w.rest) > 0 {
		w.fail(errNotCanonical)
	}
	if w.err != nil || int64(m.LeaderEpoch) != epoch {
		return nil, table{}, fmt.Errorf("manifest: %w", orShort(w.err))
	}
	m.table = t.digest
	return m, t, m.Validate()
}

func (m *Manifest) readTotals(w *wire) error {
	names := view.TotalsFields()
	values := make([]view.Value, len(names))
	for n := w.atMost(uint64(2 * len(names))); n > 1; n -= 2 {
		name, number := string(w.text()), string(w.text())
		i := slices.Index(names, name)
		if i < 0 || values[i].OK {
			return errors.New("manifest: totals that this program does not know")
		}
		values[i] = view.Value{Text: number, OK: true}
	}
	var err error
	m.Totals, err = view.ParseTotals(values)
	return err
}

// fill unpacks the table.
func (m *Manifest) fill(t table, packed []byte) error {
	data, err := unpack(packed, t.size)
	if err != nil {
		return fmt.Errorf("table of chunks: %w", err)
	}
	if DigestOf(data) != t.digest {
		return errors.New("table of chunks: its digest does not fit")
	}
	if m.Chunks, err = decodeTable(data); err != nil {
		return err
	}
	return m.Validate()
}
