package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// APIKey is who may send to ingest: an id, and what the secret behind it hashes to. Being a hash of
// at least 128 random bits, it need not be slow.
type APIKey struct {
	ID     string
	SHA256 [sha256.Size]byte
}

var apiKeyID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// parseAPIKey reads ID:SHA256. Its errors do not show the text: somebody may have put the secret there.
func parseAPIKey(s string) (APIKey, error) {
	id, digest, _ := strings.Cut(s, ":")
	var key APIKey
	sum, err := hex.DecodeString(digest)
	if !apiKeyID.MatchString(id) || err != nil || len(sum) != len(key.SHA256) {
		return APIKey{}, errors.New("want ID:SHA256, an id of A-Z a-z 0-9 _ - and 64 hex digits")
	}
	key.ID = id
	copy(key.SHA256[:], sum)
	return key, nil
}

// SchemaID is a number in a Confluent frame, and the published schema that it stands for.
type SchemaID struct {
	ID     int32
	Schema string // such as report_submitted.v1
}

var schemaName = regexp.MustCompile(`^[a-z][a-z0-9_]*\.v[1-9][0-9]*$`)

// parseSchemaID reads ID:SCHEMA.
func parseSchemaID(s string) (SchemaID, error) {
	number, schema, _ := strings.Cut(s, ":")
	id, err := strconv.ParseInt(number, 10, 32)
	if err != nil || id < 0 || !schemaName.MatchString(schema) {
		return SchemaID{}, errors.New(strconv.Quote(s) + ": want ID:SCHEMA, such as 17:report_submitted.v1")
	}
	return SchemaID{ID: int32(id), Schema: schema}, nil
}
