package rss

import (
	"fmt"
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
)

const (
	// widestTable is the largest public table, and smallTable the largest secret
	// one, that is looked up by one-hot: beyond it a sort costs less.
	widestTable = 1 << 12
	smallTable  = 16
	// hotBits is how many bits of one-hot are held at once.
	hotBits = 1 << 26
)

// Lookup returns for each secret index the element of a public table, of at most
// 4,096 elements: table[index]. An index beyond the table, 0 <= index < 2^k with
// 2^k the next power of two, gives the table's least element.
//
// The k bits of the index make a one-hot vector of m = 2^k bits, of which every
// bit of the element is an XOR that costs nothing. Either these bits or the
// one-hot's are made numbers, whichever are fewer. Costs of Decompose of k bits;
// ceil(log2 k) rounds and m - k - 1 bits; and ToArith of the bits that the table's
// range takes, or of its length if that is less. Leaks nothing.
func Lookup(s *mpc.Session, table []int64, index Vec) Vec {
	n := index.Len()
	if !ready(s, index) || !sized(s, len(table), widestTable) {
		return zero[ring.Vec64](n)
	}
	least := table[0]
	for _, e := range table {
		least = min(least, e)
	}
	rest := make([]uint64, len(table)) // above the least
	span := uint64(0)
	for i, e := range table {
		rest[i] = uint64(e) - uint64(least)
		span |= rest[i]
	}
	if span == 0 {
		return Public(s, index.A.Make(n).AddConst(least))
	}
	z := inChunks(s, index, len(table), func(s *mpc.Session, index Vec) Vec {
		hot := oneHot(s, index, len(table))
		if s.Err() != nil {
			return zero[ring.Vec64](index.Len())
		}
		planes, weights := elementPlanes(hot, rest, bits.Len64(span))
		return weigh(s, ToArith(s.Step("number"), ConcatPlanes(planes...)), weights)
	})
	return AddConst(s, z, least)
}

// elementPlanes returns planes and weights so that the planes, as numbers times
// their weights, sum up to the table's element: the bits of the element, or the
// one-hot planes of the elements that are not zero, if these are fewer.
func elementPlanes(hot []Bits, table []uint64, width int) (planes []Bits, weights []uint64) {
	for i, e := range table {
		if e != 0 {
			planes, weights = append(planes, hot[i]), append(weights, e)
		}
	}
	if len(planes) <= width {
		return planes, weights
	}
	var bitPlanes []Bits
	for j := range width {
		var set []Bits
		for k, e := range weights {
			if e>>j&1 == 1 {
				set = append(set, planes[k])
			}
		}
		bitPlanes = append(bitPlanes, sumPlanes(ZeroBits(hot[0].Len(), 1), set))
	}
	weights = make([]uint64, width)
	for j := range weights {
		weights[j] = 1 << j
	}
	return bitPlanes, weights
}

// weigh returns the sum of the columns that lie one after the other in x, times
// their weights. Local.
func weigh(s *mpc.Session, x Vec, weights []uint64) Vec {
	n := x.Len() / len(weights)
	z := zero[ring.Vec64](n)
	for j, w := range weights {
		z = Add(s, z, Scale(s, x.slice(j*n, (j+1)*n), int64(w)))
	}
	return z
}

// LookupSecret returns for each secret index, 0 <= index < m, the element of a
// secret table of m elements. For at most 16 it multiplies with a one-hot vector:
// costs of Decompose, m bits, ToArith of m bits, and one element an index. For
// more the indices find their row in a sort of the table's row numbers and the
// indices. An index out of range gives zero, or the last element. Leaks nothing.
func LookupSecret(s *mpc.Session, table, index Vec) Vec {
	n, m := index.Len(), table.Len()
	if !ready(s, index) || !ready(s, table) || !countable(s, n+m) {
		return zero[ring.Vec64](n)
	}
	if m > smallTable {
		z := latest(s, numbered(s, m), []Vec{table}, index, bits.Len(uint(m-1)))
		return z[0]
	}
	return inChunks(s, index, m, func(s *mpc.Session, index Vec) Vec {
		n := index.Len()
		hot := ToArith(s.Step("number"), ConcatPlanes(oneHot(s, index, m)...))
		return reshare(s.Step("pick"), n, func(part ring.Vec64, lo, hi int) {
			clear(part)
			for i := range m {
				h := hot.slice(i*n+lo, i*n+hi)
				a, b := table.A[i], table.B[i]
				for j := range part {
					part[j] += h.A[j]*(a+b) + h.B[j]*a
				}
			}
		})
	})
}

// sized checks the length of a table.
func sized(s *mpc.Session, m, most int) bool {
	if m < 1 || m > most {
		s.Fail(fmt.Errorf("a table of %d elements, want 1 to %d", m, most))
	}
	return m >= 1 && m <= most
}

// inChunks does f for as many indices at a time as have room for one-hot vectors
// of m bits.
func inChunks(s *mpc.Session, index Vec, m int, f func(s *mpc.Session, index Vec) Vec) Vec {
	n := index.Len()
	size := max(1, hotBits/m/64) * 64
	var out []Vec
	for lo := 0; lo < n; lo += size {
		out = append(out, f(s.Step("chunk", lo/size), Slice(s, index, lo, min(lo+size, n))))
	}
	return Concat(s, out...)
}
