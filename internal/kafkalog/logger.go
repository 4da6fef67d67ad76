package kafkalog

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// clientLogger passes on what franz-go reports. Its levels are lowered by one: what it calls information
// is of use only when something is looked for. At no level does it log records.
type clientLogger struct{ to *slog.Logger }

func (l clientLogger) Level() kgo.LogLevel {
	switch {
	case l.to.Enabled(context.Background(), slog.LevelDebug):
		return kgo.LogLevelInfo
	case l.to.Enabled(context.Background(), slog.LevelWarn):
		return kgo.LogLevelWarn
	}
	return kgo.LogLevelNone
}

func (l clientLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug
	switch level {
	case kgo.LogLevelError:
		to = slog.LevelWarn
	case kgo.LogLevelWarn:
		to = slog.LevelInfo
	}
	l.to.Log(context.Background(), to, "kafka client: "+msg, keyvals...)
}

// seldom lets one message of a kind through in ten seconds.
type seldom struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (s *seldom) ok(kind string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.last[kind]) > 10*time.Second {
		if s.last == nil {
			s.last = make(map[string]time.Time)
		}
		s.last[kind] = now
		return true
	}
	return false
}
