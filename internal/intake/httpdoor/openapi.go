package httpdoor

import (
	_ "embed"
	"net/http"
)

// Description is the OpenAPI 3.1 document; a test holds it against the handler and event.Submitted.
//
//go:embed openapi.yaml
var Description []byte

func serveDescription(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(http.StatusMethodNotAllowed, "method", "the description is got by GET").with("Allow", "GET, HEAD").write(w)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(Description)
}
