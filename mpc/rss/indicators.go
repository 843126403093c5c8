package rss

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// oneHot returns m planes, of which plane i says where the index is i. Costs of
// Decompose, and ceil(log2 k) rounds with 2^k - k - 1 bits an index of k bits: bits
// meet in pairs, these in fours, and so on.
func oneHot(s *mpc.Session, index Vec, m int) []Bits {
	b := Decompose(s.Step("index"), index, max(1, bits.Len(uint(m-1))))
	runs := make([][]Bits, b.Width())
	for j := range runs {
		runs[j] = []Bits{Not(s, b.Plane(j)), b.Plane(j)}
	}
	for level := 0; len(runs) > 1 && s.Err() == nil; level++ {
		runs = pairRuns(s.Step("level", level), runs)
	}
	return runs[0][:min(m, len(runs[0]))]
}

// pairRuns turns the indicators of neighbouring runs of bits into those of both
// together. Indicator 0 is a sum of others, for those of one run sum up to 1.
func pairRuns(s *mpc.Session, runs [][]Bits) [][]Bits {
	var x, y []Bits
	for i := 0; i+1 < len(runs); i += 2 {
		for _, h := range runs[i+1][1:] {
			for _, l := range runs[i][1:] {
				x, y = append(x, h), append(y, l)
			}
		}
	}
	both := andEach(s, x, y)
	var out [][]Bits
	next := 0
	for i := 0; i+1 < len(runs); i += 2 {
		low, high := runs[i], runs[i+1]
		k := (len(low) - 1) * (len(high) - 1)
		out = append(out, outer(low, high, both.Planes(next, next+k)))
		next += k
	}
	if len(runs)%2 == 1 {
		out = append(out, runs[len(runs)-1])
	}
	return out
}

// outer returns the indicators of pairs, the low one counting first, given those of
// both halves and the products of all but the first of each. Local.
func outer(low, high []Bits, both Bits) []Bits {
	out := make([]Bits, len(low)*len(high))
	for i := range out {
		if h, l := i/len(low), i%len(low); h > 0 && l > 0 {
			out[i] = both.Plane((h-1)*(len(low)-1) + l - 1)
		}
	}
	for h := 1; h < len(high); h++ {
		out[h*len(low)] = sumPlanes(high[h], out[h*len(low)+1:(h+1)*len(low)])
	}
	for l := 1; l < len(low); l++ {
		var column []Bits
		for h := 1; h < len(high); h++ {
			column = append(column, out[h*len(low)+l])
		}
		out[l] = sumPlanes(low[l], column)
	}
	out[0] = sumPlanes(high[0], out[1:len(low)])
	return out
}

// sumPlanes returns the XOR of planes. Local.
func sumPlanes(first Bits, others []Bits) Bits {
	sum := ZeroBits(first.Len(), 1)
	for _, b := range append([]Bits{first}, others...) {
		a := ring.Words(sum.A.Words)
		a.Xor(a, b.A.Words)
		a = ring.Words(sum.B.Words)
		a.Xor(a, b.B.Words)
	}
	return sum
}

// andEach returns the ANDs of pairs of planes, without laying them side by side
// first. 1 round, 1 bit a row and pair, leaks nothing.
func andEach(s *mpc.Session, x, y []Bits) Bits {
	n, size := x[0].Len(), x[0].A.Stride()
	return reshareBits(s, n, len(x), func(part []uint64, lo, hi int) {
		for lo < hi {
			plane, from := lo/size, lo%size
			to := min(size, from+hi-lo)
			a, b := x[plane].words(from, to)
			c, d := y[plane].words(from, to)
			ring.Words(part[:to-from]).SetCross(a, b, c, d)
			part, lo = part[to-from:], lo+to-from
		}
	})
}
