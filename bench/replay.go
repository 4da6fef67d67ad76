package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// replay sends a recording as a bare pipeline: each lane on its own connection, each trip when the one before was answered.
func (s *servers) replay(ctx context.Context, r recording) (time.Duration, error) {
	conns := make([]net.Conn, len(r))
	for i := range conns {
		var err error
		if conns[i], err = (&net.Dialer{}).DialContext(ctx, "tcp", s.redis.Options().Addr); err != nil {
			return 0, err
		}
		defer conns[i].Close()
	}
	began := time.Now()
	var group errgroup.Group
	for i, lane := range r {
		group.Go(func() error {
			replies := bufio.NewReaderSize(conns[i], 64<<10)
			for _, t := range lane {
				if t.replies == 0 {
					continue
				}
				if _, err := conns[i].Write(t.bytes); err != nil {
					return err
				}
				for range t.replies {
					if err := skipReply(replies); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return time.Since(began), errors.Join(err, ctx.Err())
}

// skipReply reads one reply. An error that Redis answers is an error.
func skipReply(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	switch line[0] {
	case '-':
		return fmt.Errorf("replay: Redis answers %q", line)
	case '$', '*':
		n, err := strconv.Atoi(string(line[1 : len(line)-2]))
		if err != nil {
			return fmt.Errorf("replay: bad reply %q", line)
		}
		if line[0] == '$' && n >= 0 {
			_, err = r.Discard(n + 2)
			return err
		}
		for range n { // not at all for nil, -1
			if err := skipReply(r); err != nil {
				return err
			}
		}
	}
	return nil
}
