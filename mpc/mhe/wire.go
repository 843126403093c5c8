package mhe

import (
	"encoding/binary"
	"fmt"

	"github.com/tuneinsight/lattigo/v5/ring"
)

// wordSize is the size of a coefficient on the wire.
const wordSize = 8

// codec is the wire form of polynomials modulo some primes: all coefficients modulo
// the first, then those modulo the next, eight bytes each, the lowest first, every
// one smaller than its prime, and nothing else. Length and coefficients of what
// others sent are checked here, before anything is done with it.
type codec struct {
	n      int
	moduli []uint64
}

// size is the length of a polynomial's frame.
func (c codec) size() int { return c.n * len(c.moduli) * wordSize }

// put writes a polynomial.
func (c codec) put(frame []byte, p ring.Poly) []byte {
	_ = frame[c.size()-1]
	for i := range c.moduli {
		part := frame[i*c.n*wordSize:]
		for j, x := range p.Coeffs[i][:c.n] {
			binary.LittleEndian.PutUint64(part[j*wordSize:], x)
		}
	}
	return frame
}

// add reads a polynomial of another participant and adds it to p.
func (c codec) add(p ring.Poly, frame []byte) error {
	if len(frame) != c.size() {
		return fmt.Errorf("a polynomial of %d bytes, want %d", len(frame), c.size())
	}
	for i, q := range c.moduli {
		part, acc := frame[i*c.n*wordSize:], p.Coeffs[i][:c.n]
		for j := range acc {
			x := binary.LittleEndian.Uint64(part[j*wordSize:])
			if x >= q {
				return fmt.Errorf("coefficient %d of limb %d is not reduced", j, i)
			}
			if x += acc[j]; x >= q {
				x -= q
			}
			acc[j] = x
		}
	}
	return nil
}

// check refuses what is no polynomial's frame.
func (c codec) check(frame []byte) error {
	if len(frame) != c.size() {
		return fmt.Errorf("a polynomial of %d bytes, want %d", len(frame), c.size())
	}
	for i, q := range c.moduli {
		part := frame[i*c.n*wordSize:]
		for j := range c.n {
			if binary.LittleEndian.Uint64(part[j*wordSize:]) >= q {
				return fmt.Errorf("coefficient %d of limb %d is not reduced", j, i)
			}
		}
	}
	return nil
}

// get reads a polynomial of another participant into p.
func (c codec) get(p ring.Poly, frame []byte) error {
	for i := range c.moduli {
		clear(p.Coeffs[i])
	}
	return c.add(p, frame)
}
