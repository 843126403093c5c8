package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Solve returns X, p x c with the given number of bits, for which A X = B, for a
// batch of m symmetric positive definite matrices: a holds m times p x p elements
// (of which the lower triangles are read), b m times p x c, row by row, the result
// likewise with the fractional bits of a, which b shares. a has at most 61 bits.
//
// It factors A into L D L' by columns; the factors carry the fractional bits of a,
// so that 40 to 48 serve well-scaled matrices (correlations). The error is about
// 2^-Frac times p times the condition number. weak counts for each matrix the
// pivots below least, which tells singular matrices and such as are not positive
// definite: what comes out of them is arbitrary, and nothing fails. So is what
// comes out where an element of L or X passes 2^(61-Frac).
//
// About 36 p rounds. Leaks nothing beyond what reshareRounded says.
func Solve(s *mpc.Session, a, b Fixed128, p, c, bits int, least float64) (x Fixed128, weak Vec) {
	m := a.Len() / max(p*p, 1)
	x = Fixed128{zero[ring.Vec128](max(m*p*c, 0)), a.Frac, held[ring.Vec128](s, "a solution", bits)}
	weak = zero[ring.Vec64](max(m, 1))
	if !squares(s, a, p) || !ready(s, b.Share) {
		return x, weak
	}
	if c <= 0 || b.Len() != m*p*c || b.Frac != a.Frac {
		s.Fail(fmt.Errorf("%d matrices of %d x %d with %d fractional bits meet %d right-hand elements of %d columns with %d",
			m, p, p, a.Frac, b.Len(), c, b.Frac))
		return x, weak
	}
	e := &elimination{
		a: a, p: p, c: c, m: m,
		lower: entries(a.Share, p, p), right: entries(b.Share, p, c),
		inverse: make([]Vec128, p),
	}
	for k := range p {
		e.column(s.Step("column", k), k)
		if s.Err() != nil {
			return x, weak
		}
	}
	e.back(s.Step("back"))
	x.Share = together(e.right, p, c)
	return x, e.weak(s.Step("weak"), steps(least, a.Frac))
}

// Inverse returns the inverses of a batch of symmetric positive definite matrices:
// Solve for the unit matrix.
func Inverse(s *mpc.Session, a Fixed128, p, bits int, least float64) (x Fixed128, weak Vec) {
	if !squares(s, a, p) {
		return Fixed128{zero[ring.Vec128](a.Len()), a.Frac, bits}, zero[ring.Vec64](max(a.Len()/max(p*p, 1), 1))
	}
	one := Public(s, identity(a.Len()/(p*p), p, a.Frac))
	return Solve(s, a, Fixed128{one, a.Frac, a.Frac}, p, p, bits, least)
}

// squares checks that a is a batch of p x p matrices.
func squares(s *mpc.Session, a Fixed128, p int) bool {
	if p <= 0 || a.Len() == 0 || a.Len()%(p*p) != 0 {
		s.Fail(fmt.Errorf("%d elements are no %d x %d matrices", a.Len(), p, p))
		return false
	}
	return ready(s, a.Share)
}

// identity returns m unit matrices.
func identity(m, p, frac int) ring.Vec128 {
	v := make(ring.Vec128, m*p*p)
	for i := range m * p {
		v[i*p+i%p] = ring.Int128(1).Shl(frac)
	}
	return v
}

// elimination is a batch of systems on the way. Each entry is a vector over the
// batch.
type elimination struct {
	a       Fixed128
	p, c, m int
	lower   [][]Vec128 // below the diagonal: L as far as it is known, then A; on it D
	right   [][]Vec128
	inverse []Vec128 // of the pivots, with inverseFrac fractional bits
}

// inverseFrac is how many fractional bits inverses of pivots have.
const inverseFrac = 64

