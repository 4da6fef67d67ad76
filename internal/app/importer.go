package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"switchboard/config"
	"switchboard/internal/event"
	"switchboard/internal/intake"
	"switchboard/internal/kafkalog"
)

// Importer appends the reports, or device events, of a file to the log. Ingest need not run; doing it again changes nothing, since the same content has
// the same id.
type Importer struct {
	Config *config.Config
	Logger *slog.Logger
	File   string
	// Rejects is where bad rows are listed as file:line: reason; it is made with the first of them, and the list of an earlier import
	// goes. "" is File with .rejects, or stdin.rejects.
	Rejects string
	Options intake.FileOptions
	// Progress, if not nil, is told now and then how many bytes of how many were read.
	Progress func(read, size int64)
}

// ImportResult is what became of a file.
type ImportResult struct {
	Source string            // of the facts: import: and the digest of the file
	About  event.SubjectKind // what the facts, and so the token, are about
	intake.FileStats
	Appended int64       // facts acknowledged by all replicas
	Token    event.Token // a query that is given it waits for all of them
	Rejects  string      // the file of bad rows; "" when there is none
}

// Run reads the file to its end. On an error the result says what had been appended.
func (im *Importer) Run(ctx context.Context) (ImportResult, error) {
	in, err := intake.New(intake.Options{DefaultRegion: im.Config.Import.DefaultRegion})
	if err != nil {
		return ImportResult{}, &config.Error{Key: "import.default_region", Problem: err.Error()}
	}
	top, err := LoadTopology(im.Config)
	if err != nil {
		return ImportResult{}, err
	}
	options, err := kafkaOptions(im.Config, im.Logger, nil)
	if err != nil {
		return ImportResult{}, err
	}
	f, err := newFacts(top)
	if err != nil {
		return ImportResult{}, err
	}
	reader, err := in.Open(im.File, im.Options)
	if err != nil {
		return ImportResult{}, err
	}
	defer reader.Close()
	if err := im.forgetRejects(); err != nil {
		return ImportResult{}, fmt.Errorf("file of rejected rows: %w", err)
	}
	if err := checkTopology(ctx, im.Config, options, top); err != nil {
		return ImportResult{}, err
	}
	topicID, err := topicID(ctx, options, f.topics[reader.About()].Name)
	if err != nil {
		return ImportResult{}, err
	}
	appender, err := kafkalog.NewAppender(kafkalog.AppenderOptions{
		Options: options, MaxBufferedRecords: im.Config.Import.MaxBufferedRecords, MaxBufferedBytes: int(im.Config.Import.MaxBufferedBytes),
	})
	if err != nil {
		return ImportResult{}, err
	}
	defer closeAppender(appender, im.Config)
	run := &importRun{Importer: im, reader: reader, appender: appender, facts: f}
	run.result.Token.Topic, run.result.About = topicID, reader.About()
	err = run.all(ctx)
	return run.result, err
}

// importRun is one run of an Importer.
type importRun struct {
	*Importer
	reader   *intake.Reader
	appender *kafkalog.Appender
	facts    *facts

	mu      sync.Mutex // guards what acknowledgements write
	result  ImportResult
	failed  error
	waiting sync.WaitGroup

	rejects *bufio.Writer
	file    *os.File
}

func (r *importRun) all(ctx context.Context) error {
	err := r.read(ctx)
	settled := make(chan struct{}) // when every append has an outcome: acknowledged, or an error
	go func() {
		defer close(settled)
		r.waiting.Wait()
	}()
	select {
	case <-settled:
	case <-ctx.Done():
		closeAppender(r.appender, r.Config) // what the log does not take in time gets its outcome all the same
		<-settled
	}
	r.result.Source, r.result.FileStats = r.reader.Source(), r.reader.Stats()
	return errors.Join(err, r.firstFailure(), r.closeRejects())
}

func (r *importRun) read(ctx context.Context) error {
	for n := 0; ; n++ {
		if n%512 == 0 && r.Progress != nil {
			r.Progress(r.reader.Position(), r.reader.Size())
		}
		e, reject, err := r.reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			if r.Progress != nil {
				r.Progress(r.reader.Size(), r.reader.Size())
			}
			return nil
		case err != nil:
			return err
		case reject != nil:
			if err := r.reject(reject); err != nil {
				return err
			}
			continue
		}
		if err := r.append(ctx, e); err != nil {
			return err
		}
	}
}

// append waits for room in the buffer only; what becomes of the record is told later.
func (r *importRun) append(ctx context.Context, e event.Event) error {
	record, err := r.facts.record(e)
	if err != nil {
		return err
	}
	if err := errors.Join(ctx.Err(), r.firstFailure()); err != nil {
		return err
	}
	r.waiting.Add(1)
	r.appender.AppendAsync(ctx, record, func(result kafkalog.Result) {
		defer r.waiting.Done()
		r.mu.Lock()
		defer r.mu.Unlock()
		if result.Err != nil {
			if r.failed == nil {
				r.failed = fmt.Errorf("append to %s: %w; running the import again is safe", record.Partition, result.Err)
			}
			return
		}
		r.result.Appended++
		r.result.Token.Cover(record.Partition.Number, result.Offset)
	})
	return nil
}

func (r *importRun) firstFailure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// rejectsName is the file that lists bad rows.
func (im *Importer) rejectsName() string {
	switch {
	case im.Rejects != "":
		return im.Rejects
	case im.File == "-":
		return "stdin.rejects" // a name that begins with a dash is an option to most programs
	}
	return im.File + ".rejects"
}

// forgetRejects removes the list of an earlier import: it says nothing of this one. What is imported is never taken for that.
func (im *Importer) forgetRejects() error {
	name := im.rejectsName()
	list, err1 := os.Stat(name)
	in, err2 := os.Stat(im.File)
	if err1 == nil && err2 == nil && os.SameFile(list, in) {
		return fmt.Errorf("%s is the file that is imported: give another", name)
	}
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return os.Remove(name)
}

func (r *importRun) reject(row *intake.Reject) error {
	if r.rejects == nil {
		name := r.rejectsName()
		f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("file of rejected rows: %w", err)
		}
		r.file, r.rejects, r.result.Rejects = f, bufio.NewWriter(f), name
	}
	_, err := fmt.Fprintln(r.rejects, row)
	return err
}

func (r *importRun) closeRejects() error {
	if r.rejects == nil {
		return nil
	}
	return errors.Join(r.rejects.Flush(), r.file.Close())
}
