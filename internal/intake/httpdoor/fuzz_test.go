package httpdoor

import (
	"net/http"
	"slices"
	"testing"
)

// FuzzDoor posts any body with any headers that say what it is: the answer is one of the documented ones, a 202 has a line for each item, and
// what is accepted stands in the log.
//
//fault:h6 bodies of any kind in any encoding: a documented answer
func FuzzDoor(f *testing.F) {
	types := []string{"application/json", "application/x-ndjson", "application/json; charset=utf-8", "text/plain", ""}
	encodings := []string{"", "gzip", "zstd", "identity", "br"}
	for i, body := range []string{good, "[" + good + "," + goodB + "]", good + "\n" + goodB, "[]", "[{]", "{\"kind\":\"call\",\"kind\":\"call\"}", "\xff", "[" + good} {
		f.Add([]byte(body), uint8(i%2), uint8(0))
		f.Add([]byte(zipped(f, "gzip", body)), uint8(i%2), uint8(1))
		f.Add([]byte(zipped(f, "zstd", body)), uint8(i%2), uint8(2))
	}
	log := &memoryLog{}
	d := newDoor(f, log, nil)
	f.Fuzz(func(t *testing.T, body []byte, kind, encoding uint8) {
		log.events = nil
		for _, path := range []string{"/v1/reports", "/v1/device-events"} {
			before := len(log.events)
			w, got := serve(t, d, postTo(path, string(body), "Content-Type", types[int(kind)%len(types)], "Content-Encoding", encodings[int(encoding)%len(encodings)]))
			if !slices.Contains([]int{http.StatusAccepted, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}, w.Code) {
				t.Fatalf("%d: %s", w.Code, w.Body)
			}
			accepted := map[string]bool{}
			for _, item := range got.Items {
				switch item.Status {
				case Accepted:
					accepted[item.EventID] = true
				case Rejected:
					if item.Reason == "" {
						t.Errorf("no reason: %+v", item)
					}
				default:
					t.Errorf("%+v", item)
				}
			}
			for _, e := range log.events[before:] {
				delete(accepted, e.Envelope().ID.String())
			}
			if len(accepted) > 0 || w.Code == http.StatusAccepted && len(log.events) == before {
				t.Errorf("%d: %v were accepted, and are not in the log", w.Code, accepted)
			}
		}
	})
}
