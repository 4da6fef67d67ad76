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
	// unstable asks how many offsets behind the ends given no consumer can read yet.
	unstable func(ctx context.Context, stable map[event.Partition]int64) (map[event.Partition]int64, error)

	mu        sync.Mutex
	end       map[event.Partition]int64
	count     map[string]int32
	checkedMs int64
	names     map[string]string
	readAt    time.Time

	stood   map[event.Partition]int64 // the ends when unstable was last asked for
	stoodAt time.Time
	hangs   map[event.Partition]int64 // what was unstable then, where the end has not moved since the time before
}

// hangsEvery is how long an end must stand still before what lies behind it counts as held up by a transaction.
const hangsEvery = 3 * time.Second

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
		if asked.Sub(w.stoodAt) >= hangsEvery {
			w.askUnstable(ctx, end, asked)
		}
	}
	asked = time.Now()
	names, err := w.serving(ctx)
	if err == nil {
		w.mu.Lock()
		w.names, w.readAt = names, asked
		w.mu.Unlock()
	}
}

// askUnstable looks at the partitions whose end has not moved since the last time.
func (w *watch) askUnstable(ctx context.Context, end map[event.Partition]int64, now time.Time) {
	still := make(map[event.Partition]int64)
	for p, at := range end { // order-free: by partition
		if before, known := w.stood[p]; known && before == at {
			still[p] = at
		}
	}
	w.stood, w.stoodAt = end, now
	var hangs map[event.Partition]int64
	if len(still) > 0 {
		var err error
		if hangs, err = w.unstable(ctx, still); err != nil {
			return // the metric stays as it was
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hangs = hangs
}

// heldUp is how many offsets a transaction that hangs keeps from being read.
func (w *watch) heldUp(p event.Partition) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hangs[p]
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
