package app

import (
	"errors"
	"slices"

	"switchboard/config"
	"switchboard/internal/avrowire"
	"switchboard/internal/event"
	"switchboard/internal/pipeline"
	"switchboard/internal/registry"
	"switchboard/schemas"
)

// newDecode is the decoder of facts as lanes want it.
func newDecode(cfg *config.Config) (func(value []byte) (event.Event, *pipeline.Poison), error) {
	dec, err := newDecoder(cfg, nil)
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

// newDecoder knows the writers' schemas by the ids that avro.schema_ids gives to ours; of other ids it asks registry, if there is one.
func newDecoder(cfg *config.Config, registry avrowire.SchemaByID) (*avrowire.Decoder, error) {
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
		if registry != nil {
			return registry(id)
		}
		return "", avrowire.ErrUnknownID
	})
}

// newRegistry asks the schema registry of config; nil: there is none.
func newRegistry(cfg *config.Config) (avrowire.SchemaByID, error) {
	a := &cfg.Avro
	if a.RegistryURL == "" {
		return nil, nil
	}
	r, err := registry.New(registry.Options{URL: a.RegistryURL, User: a.RegistryUsername, Password: a.RegistryPassword.Reveal()})
	if err != nil {
		return nil, &config.Error{Key: "avro.registry_url", Problem: err.Error()}
	}
	return r.SchemaByID, nil
}
