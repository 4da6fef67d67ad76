package avrowire

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime/metrics"
	"testing"

	"switchboard/schemas"
)

// allocated is how many bytes this process has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// FuzzForeign reads bodies by schemas that a registry gives: whatever both hold, the answer is an event or a verdict, and costs memory in
// proportion to what came in.
//
//fault:e1 bodies and foreign schemas of any kind: a verdict, memory in proportion
func FuzzForeign(f *testing.F) {
	enc, base := codecs(f)
	bodies := [][]byte{{}, binary.AppendVarint(nil, 2_000_000_000)}
	for _, v := range values(rand.New(rand.NewPCG(5, 5)), 0.5) {
		value, err := encode(enc, nil, v)
		if err != nil {
			f.Fatal(err)
		}
		bodies = append(bodies, value[10:])
	}
	texts := []string{
		`{"type":"record","name":"ReportSubmitted","namespace":"switchboard","fields":[{"name":"kind","type":"string"},{"name":"tree","type":{"type":"record","name":"Tree","fields":[{"name":"child","type":["null","Tree"]}]}}]}`,
		`{"type":"array","items":"null"}`, `"string"`, `{"type":"map","values":["null",{"type":"enum","name":"E","symbols":["A"]}]}`, `{`,
	}
	for _, s := range schemas.All() {
		texts = append(texts, s.Text)
	}
	for _, text := range texts {
		for _, body := range bodies {
			f.Add(text, body)
		}
	}
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		d := &Decoder{byFingerprint: base.byFingerprint, current: base.current, schemaByID: func(uint32) (string, error) { return text, nil }}
		d.byID.Store(&map[uint32]*reading{})
		before := allocated()
		for _, name := range []string{"fact", submitted, deviceSubmitted} {
			var bad *Error
			if _, err := decode(d, name, append([]byte{0, 0, 0, 0, 7}, body...)); err != nil && (!errors.As(err, &bad) || len(bad.Reason) > 400) {
				t.Fatalf("not a verdict: %v", err)
			}
		}
		if used, limit := allocated()-before, uint64(4<<20+1000*len(text)+100*len(body)); used > limit {
			t.Errorf("%d bytes of schema and %d of body cost %d bytes of memory", len(text), len(body), used)
		}
	})
}