// column eliminates below pivot k.
func (e *elimination) column(s *mpc.Session, k int) {
	inv := inverse(s.Step("pivot"), Fixed128{e.lower[k][k], e.a.Frac, e.a.Bits})
	e.inverse[k] = inv.times(s.Step("inverse"), inv.at-inverseFrac-e.a.Frac)
	if k == e.p-1 {
		return
	}
	var left, right []Vec128
	for i := k + 1; i < e.p; i++ {
		left, right = append(left, e.lower[i][k]), append(right, e.inverse[k])
	}
	factors := parts(s, MulRound(s.Step("factor"), Concat(s, left...), Concat(s, right...), inverseFrac), e.m)
	left, right = nil, nil
	for i := k + 1; i < e.p; i++ {
		for j := k + 1; j <= i; j++ {
			left, right = append(left, factors[i-k-1]), append(right, e.lower[j][k])
		}
		for j := range e.c {
			left, right = append(left, factors[i-k-1]), append(right, e.right[k][j])
		}
	}
	less := parts(s, MulRound(s.Step("update"), Concat(s, left...), Concat(s, right...), e.a.Frac), e.m)
	for i := k + 1; i < e.p; i++ {
		for j := k + 1; j <= i; j++ {
			e.lower[i][j], less = Sub(s, e.lower[i][j], less[0]), less[1:]
		}
		for j := range e.c {
			e.right[i][j], less = Sub(s, e.right[i][j], less[0]), less[1:]
		}
	}
	for i := k + 1; i < e.p; i++ {
		e.lower[i][k] = factors[i-k-1]
	}
}

// back solves L' X = D^-1 Y from the last row up.
func (e *elimination) back(s *mpc.Session) {
	var left, right []Vec128
	for k, row := range e.right {
		for _, y := range row {
			left, right = append(left, y), append(right, e.inverse[k])
		}
	}
	scaled := parts(s, MulRound(s.Step("scaled"), Concat(s, left...), Concat(s, right...), inverseFrac), e.m)
	for k := e.p - 1; k >= 0; k-- {
		row := Concat(s, scaled[k*e.c:(k+1)*e.c]...)
		var xs, ys []Vec128
		for i := k + 1; i < e.p; i++ {
			xs = append(xs, Neg(s, Repeat(s, e.lower[i][k], e.c)))
			ys = append(ys, Concat(s, e.right[i]...))
		}
		if len(xs) > 0 {
			row = sumShift(s.Step("row", k), shiftLeft(s, row, e.a.Frac), xs, ys, e.a.Frac)
		}
		e.right[k] = parts(s, row, e.m)
	}
}

// weak counts the pivots below least for each matrix.
func (e *elimination) weak(s *mpc.Session, least int64) Vec {
	var pivots []Vec
	for k := range e.p {
		pivots = append(pivots, AddConst(s, narrow(e.lower[k][k]), -least))
	}
	sum := zero[ring.Vec64](e.m)
	for _, small := range negative(s, widest, pivots...) {
		sum = Add(s, sum, small)
	}
	return sum
}

// entries returns the entries of a batch of r x c matrices, each a vector over the
// batch.
func entries(x Vec128, r, c int) [][]Vec128 {
	m, out := x.Len()/(r*c), make([][]Vec128, r)
	for i := range r {
		out[i] = make([]Vec128, c)
		for j := range c {
			e := zero[ring.Vec128](m)
			for t := range m {
				e.A[t], e.B[t] = x.A[(t*r+i)*c+j], x.B[(t*r+i)*c+j]
			}
			out[i][j] = e
		}
	}
	return out
}

// together is entries backwards.
func together(rows [][]Vec128, r, c int) Vec128 {
	m := rows[0][0].Len()
	x := zero[ring.Vec128](m * r * c)
	for i, row := range rows {
		for j, e := range row {
			for t := range m {
				x.A[(t*r+i)*c+j], x.B[(t*r+i)*c+j] = e.A[t], e.B[t]
			}
		}
	}
	return x
}
