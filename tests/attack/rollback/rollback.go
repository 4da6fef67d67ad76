// Package rollback sets all keys of one partition back to what they were, in one atomic step, as a failover to a lagging replica
// or an older dump would.
package rollback

import (
	"context"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/event"
)

var copyPartition = redis.NewScript(`
local out = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  out[#out + 1] = key
  out[#out + 1] = redis.call('DUMP', key)
end
return out`)

var restorePartition = redis.NewScript(`
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end
for i = 2, #ARGV, 2 do redis.call('RESTORE', ARGV[i], 0, ARGV[i + 1]) end
return #ARGV`)

// pattern matches every key of a partition. Braces are no special characters of a pattern.
func pattern(p event.Partition) string { return "v:{" + p.String() + "}:*" }

// Copy is what a partition holds now.
func Copy(ctx context.Context, rdb *redis.Client, p event.Partition) ([]any, error) {
	return copyPartition.Run(ctx, rdb, nil, pattern(p)).Slice()
}

// To sets a partition back to a copy of it.
func To(ctx context.Context, rdb *redis.Client, p event.Partition, copied []any) error {
	return restorePartition.Run(ctx, rdb, nil, append([]any{pattern(p)}, copied...)...).Err()
}
