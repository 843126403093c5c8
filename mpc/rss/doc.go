// Package rss computes on vectors that three compute parties share by
// replicated secret sharing over Z_2^64 or Z_2^128 (Araki, Furukawa, Lindell,
// Nof, Ohara: "High-throughput semi-honest secure three-party computation with
// an honest majority", CCS 2016).
//
// A value is x = x0 + x1 + x2 in the ring. The party of role i holds the
// components x_i and x_{i+1} (indices modulo 3): each component is known to two
// parties, any two parties know all three, and what one party holds is uniformly
// random. Adding is local; a product costs one element and one round.
//
// Bits are shared in the same way with XOR in place of sums, as planes of packed
// bits (Bits): comparisons and the like are Boolean circuits of which one layer, for
// a whole vector, is one round. What makes them short is that a sum of two
// components is known to one party (Mohassel, Rindal: "ABY3", CCS 2018), so that x
// is a sum of two numbers, one known to that party, the dealer, and one known to
// the other two: see adder and Trunc.
//
// # What is claimed
//
// Passive security with an honest majority: no single one of the three parties,
// and no number of sites, learns anything beyond public lengths and what is
// opened or revealed, provided that every party follows the protocol. A party
// that deviates can change results. It is noticed when it sends different copies
// of one component to those who compare them, which Input, Open and RevealTo do,
// but a wrong product is not noticed as such: every product is recorded with its
// step at the seam in reshare.go, where a check can be added, and there is none
// today. Two parties together know everything. What is marked "derived here" has a
// proof in its comment at most, and tests; it has not been reviewed.
//
// # Conventions
//
// An operation takes a session narrowed to a step of its own, for example
// rss.Mul(s.Step("cells"), x, y). It claims that step; two operations on one
// step end the session with mpc.ErrStepReused. Local functions (Add, Sum, …)
// claim nothing and take the session only to report misuse.
//
// Lengths are public. Lengths that differ, empty vectors, or a caller that is no
// compute party end the session; the operation then returns zeros of the public
// length, as does every later one. Each doc comment says what an operation costs
// a party in rounds and elements sent, and what it leaks beyond lengths.
//
// A long vector goes in strands, side by side, and in chunks, so that computing and
// travelling overlap and memory is bounded; the dealer changes with the strand, so
// that all parties send the same. See strand.
//
// What must never happen here: a multiplication that does not pass the seam in
// reshare.go, an opening at a step that does not end in "open" or "reveal", a branch
// on a component.
package rss
