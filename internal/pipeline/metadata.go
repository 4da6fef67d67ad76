package pipeline

import (
	"fmt"
	"hash/crc32"
	"regexp"
	"strconv"
	"strings"

	"switchboard/internal/event"
)

// Certificate is the metadata of our group commits. It tells our own commits from an operator's reset, which
// carries none, and from another program's: v1|topic id|next offset|generation|run|version|checksum.
type Certificate struct {
	TopicID    event.TopicID
	Next       int64
	Generation Generation
	Run        string // random id of the process
	Version    string // of the program
}

// String is the metadata to commit.
func (c Certificate) String() string {
	body := strings.Join([]string{"v1", c.TopicID.String(), strconv.FormatInt(c.Next, 10), string(c.Generation), c.Run, c.Version}, "|")
	return fmt.Sprintf("%s|%08x", body, crc32.ChecksumIEEE([]byte(body)))
}

// Origin tells who wrote the offset of a group.
type Origin int

// The origins.
const (
	Reset   Origin = iota // no metadata: a stock tool, or metadata of ours that cannot be trusted
	Ours                  // a certificate whose checksum and offset are right
	Foreign               // anything else: another program uses our group
)

var ourPrefix = regexp.MustCompile(`^v[0-9]+\|`)

// ReadCertificate judges the metadata found at a group's offset.
func ReadCertificate(metadata string, offset int64) (Certificate, Origin) {
	if metadata == "" {
		return Certificate{}, Reset
	}
	if !ourPrefix.MatchString(metadata) {
		return Certificate{}, Foreign
	}
	part := strings.Split(metadata, "|")
	if len(part) != 7 || part[0] != "v1" {
		return Certificate{}, Reset
	}
	topicID, err1 := event.ParseTopicID(part[1])
	next, err2 := strconv.ParseInt(part[2], 10, 64)
	c := Certificate{TopicID: topicID, Next: next, Generation: Generation(part[3]), Run: part[4], Version: part[5]}
	if err1 != nil || err2 != nil || c.String() != metadata || next != offset {
		return Certificate{}, Reset
	}
	return c, Ours
}
