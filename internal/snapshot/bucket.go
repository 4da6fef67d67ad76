package snapshot

import "switchboard/internal/event"

// MaxBits bounds the number of buckets.
const MaxBits = 16

// BucketOf is the bucket of a subject among 2^bits: the first bits of FNV-1a (64 bits) of its UTF-8 bytes, mixed as MurmurHash3 ends, since
// FNV alone leaves the last byte out of the first bits. It has nothing to do with the hash that chooses the partition. The number of
// buckets of a partition is decided by its first snapshot: another one would be another name for every chunk.
func BucketOf(id event.Subject, bits uint8) uint32 {
	if bits == 0 {
		return 0
	}
	h := uint64(14695981039346656037)
	for i := 0; i < len(id); i++ {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return uint32(h >> (64 - bits))
}
