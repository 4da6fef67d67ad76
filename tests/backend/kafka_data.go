package backend

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Cut takes what a broker that was killed has of a partition from an offset on, as a power cut does that comes before the disk has it. The
// offset must be the first of a batch, so that nothing before it is lost. The broker rebuilds its indexes when it starts.
func (k *KafkaServers) Cut(t testing.TB, broker int, topic string, partition int32, offset int64) {
	t.Helper()
	k.awaitDeath(t, broker)
	segment := filepath.Join(k.dir, fmt.Sprintf("kafka/%d/data/%s-%d/%020d.log", broker, topic, partition, 0))
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatalf("cut %s-%d: %v", topic, partition, err)
	}
	// A batch begins with the offset of its first record and the length of what follows.
	const header = 12
	at := 0
	for at+header <= len(text) {
		first := int64(binary.BigEndian.Uint64(text[at:]))
		length := int(binary.BigEndian.Uint32(text[at+8:]))
		if first > offset || length == 0 { // a segment may be longer than what is written
			break
		}
		if first == offset {
			if err := os.Truncate(segment, int64(at)); err != nil {
				t.Fatalf("cut %s-%d: %v", topic, partition, err)
			}
			return
		}
		at += header + length
	}
	t.Fatalf("cut %s-%d: no batch of the first segment begins at offset %d", topic, partition, offset)
}

// awaitDeath waits until a broker that was killed has let go of its port, and so of its files.
func (k *KafkaServers) awaitDeath(t testing.TB, broker int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", k.Brokers[broker-1], time.Second)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatalf("broker %d still answers after %v", broker, patience)
		}
	}
}
