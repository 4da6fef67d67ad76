package snapshot

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"switchboard/internal/event"
	"switchboard/internal/view"
)

// golden compares with testdata/name; GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s", name, got)
	}
}

func smallChunk() []byte {
	e := NewChunkEncoder(7, Section{Bucket: 100, Week: "2012-W05"}, 0)
	e.Record("timeline:a:2012-W05", []string{"f1", "v1", "f2", ""})
	e.Record("timeline:b:2012-W05", nil)
	return e.Bytes()
}

func smallManifest() *Manifest {
	return &Manifest{
		Identity: Identity{ClusterID: "cluster", TopicID: event.TopicID{1, 2, 3}, Of: facts, Partitions: 12, Fold: 1, Views: "card,timeline"},
		Next:     123456, LeaderEpoch: 7, HistoryFrom: 5, Tombstones: 1, Skipped: 2, AppliedAppendMs: 1_700_000_000_000, CreatedMs: 1_700_000_000_001, Bits: 7,
		Totals: view.Totals{Subjects: 2, Reports: 3, Calls: 3, Seconds: 100},
		Chunks: []Chunk{
			{Section: Section{Bucket: 1}, Digest: Digest{1}, Fields: 3, Size: 4, Packed: 5, Offsets: []int64{1000, 1001, 990}},
			{Section: Section{Bucket: 1, Week: "2012-W05"}, Digest: Digest{2}, Fields: 1, Size: 2, Packed: 3, Offsets: []int64{7}},
		},
		Offset: -1,
	}
}

// TestFormatIsPinned: what stands in a topic is read by every later version. The packed table is left out, since its bytes are those of a library.
func TestFormatIsPinned(t *testing.T) {
	m := smallManifest()
	data := encodeTable(m.Chunks)
	text := "chunk\n" + hex.Dump(smallChunk()) + "digest\n" + DigestOf(smallChunk()).String() + "\ntable\n" + hex.Dump(data) +
		"manifest, table in parts\n" + hex.Dump(m.encode(table{digest: DigestOf(data), size: int64(len(data)), length: 77, parts: []int64{300, 301}})) +
		"part\n" + hex.Dump(cut([]byte("packed"))[0]) +
		"keys\n" + Key{Of: facts, Kind: PartKind, Digest: Digest{1, 2}, Part: 3}.String() + "\n" + m.Key().String() + "\n" + Key{Of: facts, Kind: RetiredKind, Next: 9}.String() + "\nbuckets\n"
	for _, id := range []event.Subject{"", "+4915112345678", "+4915112345679", "a"} {
		text += string(id) + " " + hex.EncodeToString([]byte{byte(BucketOf(id, 8)), byte(BucketOf(id, 3)), byte(BucketOf(id, 0))}) + "\n"
	}
	golden(t, "format.golden", text)
	back, tb, err := decodeManifest(m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if err := back.fill(tb, tb.packed); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.Encode(), m.Encode()) || back.Totals != m.Totals || back.Identity != m.Identity || back.LeaderEpoch != 7 {
		t.Errorf("read back: %+v", back)
	}
}

// TestDamage: every cut and every flipped bit of a manifest and of a chunk is found.
//
//fault:s1 any byte changed, any cut: seen
func TestDamage(t *testing.T) {
	m := smallManifest()
	raw := m.Encode()
	for i := range raw {
		if _, _, err := decodeManifest(raw[:i]); err == nil {
			t.Errorf("a manifest cut off at %d is taken", i)
		}
		flipped := bytes.Clone(raw)
		flipped[i] ^= 1 << (i % 8)
		if _, _, err := decodeManifest(flipped); err == nil {
			t.Errorf("a manifest with a flipped bit in byte %d is taken", i)
		}
	}
	var newer *NewerError
	if _, _, err := decodeManifest(Reseal(raw, 2)); !errors.As(err, &newer) {
		t.Errorf("a newer manifest: %v", err)
	}
	chunk := smallChunk()
	for i := range chunk {
		flipped := bytes.Clone(chunk)
		flipped[i] ^= 1 << (i % 8)
		if DigestOf(flipped) == DigestOf(chunk) {
			t.Errorf("byte %d is not in the digest", i)
		}
	}
}

