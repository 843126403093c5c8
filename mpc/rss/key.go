package rss

import (
	"fmt"
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Key is a column by which rows are ordered or matched. Its values have Bits
// bits: 0 to 2^Bits-1, or with Signed -2^(Bits-1) to 2^(Bits-1)-1. Of others only
// the low bits count. The fewer bits, the cheaper.
type Key struct {
	Column     Vec
	Bits       int // 1 to 64
	Signed     bool
	Descending bool
}

// keyed checks keys: there are some, of possible widths, over n > 0 rows.
func keyed(s *mpc.Session, keys []Key) bool {
	if len(keys) == 0 {
		s.Fail(fmt.Errorf("no key to order by"))
		return false
	}
	columns := make([]Vec, len(keys))
	for i, k := range keys {
		if !width(s, k.Bits, 64) {
			return false
		}
		columns[i] = k.Column
	}
	return ready(s, columns...) && countable(s, keys[0].Column.Len())
}

// planes returns the bits of the key's column, so that their order as unsigned
// numbers is the order of the rows.
func (k Key) planes(s *mpc.Session) Bits {
	b := Decompose(s, k.Column, k.Bits)
	if k.Signed {
		b = ConcatPlanes(b.Planes(0, k.Bits-1), Not(s, b.Plane(k.Bits-1)))
	}
	if k.Descending {
		b = Not(s, b)
	}
	return b
}

// natural returns the key's column with values moved to 0 to 2^Bits-1. Local.
func (k Key) natural(s *mpc.Session) Vec {
	if !k.Signed {
		return k.Column
	}
	return AddConst(s, k.Column, 1<<(k.Bits-1))
}

// rankable returns for each row the bits of one number: the keys' bits, the first
// key's on top, and below them the row's number. No two rows have the same, and
// equal keys are in the order of their rows.
func rankable(s *mpc.Session, keys []Key) Bits {
	all := []Bits{rowNumbers(s, keys[0].Column.Len())}
	for i := len(keys) - 1; i >= 0; i-- {
		all = append(all, keys[i].planes(s.Step("key", i)))
	}
	return ConcatPlanes(all...)
}

// rowNumbers returns the rows' numbers as bits. Local.
func rowNumbers(s *mpc.Session, n int) Bits {
	v := make(ring.Vec64, n)
	for i := range v {
		v[i] = uint64(i)
	}
	return PublicBits(s, ring.Transpose(v, max(1, bits.Len(uint(n-1)))))
}
