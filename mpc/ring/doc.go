// Package ring computes on vectors over Z_2^64 and Z_2^128: the kernels under
// the secret-sharing engine. It knows nothing of parties.
//
// Elements stand for signed integers in two's complement, so a constant of int64
// means the same in both rings, and all arithmetic wraps.
//
// What must never happen here: a branch or an index that depends on a value.
package ring
