package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"switchboard/config"
	"switchboard/internal/event"
	"switchboard/internal/view"
)

// WaitFor waits until the read models hold everything that a token of facts about such subjects covers. After the time given the error names the
// partitions that lag.
func WaitFor(ctx context.Context, cfg *config.Config, about event.SubjectKind, token event.Token, wait time.Duration) error {
	if len(token.Next) == 0 {
		return nil
	}
	top, err := LoadTopology(cfg)
	if err != nil {
		return err
	}
	topic, err := factsTopic(top, about)
	if err != nil {
		return err
	}
	models, err := newRedis(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer models.Close()
	if err := models.Ping(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	lags, err := models.Reader(topic.Name, topic.Partitions).Wait(ctx, token)
	if err != nil {
		return err
	}
	if len(lags) == 0 {
		return nil
	}
	return fmt.Errorf("the read models have not reached everything within %s: %s; is a processor running?", wait, lagsText(lags))
}

func lagsText(lags []view.Lag) string {
	var parts []string
	for _, l := range lags {
		at := "not served"
		if l.Next >= 0 {
			at = fmt.Sprintf("at %d", l.Next)
		}
		parts = append(parts, fmt.Sprintf("%s is %s of %d", l.Partition, at, l.Want))
	}
	return strings.Join(parts, ", ")
}
