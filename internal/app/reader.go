package app

import (
	"context"

	"switchboard/config"
	"switchboard/internal/console"
	"switchboard/internal/event"
	"switchboard/internal/intake"
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
	models, err := newRedis(cfg, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := models.Ping(ctx); err != nil {
		models.Close()
		return nil, nil, err
	}
	r := models.Reader(reports.Name, reports.Partitions)
	region := cfg.Ingest.DefaultRegion
	c = console.New(console.Ports{
		Partition: r.PartitionOf, Card: r.Card, Contacts: r.Contacts, Timeline: r.Timeline, Top: r.Top, Reach: r.Reach, Totals: r.Totals,
		Where: r.Where, Hash: r.VerifyHash, Wait: r.Wait,
		Normalise: func(id string) string { return intake.ParseNumber(id, region).ID },
	})
	return c, func() { models.Close() }, nil
}
