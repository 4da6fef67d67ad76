package app

import (
	"context"
	"errors"

	"switchboard/config"
	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/intake"
	"switchboard/internal/redisview"
	"switchboard/internal/view"
)

// OpenConsole connects the console to the read models. close ends its connections.
func OpenConsole(ctx context.Context, cfg *config.Config) (c *console.Console, closeIt func(), err error) {
	top, err := LoadTopology(cfg)
	if err != nil {
		return nil, nil, err
	}
	reports, err := factsTopic(top, event.Subscribers)
	if err != nil {
		return nil, nil, err
	}
	lifecycle, err := factsTopic(top, event.Devices)
	if err != nil {
		return nil, nil, err
	}
	models, err := newRedis(cfg, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := models.Ping(ctx); err != nil {
		models.Close()
		return nil, nil, err
	}
	r, d := models.Reader(reports.Name, reports.Partitions), models.Reader(lifecycle.Name, lifecycle.Partitions)
	h := hashing{r, d, cfg.Processor.FoldsDevices()}
	region := cfg.Ingest.DefaultRegion
	c = console.New(console.Ports{
		Partition: r.PartitionOf, Card: r.Card, Contacts: r.Contacts, Timeline: r.Timeline, Top: r.Top, Reach: r.Reach, Totals: r.Totals,
		Devices: console.DevicePorts{Partition: d.PartitionOf, Device: d.Device, Links: d.Links, Linked: d.Linked, List: d.Devices, Wait: d.Wait},
		Where:   r.Where, Hash: h.hash, Wait: r.Wait, HashWait: h.wait,
		Normalise: func(id string) string { return intake.ParseNumber(id, region).ID },
	})
	return c, func() { models.Close() }, nil
}

// hashing is the canonical hash over the read models of every kind of subjects that processor.views keeps.
type hashing struct {
	reports, devices *redisview.Reader
	both             bool
}

func (h hashing) hash(ctx context.Context) (view.HashAnswer, error) {
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

// wait takes a token of either topic.
func (h hashing) wait(ctx context.Context, t event.Token, only ...event.Partition) ([]view.Lag, error) {
	lags, err := h.reports.Wait(ctx, t, only...)
	if h.both && errors.Is(err, redisview.ErrToken) {
		if lags, other := h.devices.Wait(ctx, t, only...); !errors.Is(other, redisview.ErrToken) {
			return lags, other
		}
	}
	return lags, err
}
