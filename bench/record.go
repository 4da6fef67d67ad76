package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// recorder keeps what a processor sends to Redis: for each connection a file of trips, each its time (Unix nanoseconds), its length and its
// bytes. A trip is what is written before something is read. It costs one write to the page cache for each trip.
type recorder struct{ folder string }

func (r recorder) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(r.folder, "*.trips")
	if err != nil {
		return nil, err
	}
	return &recorded{Conn: conn, file: f}, nil
}

type recorded struct {
	net.Conn
	file *os.File
	trip []byte // its header and what was written so far
}

const tripHeader = 8 + 4

func (r *recorded) Write(b []byte) (int, error) {
	if len(r.trip) == 0 {
		r.trip = binary.BigEndian.AppendUint64(r.trip, uint64(time.Now().UnixNano()))
		r.trip = append(r.trip, 0, 0, 0, 0)
	}
	r.trip = append(r.trip, b...)
	return r.Conn.Write(b)
}

func (r *recorded) Read(b []byte) (int, error) {
	r.keep()
	return r.Conn.Read(b)
}

func (r *recorded) Close() error {
	r.keep()
	r.file.Close()
	return r.Conn.Close()
}

func (r *recorded) keep() {
	if len(r.trip) == 0 {
		return
	}
	binary.BigEndian.PutUint32(r.trip[8:], uint32(len(r.trip)-tripHeader))
	_, _ = r.file.Write(r.trip)
	r.trip = r.trip[:0]
}

// trip is commands that are sent together.
type trip struct {
	at      time.Time
	bytes   []byte
	replies int   // as many as there are commands
	next    int64 // the position that it moves to; -1: none
}

// recording is what a processor sent, one list of trips for each lane.
type recording [][]trip

func readRecording(folder string) (recording, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.trips"))
	if err != nil {
		return nil, err
	}
	var all recording
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		list, err := readTrips(bufio.NewReaderSize(f, 1<<20))
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(list) > 0 {
			all = append(all, list)
		}
	}
	return all, nil
}

func readTrips(r io.Reader) ([]trip, error) {
	var list []trip
	var header [tripHeader]byte
	for {
		switch _, err := io.ReadFull(r, header[:]); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, err
		}
		t := trip{at: time.Unix(0, int64(binary.BigEndian.Uint64(header[:]))), bytes: make([]byte, binary.BigEndian.Uint32(header[8:])), next: -1}
		if _, err := io.ReadFull(r, t.bytes); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
}

// fence is the part of a trip that is no read model: transaction, WATCH, position.
const fence = "fence"

// only keeps the commands whose read model keep accepts, and drops trips and lanes without any. The position that a trip moved to stays known.
func (r recording) only(keep func(view string) bool) (recording, error) {
	var out recording
	for _, lane := range r {
		var list []trip
		any := false
		for _, t := range lane {
			kept := trip{at: t.at, next: -1}
			err := eachCommand(t.bytes, func(raw []byte, args []string) {
				view := viewOf(args)
				if next, ok := movesTo(args); ok {
					kept.next = next
				}
				if view != "" && keep(view) {
					kept.bytes = append(kept.bytes, raw...)
					kept.replies++
				}
			})
			if err != nil {
				return nil, err
			}
			any = any || kept.replies > 0
			if kept.replies > 0 || kept.next >= 0 {
				list = append(list, kept)
			}
		}
		if any {
			out = append(out, list)
		}
	}
	return out, nil
}

// between keeps the trips begun in a span of time; before are those begun earlier.
func (r recording) between(from, to time.Time) (before, within recording) {
	for _, lane := range r {
		var a, b []trip
		for _, t := range lane {
			switch {
			case t.at.Before(from):
				a = append(a, t)
			case t.at.Before(to):
				b = append(b, t)
			}
		}
		before, within = append(before, a), append(within, b)
	}
	return before, within
}

// events is how far the recording moves all positions, given those that were reached before it.
func (r recording) events(before recording) (n int64) {
	for i, lane := range r {
		last := int64(-1)
		for _, t := range lane {
			last = max(last, t.next)
		}
		if last < 0 {
			continue
		}
		first := int64(0)
		if before != nil {
			for _, t := range before[i] {
				first = max(first, t.next)
			}
		}
		n += last - first
	}
	return n
}

// size is the bytes and commands of a recording.
func (r recording) size() (bytes, commands int64) {
	for _, lane := range r {
		for _, t := range lane {
			bytes += int64(len(t.bytes))
			commands += int64(t.replies)
		}
	}
	return bytes, commands
}

// viewOf is the read model that a command is about, fence, or "" for what belongs to no lane.
func viewOf(args []string) string {
	switch strings.ToUpper(args[0]) {
	case "MULTI", "EXEC":
		return fence
	}
	if len(args) < 2 {
		return ""
	}
	_, rest, ok := strings.Cut(args[1], "}:g")
	if !ok || !strings.HasPrefix(args[1], "v:{") {
		return ""
	}
	_, name, ok := strings.Cut(rest, ":")
	if !ok {
		return "" // generations
	}
	view, _, _ := strings.Cut(name, ":")
	if view == "pos" {
		return fence
	}
	return view
}

// movesTo is the position that a command writes.
func movesTo(args []string) (int64, bool) {
	if len(args) < 4 || !strings.EqualFold(args[0], "HSET") || !strings.HasSuffix(args[1], ":pos") {
		return 0, false
	}
	for i := 2; i+1 < len(args); i += 2 {
		if args[i] == "next" {
			n, err := strconv.ParseInt(args[i+1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

var errCommand = errors.New("a recorded trip is no list of commands")

// eachCommand cuts a trip into its commands. Of each it gives at most the first 24 arguments.
func eachCommand(b []byte, f func(raw []byte, args []string)) error {
	number := func(mark byte) (int, bool) {
		if len(b) == 0 || b[0] != mark {
			return 0, false
		}
		for i := 1; i+1 < len(b); i++ {
			if b[i] == '\r' {
				n, err := strconv.Atoi(string(b[1:i]))
				b = b[i+2:]
				return n, err == nil && n >= 0
			}
		}
		return 0, false
	}
	var args []string
	for len(b) > 0 {
		begin := b
		n, ok := number('*')
		if !ok || n == 0 {
			return errCommand
		}
		args = args[:0]
		for range n {
			size, ok := number('$')
			if !ok || size+2 > len(b) {
				return errCommand
			}
			if len(args) < 24 {
				args = append(args, string(b[:size]))
			}
			b = b[size+2:]
		}
		f(begin[:len(begin)-len(b)], args)
	}
	return nil
}
