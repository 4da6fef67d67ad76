package app

import (
	"context"
	"sync"
	"time"

	"switchboard/internal/event"
	"switchboard/internal/pipeline"
)

// watch asks, once a second for all lanes of the process, where the log ends and which generations serve. A question that
// fails leaves the last answer, with its time: staleness then grows, as it should.
type watch struct {
	ends    func(ctx context.Context) (map[event.Partition]int64, error)
	serving func(ctx context.Context) (map[string]string, error)

	mu        sync.Mutex
	end       map[event.Partition]int64
	count     map[string]int32
	checkedMs int64
	names     map[string]string
	readAt    time.Time
}

func (w *watch) run(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		w.ask(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// ask asks both questions; checkedMs and readAt are the times before them.
func (w *watch) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	asked := time.Now()
	end, err := w.ends(ctx)
	if err == nil {
		w.mu.Lock()
		w.end, w.checkedMs = end, asked.UnixMilli()
		w.count = make(map[string]int32)
		for p := range end {
			w.count[p.Topic]++
		}
		w.mu.Unlock()
	}
	asked = time.Now()
	names, err := w.serving(ctx)
	if err == nil {
		w.mu.Lock()
		w.names, w.readAt = names, asked
		w.mu.Unlock()
	}
}

// watermark is pipeline.Deps.Watermark.
func (w *watch) watermark(p event.Partition) (end, checkedMs int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	end, known := w.end[p]
	if !known {
		return 0, 0
	}
	return end, w.checkedMs
}

// counted is pipeline.Deps.Counted.
func (w *watch) counted(topic string) int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count[topic]
}

// served is pipeline.Deps.Served.
func (w *watch) served(p event.Partition) (pipeline.Generation, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return pipeline.Generation(w.names[p.String()]), w.readAt
}
