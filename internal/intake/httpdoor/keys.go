package httpdoor

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Key is an API key. A client sends id.secret; only the hash of the secret is kept. To change a
// secret give both hashes until all clients have the new one.
type Key struct {
	ID     string   // without a dot; may be logged and counted
	SHA256 []string // hexadecimal SHA-256 of secrets of at least 128 random bits
	// EventsPerSecond is the quota, with bursts of Burst; 0 is none. A burst is at least one full request.
	EventsPerSecond float64
	Burst           int
}

// keyring finds the key of a request. It is not changed after it was made.
type keyring struct {
	byID  map[string]*key
	dummy [sha256.Size]byte
}

func newKeyring(list []Key, maxItems int, now func() time.Time) (keyring, error) {
	ring := keyring{byID: make(map[string]*key, len(list))}
	for _, k := range list {
		if k.ID == "" || strings.ContainsAny(k.ID, ". \t\r\n") || len(k.ID) > 64 {
			return ring, fmt.Errorf("httpdoor: the id of an API key must be 1 to 64 bytes without dot and blank")
		}
		if ring.byID[k.ID] != nil {
			return ring, fmt.Errorf("httpdoor: API key %s is given twice: give both hashes in one key", k.ID)
		}
		if len(k.SHA256) == 0 {
			return ring, fmt.Errorf("httpdoor: API key %s has no hash", k.ID)
		}
		if k.EventsPerSecond < 0 || k.Burst < 0 {
			return ring, fmt.Errorf("httpdoor: API key %s: quota and burst must be >= 0", k.ID)
		}
		made := &key{id: k.ID, perSecond: k.EventsPerSecond, burst: float64(max(k.Burst, maxItems)), last: now()}
		made.have = made.burst
		for _, text := range k.SHA256 {
			sum, err := hex.DecodeString(text)
			if err != nil || len(sum) != sha256.Size {
				return ring, fmt.Errorf("httpdoor: API key %s: a hash must be 64 hexadecimal digits", k.ID)
			}
			made.hashes = append(made.hashes, [sha256.Size]byte(sum))
		}
		ring.byID[k.ID] = made
	}
	return ring, nil
}

// authenticate gives the key of a request, or nil and true where none is asked for. It takes as
// long for an id that is not known as for a wrong secret.
func (d *Door) authenticate(r *http.Request) (*key, bool) {
	if d.o.Anonymous {
		return nil, true
	}
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	id, secret, _ := strings.Cut(credential, ".")
	k, hashes := d.keys.byID[id], [][sha256.Size]byte{d.keys.dummy}
	if k != nil {
		hashes = k.hashes
	}
	sum := sha256.Sum256([]byte(secret))
	equal := 0
	for i := range hashes {
		equal |= subtle.ConstantTimeCompare(sum[:], hashes[i][:])
	}
	if k == nil || equal != 1 || !strings.EqualFold(scheme, "Bearer") {
		return nil, false
	}
	return k, true
}

// key is a Key in use: a bucket of events that fills up again. The nil key has no quota.
type key struct {
	id        string
	hashes    [][sha256.Size]byte
	perSecond float64
	burst     float64

	mu   sync.Mutex
	have float64 // may be negative: what a request holds is known when it has been read
	last time.Time
}

// wait is how long the key must wait for its next request.
func (k *key) wait(now time.Time) time.Duration {
	if k == nil || k.perSecond == 0 {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := now.Sub(k.last); d > 0 {
		k.have = min(k.burst, k.have+d.Seconds()*k.perSecond)
	}
	k.last = now
	if k.have >= 1 {
		return 0
	}
	return time.Duration((1 - k.have) / k.perSecond * float64(time.Second))
}

func (k *key) spend(events int) {
	if k == nil || k.perSecond == 0 {
		return
	}
	k.mu.Lock()
	k.have -= float64(events)
	k.mu.Unlock()
}

// sign adds by which door and with which key an item came, where it does not say so itself.
func (k *key) sign(source, actor *string) {
	if *source == "" {
		*source = "http"
	}
	if k != nil && *actor == "" {
		*actor = "key:" + k.id
	}
}
