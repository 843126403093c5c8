package protocols

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// A likelihood is climbed by a public number of Newton's steps. What is said here of
// p coefficients holds for averages: gradient and information divided by the number
// of events, or of rows, so that they have sizes that do not grow with the data.

const (
	coefficientFrac = 36
	coefficientBits = coefficientFrac + 8 // a term's spread times 2^8 is beyond any predictor
	newtonFrac      = 40
	newtonBits      = 61
	newtonRootFrac  = 40
	// leastOwnPivot tells apart what depends on other terms: 1 - R^2 of the term.
	leastOwnPivot = 0x1p-20
	// leastOwnInformation tells apart a term that does not vary where it matters: it is
	// above what rounding may leave of no information.
	leastOwnInformation = 0x1p-18
)

// newton is one of Newton's steps: information^-1 gradient.
type newton struct {
	step rss.Fixed128
	// The variance of coefficient j is root[j]^2 inverse[j] over the number by which
	// the information was divided.
	root, inverse rss.Fixed128
	weak          rss.Vec // how many terms tell nothing, or nothing that others do not
}

// newtonStep takes the gradient of p terms and the p x p information, and solves for
// the step what is scaled to a unit diagonal (a correlation matrix), so that the
// terms' sizes do not matter. A term that is not kept has 0 everywhere and comes out
// with 0. About 36 p + 50 rounds.
func newtonStep(s *mpc.Session, gradient, information rss.Fixed128, kept rss.Vec128) newton {
	p := gradient.Len()
	own := rss.NewFixed128(s, diagonal(s, information.Share, p), information.Frac, information.Bits)
	var out newton
	out.root = rss.InvSqrt(s.Step("root"), own, newtonRootFrac)

	var each []rss.Vec128 // root of the row, for each element of the matrix
	for _, r := range elements(s, out.root.Share) {
		each = append(each, rss.Repeat(s, r, p))
	}
	rows := rss.NewFixed128(s, rss.Concat(s, each...), newtonRootFrac, out.root.Bits)
	columns := rss.NewFixed128(s, rss.Repeat(s, out.root.Share, p), newtonRootFrac, out.root.Bits)
	// An element is at most the root of the product of its two diagonal ones.
	half := information.Mul(s.Step("rows"), rows, newtonRootFrac).Within(s, newtonRootFrac+(information.Bits-information.Frac+1)/2)
	correlation := half.Mul(s.Step("columns"), columns, newtonFrac).Within(s, newtonFrac+1)
	dropped := rss.AddConst(s, rss.Neg(s, kept), 1)
	correlation.Share = rss.Add(s, correlation.Share, diagonalOf(s, rss.MulPublic(s, dropped, constant128(1, newtonFrac, p))))

	right := gradient.Mul(s.Step("gradient"), out.root, newtonFrac).Within(s, newtonBits)
	unit := diagonalOf(s, rss.Public(s, constant128(1, newtonFrac, p)))
	var both []rss.Vec128
	for j := range p {
		both = append(both, rss.Slice(s, right.Share, j, j+1), rss.Slice(s, unit, j*p, (j+1)*p))
	}
	x, weak := rss.Solve(s.Step("solve"), correlation, rss.NewFixed128(s, rss.Concat(s, both...), newtonFrac, newtonBits), p, p+1, newtonBits, leastOwnPivot)
	var steps, inverse []rss.Vec128
	for j := range p {
		at := j * (p + 1)
		steps, inverse = append(steps, rss.Slice(s, x.Share, at, at+1)), append(inverse, rss.Slice(s, x.Share, at+1+j, at+2+j))
	}
	out.inverse = rss.NewFixed128(s, rss.Concat(s, inverse...), newtonFrac, newtonBits)
	out.step = rss.NewFixed128(s, rss.Concat(s, steps...), newtonFrac, newtonBits).
		Mul(s.Step("step"), out.root, coefficientFrac).Within(s, coefficientBits)
	out.weak = rss.Add(s, weak, uninformed(s.Step("uninformed"), own, kept))
	return out
}

// uninformed counts the kept terms with less than leastOwnInformation.
func uninformed(s *mpc.Session, own rss.Fixed128, kept rss.Vec128) rss.Vec {
	least := int64(leastOwnInformation * float64(uint64(1)<<own.Frac))
	less := rss.LessPublic(s.Step("less"), own.Share, least, own.Bits+2)
	return rss.Dot(s.Step("kept"), rss.ToArith(s.Step("arith"), less), rss.Narrow(s, kept))
}

// constant128 returns p times k 2^frac.
func constant128(k int64, frac, p int) ring.Vec128 {
	return ring.Vec128(nil).Make(p).AddConst(k).Shl(frac)
}

// diagonalOf returns the p x p matrix with x on its diagonal. Local.
func diagonalOf(s *mpc.Session, x rss.Vec128) rss.Vec128 {
	p := x.Len()
	var out []rss.Vec128
	for j, e := range elements(s, x) {
		if j > 0 {
			out = append(out, rss.Zero[ring.Vec128](p))
		}
		out = append(out, e)
	}
	return rss.Concat(s, out...)
}

// keptMove is the least power of two by which no linear predictor is to move.
const keptMove = 2

// longMoves counts the rows whose linear predictor moves by 2^keptMove or more, by twice
// that, and so on, bits counted several times. 8 rounds; about 110 bytes a row.
func longMoves(s *mpc.Session, moves rss.Fixed) rss.Vec {
	width := moves.Bits + 1
	bits := rss.Decompose(s.Step("bits"), moves.Share, width)
	var large []rss.Bits
	for j := moves.Frac + keptMove; j < width-1; j++ {
		large = append(large, rss.Xor(s, bits.Plane(j), bits.Plane(width-1)))
	}
	rows := inParts(s, rss.ToArith(s.Step("rows"), rss.ConcatPlanes(large...)), len(large))
	count, counts := rss.Zero[ring.Vec64](1), make([]rss.Vec, len(rows))
	for j := len(rows) - 1; j >= 0; j-- {
		count = rss.Add(s, count, rss.Sum(s, rows[j]))
		counts[j] = count
	}
	return rss.Concat(s, counts...)
}

// shorten returns a power of two, at most 1, by which to shorten a step of which
// longMoves gives these sums over at most n rows: then no linear predictor moves by 4 or
// more. Near the summit it is 1; far from it, it keeps the step to where the likelihood
// still resembles the parabola that the step is made for. 7 rounds.
func shorten(s *mpc.Session, long rss.Vec, n int) rss.Fixed128 {
	k := long.Len()
	none := rss.EqualPublic(s.Step("none"), long, 0, log2(n)+k+1)
	some := rss.ToArith128(s.Step("some"), rss.Not(s, none))
	// Each halves what is left: 1 - 1/2 - 1/4 - …
	factor := rss.Public(s, constant128(1, k, 1))
	for j, e := range elements(s, some) {
		factor = rss.Sub(s, factor, rss.Scale(s, e, 1<<(k-1-j)))
	}
	return rss.NewFixed128(s, factor, k, k)
}
