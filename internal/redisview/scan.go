package redisview

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/pipeline"
	"switchboard/internal/view"
)

// record is a field of a hash, or a member of a sorted set with its score.
type record struct {
	lane              *pipeline.LaneID
	key, field, value string // the key without prefix
}

const (
	scanKeys  = 1000 // keys looked at in one step of SCAN
	scanBatch = 200  // hashes read in one trip
)

// scan calls each for every record of some generations, pos apart, in no order, once each. It walks over the whole keyspace
// of every node once, whatever the number of generations. It needs SCAN, which the console's Redis user does not have. Records
// that are written meanwhile may or may not be met.
func (c *Client) scan(ctx context.Context, lanes []pipeline.LaneID, each func(record) error) error {
	if len(lanes) == 0 {
		return nil
	}
	s := &scanner{ctx: ctx, lanes: map[string]*pipeline.LaneID{}, each: each, seen: map[[16]byte]struct{}{}}
	pattern := Prefix(lanes[0]) + "*"
	for i := range lanes {
		s.lanes[Prefix(lanes[i])] = &lanes[i]
		if lanes[i] != lanes[0] {
			pattern = "v:{*"
		}
	}
	switch client := c.shared.(type) {
	case *redis.ClusterClient:
		return client.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return s.node(node, pattern) })
	case *redis.Client:
		return s.node(client, pattern)
	}
	return fmt.Errorf("scan: unknown client %T", c.shared)
}

type scanner struct {
	ctx   context.Context
	lanes map[string]*pipeline.LaneID
	mu    sync.Mutex // ForEachMaster asks the nodes at one time
	each  func(record) error
	seen  map[[16]byte]struct{} // digests of keys: SCAN may name one twice
}

// keyAt is a key of a lane, and how far it has been read.
type keyAt struct {
	lane   *pipeline.LaneID
	full   string
	key    string // without prefix
	zset   bool
	cursor uint64
	fields map[string]struct{} // met so far; nil while nothing was
}

// node walks over one node.
func (s *scanner) node(client *redis.Client, pattern string) error {
	for cursor, begun := uint64(0), false; cursor != 0 || !begun; begun = true {
		names, next, err := client.Scan(s.ctx, cursor, pattern, scanKeys).Result()
		if err != nil {
			return fmt.Errorf("scan %s: %w", client.Options().Addr, err)
		}
		cursor = next
		keys := make([]*keyAt, 0, len(names))
		for _, name := range names {
			if k := s.key(name); k != nil {
				keys = append(keys, k)
			}
		}
		for len(keys) > 0 {
			batch := keys[:min(len(keys), scanBatch)]
			keys = keys[len(batch):]
			if err := s.read(client, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// key is a key of one of the lanes that was not met before, or nil.
func (s *scanner) key(name string) *keyAt {
	end := strings.Index(name, "}:g")
	if end < 0 {
		return nil
	}
	colon := strings.IndexByte(name[end+3:], ':')
	if colon < 0 {
		return nil
	}
	prefix := name[:end+3+colon+1]
	lane, rest := s.lanes[prefix], name[len(prefix):]
	if lane == nil || rest == "pos" {
		return nil
	}
	digest := sha256.Sum256([]byte(name))
	id := [16]byte(digest[:16])
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.seen[id]; twice {
		return nil
	}
	s.seen[id] = struct{}{}
	return &keyAt{lane: lane, full: name, key: rest, zset: view.Scored(rest)}
}

// read reads keys to their ends, all of them one step in each trip.
func (s *scanner) read(client *redis.Client, keys []*keyAt) error {
	count := int64(longFields)
	for len(keys) > 0 {
		pipe := client.Pipeline()
		pages := make([]*redis.ScanCmd, len(keys))
		for i, k := range keys {
			if k.zset {
				pages[i] = pipe.ZScan(s.ctx, k.full, k.cursor, "", count)
			} else {
				pages[i] = pipe.HScan(s.ctx, k.full, k.cursor, "", count)
			}
		}
		if _, err := pipe.Exec(s.ctx); err != nil {
			return fmt.Errorf("scan %s: %w", client.Options().Addr, err)
		}
		var more []*keyAt
		for i, k := range keys {
			fields, cursor := pages[i].Val()
			if err := s.take(k, fields, cursor); err != nil {
				return err
			}
			if k.cursor = cursor; cursor != 0 {
				more = append(more, k)
			}
		}
		keys, count = more, pageFields
	}
	return nil
}

// take delivers one page.
func (s *scanner) take(k *keyAt, fields []string, cursor uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.fields == nil && cursor != 0 {
		k.fields = make(map[string]struct{}, 2*len(fields))
	}
	return eachPair(fields, func(field, value string) error {
		if k.fields != nil {
			if _, twice := k.fields[field]; twice {
				return nil
			}
			k.fields[field] = struct{}{}
		}
		if k.zset {
			score, err := strconv.ParseFloat(value, 64)
			if err != nil || score != float64(int64(score)) {
				return fmt.Errorf("%s: the score of %s is no whole number", k.full, field)
			}
			value = strconv.FormatInt(int64(score), 10)
		}
		return s.each(record{k.lane, k.key, field, value})
	})
}
