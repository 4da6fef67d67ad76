// Package schemas holds every Avro schema that was ever published. A published schema is never
// edited: what was written with it can be read for ever. A change is a new version, one file
// NAME.vN.avsc and one line in the list.
package schemas

import (
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
)

// State tells whether a version is written.
type State string

// The states of a version.
const (
	StateCurrent State = "current" // what is written; the version that everything is read as
	StateOld     State = "old"     // no longer written, readable for ever
)

// Version names one version of the schema of one record.
type Version struct {
	Record string // short name of the record, such as CallReported
	Number int    // 1, 2, ...
	File   string
	State  State
}

// String is the name for people, such as CallReported v1.
func (v Version) String() string { return v.Record + " v" + strconv.Itoa(v.Number) }

// list is every version ever published; the versions of a record stand together, ascending.
var list = []Version{
	{"CallReported", 1, "call_reported.v1.avsc", StateCurrent},
	{"TextReported", 1, "text_reported.v1.avsc", StateCurrent},
	{"CallReportAmended", 1, "call_report_amended.v1.avsc", StateCurrent},
	{"ReportSubmitted", 1, "report_submitted.v1.avsc", StateCurrent},
	{"DeviceConnected", 1, "device_connected.v1.avsc", StateCurrent},
	{"DeviceRenamed", 1, "device_renamed.v1.avsc", StateCurrent},
	{"DeviceLinked", 1, "device_linked.v1.avsc", StateCurrent},
	{"DeviceUnlinked", 1, "device_unlinked.v1.avsc", StateCurrent},
	{"DeviceDisconnected", 1, "device_disconnected.v1.avsc", StateCurrent},
	{"DeviceEventSubmitted", 1, "device_event_submitted.v1.avsc", StateCurrent},
}

//go:embed *.avsc fingerprints.txt
var files embed.FS

// pinFile names the file with the pins, beside the schemas.
const pinFile = "fingerprints.txt"

// Schema is one published version with its text.
type Schema struct {
	Version
	Text        string // JSON, as published
	Fingerprint uint64 // CRC-64-AVRO of the canonical form, as pinned; little-endian on the wire
}

// All lists every version, in the order of the list.
func All() []Schema { return append([]Schema(nil), published().all...) }

// Current returns the version of a record that is written.
func Current(record string) (Schema, bool) {
	for _, s := range published().all {
		if s.Record == record && s.State == StateCurrent {
			return s, true
		}
	}
	return Schema{}, false
}

// ByFingerprint returns the version with that fingerprint.
func ByFingerprint(fingerprint uint64) (Schema, bool) {
	s, ok := published().byFingerprint[fingerprint]
	return s, ok
}

type catalogue struct {
	all           []Schema
	byFingerprint map[uint64]Schema
}

// published reads the embedded files once. A file that does not fit the list is a broken build.
var published = sync.OnceValue(func() catalogue {
	pins, err := readPins(files)
	if err != nil {
		panic(err)
	}
	c := catalogue{byFingerprint: make(map[uint64]Schema, len(list))}
	for _, v := range list {
		text, err := files.ReadFile(v.File)
		if err != nil {
			panic(fmt.Errorf("schemas: %s: %w", v, err))
		}
		pin, ok := pins[v.File]
		if !ok {
			panic(fmt.Errorf("schemas: %s: %s has no line in %s", v, v.File, pinFile))
		}
		s := Schema{Version: v, Text: string(text), Fingerprint: pin.rabin}
		c.all = append(c.all, s)
		c.byFingerprint[s.Fingerprint] = s
	}
	return c
})

// pin is what a published file is held to.
type pin struct {
	rabin     uint64 // CRC-64-AVRO of the canonical form
	canonical string // SHA-256 of the canonical form
	meaning   string // SHA-256 of the schema without its prose: the canonical form has no defaults and no logical types
}

func (p pin) line(file string) string {
	return fmt.Sprintf("%s %016x %s %s\n", file, p.rabin, p.canonical, p.meaning)
}

func readPins(fsys fs.FS) (map[string]pin, error) {
	text, err := fs.ReadFile(fsys, pinFile)
	if err != nil {
		return nil, fmt.Errorf("schemas: read the pins: %w", err)
	}
	pins := map[string]pin{}
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 4 {
			return nil, fmt.Errorf("schemas: %s:%d: want file, fingerprint and two digests", pinFile, n+1)
		}
		rabin, err := strconv.ParseUint(f[1], 16, 64)
		if err != nil {
			return nil, fmt.Errorf("schemas: %s:%d: the fingerprint is no 16 hexadecimal digits", pinFile, n+1)
		}
		pins[f[0]] = pin{rabin: rabin, canonical: f[2], meaning: f[3]}
	}
	return pins, nil
}
