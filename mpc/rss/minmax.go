package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Max returns the greatest element of x, for numbers that differ by less than
// 2^(k-1), 2 <= k <= 64: see Less. A tournament: ceil(log2 n) levels of a
// comparison, a bit to arithmetic and a selection, each for half as many rows as
// the one before; n Less, n bits and n elements in all. Leaks nothing.
func Max(s *mpc.Session, x Vec, k int) Vec {
	return tournament(s, x, k, true)[0]
}

// Min returns the least element of x: see Max.
func Min(s *mpc.Session, x Vec, k int) Vec {
	return tournament(s, x, k, false)[0]
}

// ArgMax returns the greatest element of x and its index, the lowest where
// several are equal: see Max, with n elements more.
func ArgMax(s *mpc.Session, x Vec, k int) (value, index Vec) {
	best := tournament(s, x, k, true, numbered(s, x.Len()))
	return best[0], best[1]
}

// ArgMin returns the least element of x and its index, the lowest where several
// are equal: see ArgMax.
func ArgMin(s *mpc.Session, x Vec, k int) (value, index Vec) {
	best := tournament(s, x, k, false, numbered(s, x.Len()))
	return best[0], best[1]
}

// numbered returns the public column 0, 1, …, n-1 as a share.
func numbered(s *mpc.Session, n int) Vec {
	v := make(ring.Vec64, max(n, 0))
	for i := range v {
		v[i] = uint64(i)
	}
	return Public(s, v)
}

// tournament returns of the row with the greatest, or least, x that element and
// those of other columns. Of equal rows the first stays: neighbours meet, and the
// second goes on only if it is better.
func tournament(s *mpc.Session, x Vec, k int, greatest bool, others ...Vec) []Vec {
	none := make([]Vec, 1+len(others))
	for i := range none {
		none[i] = zero[ring.Vec64](1)
	}
	if k < 2 || k > 64 {
		s.Fail(fmt.Errorf("differences of %d bits, want 2 to 64", k))
		return none
	}
	rows := append([]Vec{x}, others...)
	if !ready(s, rows...) {
		return none
	}
	for level := 0; rows[0].Len() > 1; level++ {
		if rows = playRound(s.Step("level", level), rows, k, greatest); s.Err() != nil {
			return none
		}
	}
	return rows
}

// playRound lets neighbours meet; a row without one goes on.
func playRound(s *mpc.Session, rows []Vec, k int, greatest bool) []Vec {
	n := rows[0].Len()
	half := n / 2
	first, second := make([]Vec, len(rows)), make([]Vec, len(rows))
	for i, x := range rows {
		first[i], second[i] = alternate(x, 0, half), alternate(x, 1, half)
	}
	low, high := second[0], first[0]
	if greatest {
		low, high = high, low
	}
	better := ToArith(s.Step("bit"), Less(s.Step("less"), low, high, k))
	won := selectEach(s.Step("select"), better, second, first)
	for i, x := range rows {
		if n%2 == 1 {
			won[i] = Concat(s, won[i], Slice(s, x, n-1, n))
		}
	}
	return won
}

// selectEach returns for each column x where b is 1 and y where it is 0. 1 round,
// 1 element a row and column, leaks nothing.
func selectEach(s *mpc.Session, b Vec, x, y []Vec) []Vec {
	bs, differences := make([]Vec, len(x)), make([]Vec, len(x))
	for i := range x {
		bs[i], differences[i] = b, Sub(s, x[i], y[i])
	}
	out := mulEach(s, bs, differences)
	for i := range out {
		out[i] = Add(s, out[i], y[i])
	}
	return out
}
