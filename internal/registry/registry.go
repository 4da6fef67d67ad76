// Package registry finds the schemas of foreign writers in a schema registry that speaks Confluent's REST API.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"switchboard/internal/avrowire"
)

// Options say where the registry is.
type Options struct {
	URL      string // http or https, without a password
	User     string // "" asks without authentication
	Password string
}

const (
	answerTimeout = 5 * time.Second
	maxAnswer     = 1 << 20
	// An id that the registry does not know is not asked for again at once, so that a flood of records with made-up ids
	// is no flood of requests. Producers register before they produce: an id that appears later is rare.
	unknownFor  = 30 * time.Second
	maxUnknowns = 1000
)

// Registry is a client. It is safe for concurrent use.
type Registry struct {
	client *sr.Client
	now    func() time.Time

	mu       sync.Mutex
	unknowns map[uint32]time.Time // when the registry said so
}

// New makes a client; it connects when it is first asked.
func New(o Options) (*Registry, error) {
	h := &http.Client{
		Timeout:       answerTimeout,
		Transport:     bounded{http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it goes where config says, nowhere else
	}
	opts := []sr.ClientOpt{sr.HTTPClient(h), sr.URLs(o.URL), sr.UserAgent("switchboard")}
	if o.User != "" {
		opts = append(opts, sr.BasicAuth(o.User, o.Password))
	}
	client, err := sr.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	return &Registry{client: client, now: time.Now, unknowns: make(map[uint32]time.Time)}, nil
}

// SchemaByID is the Avro schema of an id. avrowire.ErrUnknownID: the registry answers, and has no Avro schema of that id. Any other error
// says nothing about the id: ask again later.
func (r *Registry) SchemaByID(id uint32) (string, error) {
	if r.isUnknown(id) {
		return "", avrowire.ErrUnknownID
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	s, err := r.client.SchemaByID(ctx, int(id))
	var refused *sr.ResponseError
	switch {
	case errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound && refused.ErrorCode == noSuchSchema,
		err == nil && (s.Type != sr.TypeAvro || len(s.References) > 0): // one that refers to others cannot be one of ours
		r.setUnknown(id)
		return "", avrowire.ErrUnknownID
	case errors.As(err, &refused):
		return "", fmt.Errorf("the schema registry answers with status %d", refused.StatusCode)
	case err != nil:
		return "", fmt.Errorf("the schema registry does not answer: %w", withoutURL(err))
	}
	return s.Schema, nil
}

// noSuchSchema is the registry's own code. A 404 without it comes from something else, such as a proxy or a wrong path.
const noSuchSchema = 40403

// withoutURL leaves the address out, which may hold what is nobody's business.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (r *Registry) isUnknown(id uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.unknowns[id]
	return ok && r.now().Sub(at) < unknownFor
}

func (r *Registry) setUnknown(id uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.unknowns) >= maxUnknowns {
		clear(r.unknowns)
	}
	r.unknowns[id] = r.now()
}

// bounded ends answers that are larger than any schema.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}
