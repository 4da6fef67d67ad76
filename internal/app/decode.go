package app

import (
	"errors"
	"slices"

	"switchboard/config"
	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/schemas"
)

// newDecode is the decoder of facts as lanes want it.
func newDecode(cfg *config.Config) (func(value []byte) (event.Event, *pipeline.Poison), error) {
	dec, err := newDecoder(cfg)
	if err != nil {
		return nil, err
	}
	return func(value []byte) (event.Event, *pipeline.Poison) {
		e, err := dec.Decode(value)
		if err == nil {
			return e, nil
		}
		var bad *avrowire.Error
		if errors.As(err, &bad) {
			return nil, &pipeline.Poison{Class: string(bad.Class), Reason: bad.Reason}
		}
		return nil, &pipeline.Poison{Class: pipeline.ClassUnknownSchema, Reason: err.Error()}
	}, nil
}

// newDecoder knows the writers' schemas by the ids that avro.schema_ids gives to ours.
func newDecoder(cfg *config.Config) (*avrowire.Decoder, error) {
	table := make(map[uint32]string, len(cfg.Avro.SchemaIDs))
	for _, id := range cfg.Avro.SchemaIDs {
		i := slices.IndexFunc(schemas.All(), func(s schemas.Schema) bool { return s.File == id.Schema+".avsc" })
		if i < 0 {
			return nil, &config.Error{Key: "avro.schema_ids", Problem: "there is no schema " + id.Schema}
		}
		table[uint32(id.ID)] = schemas.All()[i].Text
	}
	return avrowire.NewDecoder(func(id uint32) (string, error) {
		if schema, ok := table[id]; ok {
			return schema, nil
		}
		return "", avrowire.ErrUnknownID
	})
}
