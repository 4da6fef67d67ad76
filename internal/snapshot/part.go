package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// A part is a record that holds a slice of a packed (zstd) chunk behind a header: "SWP1", part, parts, two bytes each. The count is in each part, since the
// same chunk may have been written twice and cut otherwise by another version of the library.

const (
	partMagic  = "SWP1"
	partHeader = len(partMagic) + 4
	maxParts   = 1 << 16

	// MaxRecord bounds the value of a record: brokers take 1 MiB.
	MaxRecord = 900 << 10
	// MaxChunk bounds the canonical bytes of a chunk.
	MaxChunk = 1 << 30
	// maxRatio bounds what packed bytes may claim to be, beside a megabyte, so that hostile bytes stay small in memory. Ours come to
	// between 2 and 20.
	maxRatio = 400
)

// The coders are for any number of goroutines. One block at a time: a chunk is packed while the next is not there yet.
var (
	packer   = must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20)))
	unpacker = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecodeAllCapLimit(true)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // of constant options
	}
	return v
}

// pack compresses canonical bytes. What compresses better than unpack believes (a counterpart may be 50,000 times the same letter) is padded by
// a frame that decoders skip.
func pack(data []byte) []byte {
	packed := packer.EncodeAll(data, make([]byte, 0, len(data)/3+64))
	if short := (int64(len(data))-1<<20)/maxRatio + 1 - int64(len(packed)); short > 0 {
		packed = binary.LittleEndian.AppendUint32(packed, 0x184D2A50) // RFC 8878, 3.1.2
		packed = binary.LittleEndian.AppendUint32(packed, uint32(short))
		packed = append(packed, make([]byte, short)...)
	}
	return packed
}

// unpack decompresses to exactly size bytes.
func unpack(packed []byte, size int64) ([]byte, error) {
	if size < 0 || size > MaxChunk || size > 1<<20+maxRatio*int64(len(packed)) {
		return nil, fmt.Errorf("%d bytes claim to be %d", len(packed), size)
	}
	data, err := unpacker.DecodeAll(packed, make([]byte, 0, size))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	if int64(len(data)) != size {
		return nil, fmt.Errorf("%d bytes where %d are written", len(data), size)
	}
	return data, nil
}

// cut makes the values of the records that hold a packed chunk.
func cut(packed []byte) [][]byte {
	const room = MaxRecord - partHeader
	parts := max(1, (len(packed)+room-1)/room)
	values := make([][]byte, 0, parts)
	for i := range parts {
		piece := packed[i*room : min(len(packed), (i+1)*room)]
		v := append(make([]byte, 0, partHeader+len(piece)), partMagic...)
		v = binary.BigEndian.AppendUint16(v, uint16(i))
		v = binary.BigEndian.AppendUint16(v, uint16(parts))
		values = append(values, append(v, piece...))
	}
	return values
}

var errPart = errors.New("no part of a chunk")

// readPart reads the value of a record that holds a part.
func readPart(value []byte) (part, parts int, piece []byte, err error) {
	if len(value) < partHeader || string(value[:len(partMagic)]) != partMagic {
		return 0, 0, nil, errPart
	}
	part, parts = int(binary.BigEndian.Uint16(value[4:])), int(binary.BigEndian.Uint16(value[6:]))
	if part >= parts {
		return 0, 0, nil, errPart
	}
	return part, parts, value[partHeader:], nil
}
