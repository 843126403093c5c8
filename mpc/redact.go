package mpc

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a secret shows of itself.
const redacted = "redacted"

// String keeps a seed out of logs.
func (Seed) String() string { return redacted }

// GoString keeps a seed out of %#v.
func (Seed) GoString() string { return redacted }

// Format keeps a seed out of every verb: %d would print its bytes.
func (Seed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps a seed out of structured logs.
func (Seed) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps a seed out of JSON, also as a field of something else.
func (Seed) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format keeps the root of a session's coins out of every verb.
func (root) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// Format shows of an agreement its session alone: it holds the roster key.
func (a Agreement) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "seed agreement of session %v", a.ID) }

// LogValue shows of an agreement its session alone.
func (a Agreement) LogValue() slog.Value {
	return slog.StringValue("seed agreement of session " + a.ID.String())
}
