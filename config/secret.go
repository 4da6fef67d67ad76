package config

import "log/slog"

// Secret is a text that no print, log or encoder shows. Only Reveal gives it away.
type Secret string

const redacted = "[redacted]"

// Reveal is the secret itself: hand it to a client library, never to anything that prints.
func (s Secret) Reveal() string { return string(s) }

// String is [redacted], also of an empty secret: whether there is one is nobody's business either.
func (s Secret) String() string { return redacted }

// GoString is String, for %#v.
func (s Secret) GoString() string { return redacted }

// MarshalText is String, for JSON, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