// TestManyParts: what is larger than a record is cut, in the sizes that brokers take, and put together again.
func TestManyParts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	e := NewChunkEncoder(0, Section{}, 0)
	var noise [3 << 20]byte
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	e.Record("card:a", []string{"f", string(noise[:])})
	data := e.Bytes()
	values := cut(pack(data))
	if len(values) != 4 {
		t.Errorf("%d parts", len(values))
	}
	var packed []byte
	for i, v := range values {
		part, parts, piece, err := readPart(v)
		if err != nil || part != i || parts != len(values) || len(v) > MaxRecord {
			t.Errorf("part %d: %d of %d, %d bytes, %v", i, part, parts, len(v), err)
		}
		packed = append(packed, piece...)
	}
	back, err := unpack(packed, int64(len(data)))
	if err != nil || !bytes.Equal(back, data) {
		t.Errorf("unpack: %v", err)
	}
}

// TestPackedTooWell: what compresses better than unpack believes comes back all the same.
func TestPackedTooWell(t *testing.T) {
	data := bytes.Repeat([]byte("a"), 64<<20)
	packed := pack(data)
	back, err := unpack(packed, int64(len(data)))
	if err != nil || !bytes.Equal(back, data) {
		t.Errorf("%d bytes packed to %d: %v", len(data), len(packed), err)
	}
}

// TestHostileSize: bytes that claim to be much more than they are cost next to nothing.
func TestHostileSize(t *testing.T) {
	small := packer.EncodeAll(bytes.Repeat([]byte{0}, 900<<20), nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, size := range []int64{900 << 20, 1 << 40, -1, 1, 1 << 20} {
		if _, err := unpack(small[:min(len(small), 1000)], size); err == nil {
			t.Errorf("%d bytes are taken for %d", len(small), size)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
		t.Errorf("%d bytes were allocated", used)
	}
}

func FuzzChunk(f *testing.F) {
	f.Add(smallChunk())
	f.Add([]byte("SWC1\x00\x00\x00\x01a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := NewChunkDecoder(data)
		if err != nil {
			return
		}
		e := NewChunkEncoder(d.Bits, d.At, 0)
		for d.Next() {
			e.Record(string(d.Key()), d.Fields())
		}
		if d.Err() == nil && !bytes.Equal(e.Bytes(), data) {
			t.Errorf("%x is read, and written as %x", data, e.Bytes())
		}
	})
}

func FuzzManifest(f *testing.F) {
	raw := smallManifest().Encode()
	f.Add(raw[:len(raw)-32], encodeTable(smallManifest().Chunks))
	f.Fuzz(func(t *testing.T, body, list []byte) {
		if len(body) > 6 {
			m, tb, err := decodeManifest(Reseal(append(body, make([]byte, 32)...), FormatVersion))
			if err == nil && tb.parts == nil {
				_ = m.fill(tb, tb.packed)
			}
		}
		if chunks, err := decodeTable(list); err == nil && !bytes.Equal(encodeTable(chunks), list) {
			t.Errorf("%x is read, and written as %x", list, encodeTable(chunks))
		}
	})
}

func FuzzPart(f *testing.F) {
	f.Add(cut(pack(smallChunk()))[0], int64(len(smallChunk())))
	f.Fuzz(func(_ *testing.T, value []byte, size int64) {
		if _, _, piece, err := readPart(value); err == nil {
			_, _ = unpack(piece, size)
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add("calls.reports/7/manifest/12")
	f.Add("calls.reports/7/" + strings.Repeat("ab", 32) + "/0")
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := ParseKey(text); err == nil && k.String() != text {
			t.Errorf("%q is read as %q", text, k)
		}
	})
}
