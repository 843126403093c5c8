package ring

import (
	"encoding/binary"
	"slices"
)

// Rounding says how two holders of a sum divide it by 2^Shift: elements of In
// bits become elements of Out bits (64 or 128, Out <= In), and the wrap of the
// sum is a number of Wrap bytes (4 or 8) that counts in units of 2^Unit.
//
// Let x = a + b modulo 2^In with |x| <= 2^(In-3). Signed, a' = a + 2^(In-2) +
// 2^Shift - 1 and b sum up to a positive number of In-1 bits, less 2^In exactly
// when both are negative. So the signed quotients sum up to the quotient of x,
// rounded up or down, if 2^(In-Shift) is added when both signs are set.
type Rounding struct{ In, Out, Shift, Wrap, Unit int }

// NewRounding returns the rounding of in-bit elements by 2^shift to out-bit ones.
// The shift is 1 to in-3, and at most 64 between rings of 128 bits.
func NewRounding(in, out, shift int) Rounding {
	r := Rounding{In: in, Out: out, Shift: shift, Wrap: 4}
	if out-(in-shift) > 32 {
		r.Wrap = 8
	}
	r.Unit = out - 8*r.Wrap
	return r
}

// weight returns by how many bits a wrap's sign bit is shifted in its units.
func (r Rounding) weight() uint { return uint(r.In - r.Shift - r.Unit) }

// SetLone sets t to the signed quotients of a', and wraps to the weighted signs.
func SetLone[V Vector[V], W Vector[W]](r Rounding, t W, wraps Vec64, a V) {
	switch a := any(a).(type) {
	case Vec64:
		setLone64(r, any(t).(Vec64), wraps, a)
	case Vec128:
		if t, ok := any(t).(Vec64); ok {
			eachLone128(r, wraps, a, func(i int, q U128) { t[i] = q.Lo })
			return
		}
		t := any(t).(Vec128)
		eachLone128(r, wraps, a, func(i int, q U128) { t[i] = q })
	}
}

func setLone64(r Rounding, t, wraps, a Vec64) {
	offset, shift, weight := uint64(1)<<62+uint64(1)<<r.Shift-1, r.Shift, r.weight()
	wraps, t = wraps[:len(a)], t[:len(a)]
	for i, e := range a {
		e += offset
		t[i] = uint64(int64(e) >> shift)
		wraps[i] = e >> 63 << weight
	}
}

func eachLone128(r Rounding, wraps Vec64, a Vec128, set func(int, U128)) {
	offset := U128{0, 1 << 62}.Add(U128{1, 0}.Shl(r.Shift)).Sub(U128{1, 0})
	weight := r.weight()
	for i, e := range a {
		e = e.Add(offset)
		set(i, e.Sar(r.Shift))
		wraps[i] = e.Hi >> 63 << weight
	}
}

// SetPair sets z to the signed quotients of b, less what a' was offset by, and
// wraps to those that b's sign selects of shared, less mask.
func SetPair[V Vector[V], W Vector[W]](r Rounding, z W, wraps Vec64, b V, shared, mask Vec64) {
	switch b := any(b).(type) {
	case Vec64:
		z, offset := any(z).(Vec64), uint64(1)<<(62-r.Shift)
		for i, e := range b {
			z[i] = uint64(int64(e)>>r.Shift) - offset
			wraps[i] = shared[i]&-(e>>63) - mask[i]
		}
	case Vec128:
		if z, ok := any(z).(Vec64); ok {
			eachPair128(r, wraps, b, shared, mask, func(i int, q U128) { z[i] = q.Lo })
			return
		}
		z := any(z).(Vec128)
		eachPair128(r, wraps, b, shared, mask, func(i int, q U128) { z[i] = q })
	}
}

func eachPair128(r Rounding, wraps Vec64, b Vec128, shared, mask Vec64, set func(int, U128)) {
	offset := U128{1, 0}.Shl(126 - r.Shift)
	for i, e := range b {
		set(i, e.Sar(r.Shift).Sub(offset))
		wraps[i] = shared[i]&-(e.Hi>>63) - mask[i]
	}
}

// AddWraps adds the wraps to z.
func AddWraps[W Vector[W]](r Rounding, z W, wraps Vec64) {
	switch z := any(z).(type) {
	case Vec64:
		for i, e := range wraps {
			z[i] += e << r.Unit
		}
	case Vec128:
		for i, e := range wraps {
			z[i] = z[i].Add(U128{e, 0}.Shl(r.Unit))
		}
	}
}

// AppendWraps appends the wraps to b, Wrap bytes each.
func (r Rounding) AppendWraps(b []byte, wraps Vec64) []byte {
	if r.Wrap == Size64 {
		return wraps.Append(b)
	}
	n := len(b)
	b = slices.Grow(b, r.Wrap*len(wraps))[:n+r.Wrap*len(wraps)]
	for i, rest := 0, b[n:]; i < len(wraps) && len(rest) >= 4; i++ {
		binary.LittleEndian.PutUint32(rest, uint32(wraps[i]))
		rest = rest[4:]
	}
	return b
}

// SetWraps sets wraps to those in b.
func (r Rounding) SetWraps(wraps Vec64, b []byte) {
	if r.Wrap == Size64 {
		wraps.SetBytes(b)
		return
	}
	b = b[:r.Wrap*len(wraps)]
	for i := 0; i < len(wraps) && len(b) >= 4; i++ {
		wraps[i] = uint64(binary.LittleEndian.Uint32(b))
		b = b[4:]
	}
}

// Narrow returns the elements modulo 2^64.
func (v Vec128) Narrow() Vec64 {
	z := make(Vec64, len(v))
	for i, e := range v {
		z[i] = e.Lo
	}
	return z
}
