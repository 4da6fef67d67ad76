package redisview

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// commands are those of a transaction, taken from pools and given back when it is answered. go-redis fixes the number of arguments when it makes
// a command, so that there is a pool for each number. Made anew for each transaction they were a quarter of all that a processor
// allocated at the head of the log.
type commands []*redis.StatusCmd

// pools are by number of arguments; larger commands are rare.
var pools [64]sync.Pool

// take is a command whose arguments are to be set. It expects a status: QUEUED.
func (c *commands) take(ctx context.Context, args int) *redis.StatusCmd {
	if args >= len(pools) {
		return redis.NewStatusCmd(ctx, make([]any, args)...)
	}
	cmd, ok := pools[args].Get().(*redis.StatusCmd)
	if !ok {
		cmd = redis.NewStatusCmd(ctx, make([]any, args)...)
	}
	*c = append(*c, cmd)
	return cmd
}

// release gives them back: nothing refers to them any more.
func (c *commands) release() {
	for _, cmd := range *c {
		args := cmd.Args()
		clear(args) // what they point to is not kept
		pools[len(args)].Put(cmd)
	}
	clear(*c)
	*c = (*c)[:0]
}
