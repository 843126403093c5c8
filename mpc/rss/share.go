package rss

import (
	"fmt"
	"io"
	"log/slog"

	"consilium/mpc/ring"
)

// Share is one party's part of a shared vector: of x = x0 + x1 + x2 the party of
// role i holds A = x_i and B = x_{i+1}. It prints as "redacted".
type Share[V ring.Vector[V]] struct{ A, B V }

// Vec and Vec128 are shares of vectors over the two rings.
type (
	Vec    = Share[ring.Vec64]
	Vec128 = Share[ring.Vec128]
)

// Len returns the public number of elements.
func (x Share[V]) Len() int { return x.A.Len() }

// slice returns elements lo to hi-1 of both components, in the same memory.
func (x Share[V]) slice(lo, hi int) Share[V] {
	return Share[V]{x.A.Slice(lo, hi), x.B.Slice(lo, hi)}
}

// zero returns n zeros: the share of the public zero vector, and what operations
// of a failed session return.
func zero[V ring.Vector[V]](n int) Share[V] {
	var kind V
	return Share[V]{kind.Make(n), kind.Make(n)}
}

const redacted = "redacted"

// String keeps a share out of logs.
func (Share[V]) String() string { return redacted }

// GoString keeps a share out of %#v.
func (Share[V]) GoString() string { return redacted }

// Format keeps a share out of every verb: %d would print its components.
func (Share[V]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps a share out of structured logs.
func (Share[V]) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps a share out of JSON, also as a field of something else.
func (Share[V]) MarshalText() ([]byte, error) { return []byte(redacted), nil }
