package site

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"switchboard/internal/avrowire"
	"switchboard/internal/event"
)

// Door is a way in. It sends all items and gives the ids that were acknowledged; the caller sends again what was not, so an
// error is for the log alone.
type Door func(ctx context.Context, items []Item) (acknowledged []event.ID, err error)

// Producer sends batches through a door, until it is told to stop.
type Producer struct {
	Name   string
	Items  *Items
	Every  uint64 // it takes items Share, Share+Every, Share+2*Every, ...
	Share  uint64
	Batch  int
	Pause  time.Duration // between two batches: its own rhythm, nothing is waited for
	Ledger *Ledger
	Door   Door
	Says   func(format string, args ...any)
}

// Run sends until stop is closed, and then goes on with what it has begun until that is acknowledged, or ctx ends. Each batch is
// shuffled, and holds an item of before or of another producer for each twenty of its own.
func (p *Producer) Run(ctx context.Context, stop <-chan struct{}) error {
	r := rand.New(rand.NewPCG(p.Items.Seed, p.Share))
	for at := uint64(0); ; at += uint64(p.Batch) {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(p.Pause):
		}
		var items []Item
		for n := range uint64(p.Batch) {
			items = append(items, p.Items.At(p.Share+(at+n)*p.Every))
		}
		for range max(1, p.Batch/20) {
			items = append(items, p.Items.At(p.Share-p.Share%p.Every+r.Uint64N(p.Every*(at+uint64(p.Batch)))))
		}
		r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		if err := p.deliver(ctx, items); err != nil {
			return err
		}
	}
}

// deliver sends items until each is acknowledged.
func (p *Producer) deliver(ctx context.Context, items []Item) error {
	for _, i := range items {
		p.Ledger.Sends(i.ID())
	}
	for attempt := 0; ; attempt++ {
		acknowledged, err := p.Door(ctx, items)
		p.Ledger.Acknowledged(p.Name, acknowledged...)
		done := map[event.ID]bool{}
		for _, id := range acknowledged {
			done[id] = true
		}
		var left []Item
		for _, i := range items {
			if !done[i.ID()] {
				left = append(left, i)
			}
		}
		if items = left; len(items) == 0 {
			return nil
		}
		if p.Says != nil {
			p.Says("%s: attempt %d, %d items left: %v", p.Name, attempt, len(items), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %d items were never acknowledged: %w", p.Name, len(items), errors.Join(ctx.Err(), err))
		case <-time.After(time.Duration(min(attempt+1, 10)) * 100 * time.Millisecond): // as a client would
		}
	}
}

// HTTP is the door of the ingests that targets gives, asked in turn.
func HTTP(targets func() []string) Door {
	client := &http.Client{Timeout: 15 * time.Second}
	turn := 0
	return func(ctx context.Context, items []Item) ([]event.ID, error) {
		urls := targets()
		if len(urls) == 0 {
			return nil, errors.New("no ingest")
		}
		turn++
		at := urls[turn%len(urls)]
		var acknowledged []event.ID
		var failed []error
		reports, devices := split(items)
		for path, list := range map[string][]Item{"/v1/reports": reports, "/v1/device-events": devices} {
			ids, err := post(ctx, client, at+path, list)
			acknowledged = append(acknowledged, ids...)
			failed = append(failed, err)
		}
		return acknowledged, errors.Join(failed...)
	}
}

func split(items []Item) (reports, devices []Item) {
	for _, i := range items {
		if i.Report != nil {
			reports = append(reports, i)
		} else {
			devices = append(devices, i)
		}
	}
	return reports, devices
}

func (i *Item) submitted() any {
	if i.Report != nil {
		return i.Report
	}
	return i.Device
}

func post(ctx context.Context, client *http.Client, url string, items []Item) ([]event.ID, error) {
	if len(items) == 0 {
		return nil, nil
	}
	var list []any
	for _, i := range items {
		list = append(list, i.submitted())
	}
	body, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Items []struct {
			Index   int
			Status  string
			EventID string `json:"event_id"`
			Reason  string
		}
		Detail string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s: %w", resp.Status, err)
	}
	var acknowledged []event.ID
	for _, a := range answer.Items {
		want := items[a.Index].ID()
		switch {
		case a.Status == "accepted" && a.EventID == want.String():
			acknowledged = append(acknowledged, want)
		case a.Status == "accepted" || a.Status == "rejected":
			return acknowledged, fmt.Errorf("item %s was answered with %s %s %s", want, a.Status, a.EventID, a.Reason)
		}
	}
	return acknowledged, fmt.Errorf("%s %s", resp.Status, answer.Detail)
}

// Inbox is the door of foreign producers.
func (s *Site) Inbox() Door {
	s.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.MetadataMinAge(250*time.Millisecond), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(client.Close)
	enc, err := avrowire.NewEncoder(nil)
	if err != nil {
		s.Fatal(err)
	}
	return func(ctx context.Context, items []Item) ([]event.ID, error) {
		var records []*kgo.Record
		ids := map[*kgo.Record]event.ID{}
		for _, i := range items {
			r := &kgo.Record{Topic: s.Topics.DeviceInbox}
			var err error
			if i.Report != nil {
				r.Topic = s.Topics.ReportInbox
				r.Value, err = enc.EncodeSubmitted(nil, i.Report)
			} else {
				r.Value, err = enc.EncodeDeviceSubmitted(nil, i.Device)
			}
			if err != nil {
				return nil, err
			}
			records, ids[r] = append(records, r), i.ID()
		}
		var acknowledged []event.ID
		results := client.ProduceSync(ctx, records...)
		for _, one := range results {
			if one.Err == nil {
				acknowledged = append(acknowledged, ids[one.Record])
			}
		}
		return acknowledged, results.FirstErr()
	}
}

// Import is the command line with a file of NDJSON for each kind.
func (s *Site) Import() Door {
	s.Helper()
	dir := s.TempDir()
	return func(ctx context.Context, items []Item) ([]event.ID, error) {
		var acknowledged []event.ID
		reports, devices := split(items)
		for format, list := range map[string][]Item{"ndjson": reports, "device-ndjson": devices} {
			if len(list) == 0 {
				continue
			}
			var text bytes.Buffer
			enc := json.NewEncoder(&text)
			for _, i := range list {
				if err := enc.Encode(i.submitted()); err != nil {
					return acknowledged, err
				}
			}
			path := filepath.Join(dir, format)
			if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
				return acknowledged, err
			}
			out, err := s.Try(ctx, "import", path, "--format", format, "--output", "json", "--quiet")
			if err != nil {
				return acknowledged, err
			}
			var result struct{ Appended, Rejected int }
			if err := json.NewDecoder(strings.NewReader(out)).Decode(&result); err != nil || result.Appended != len(list) || result.Rejected > 0 {
				return acknowledged, fmt.Errorf("import of %d %s items: %v %s", len(list), format, err, out)
			}
			for _, i := range list {
				acknowledged = append(acknowledged, i.ID())
			}
		}
		return acknowledged, nil
	}
}
