package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// Parity returns x modulo 2 as one plane: the XOR of the components' lowest bits.
// Of elements 0 and 1 it is these as bits, which ToArith undoes. Local.
func Parity(s *mpc.Session, x Vec) Bits {
	if !ready(s, x) {
		return ZeroBits(x.Len(), 1)
	}
	return Bits{ring.Transpose(x.A, 1), ring.Transpose(x.B, 1)}
}
