package app

import (
	"context"
	"errors"
	"log/slog"

	"switchboard/config"
	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/intake"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
)

// OpenConsole connects the console to the read models. close ends its connections.
func OpenConsole(ctx context.Context, cfg *config.Config) (c *console.Console, closeIt func(), err error) {
	h, closeIt, err := openReaders(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	r, d, region := h.reports, h.devices, cfg.Ingest.DefaultRegion
	return console.New(console.Ports{
		Partition: r.PartitionOf, Card: r.Card, Contacts: r.Contacts, Timeline: r.Timeline, Top: r.Top, Reach: r.Reach, Totals: r.Totals,
		Devices: console.DevicePorts{Partition: d.PartitionOf, Device: d.Device, Links: d.Links, Linked: d.Linked, List: d.Devices, Where: d.WhereDevice, Wait: d.Wait},
		Where:   r.Where, Hash: h.hash, Wait: r.Wait, HashWait: h.wait,
		Normalise: func(id string) string { return intake.ParseNumber(id, region).ID },
	}), closeIt, nil
}

// openReaders connects to the read models of every kind of subjects.
func openReaders(ctx context.Context, cfg *config.Config) (h readers, closeIt func(), err error) {
	top, err := LoadTopology(cfg)
	if err != nil {
		return h, nil, err
	}
	reports, err := factsTopic(top, event.Subscribers)
	if err != nil {
		return h, nil, err
	}
	lifecycle, err := factsTopic(top, event.Devices)
	if err != nil {
		return h, nil, err
	}
	models, err := newRedis(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return h, nil, err
	}
	if err := models.Ping(ctx); err != nil {
		models.Close()
		return h, nil, err
	}
	h = readers{models.Reader(reports.Name, reports.Partitions), models.Reader(lifecycle.Name, lifecycle.Partitions), cfg.Processor.FoldsDevices()}
	return h, func() { models.Close() }, nil
}

// readers read the read models of every kind of subjects; both: processor.views keeps those of devices.
type readers struct {
	reports, devices *redisview.Reader
	both             bool
}

// hash is the canonical hash over all of them.
func (h readers) hash(ctx context.Context) (view.HashAnswer, error) {
	answer, err := h.reports.VerifyHash(ctx)
	if err != nil || !h.both {
		return answer, err
	}
	devices, err := h.devices.VerifyHash(ctx)
	for _, part := range devices.Parts {
		answer.Add(part)
	}
	return answer, err
}

// of is the reader of a topic.
func (h readers) of(topic string) *redisview.Reader {
	if h.devices.PartitionOf("").Topic == topic {
		return h.devices
	}
	return h.reports
}

// wait takes a token of either topic.
func (h readers) wait(ctx context.Context, t event.Token, only ...event.Partition) ([]view.Lag, error) {
	lags, err := h.reports.Wait(ctx, t, only...)
	if h.both && errors.Is(err, redisview.ErrToken) {
		if lags, other := h.devices.Wait(ctx, t, only...); !errors.Is(other, redisview.ErrToken) {
			return lags, other
		}
	}
	return lags, err
}
