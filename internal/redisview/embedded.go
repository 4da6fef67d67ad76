package redisview

import (
	"fmt"

	"github.com/alicebob/miniredis/v2"
)

// Embedded is a Redis in this process, for trying and for tests: it keeps nothing on disk, and time in it stands still.
type Embedded struct{ server *miniredis.Miniredis }

// StartEmbedded starts one on host:port; port 0 takes a free one.
func StartEmbedded(addr string) (*Embedded, error) {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(addr); err != nil {
		return nil, fmt.Errorf("start the embedded Redis at %s: %w: choose another dev.redis_listen, or port 0", addr, err)
	}
	return &Embedded{server}, nil
}

// Addr is host:port as it got it.
func (e *Embedded) Addr() string { return e.server.Addr() }

// Close ends it; what it held is gone.
func (e *Embedded) Close() { e.server.Close() }
