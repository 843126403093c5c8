package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// Marks are secret marks on rows, from each of which values are carried over the rows
// below it (or above it) up to the next mark. Where they are stays secret; what they were
// made from once serves any number of columns.
type Marks struct {
	front *Permutation // moves marked rows to the front
	flag  Vec          // 1 in marked rows, else 0
	wide  Vec128       // the same
	up    bool         // rows are turned round
}

// NewMarks takes a flag 0 or 1 a row. Values are carried downward, to later rows. Costs
// of CompactPermutation, and of Lift. Leaks nothing.
func NewMarks(s *mpc.Session, flag Vec) *Marks {
	return &Marks{front: CompactPermutation(s.Step("front"), flag), flag: flag, wide: Lift(s.Step("wide"), flag)}
}

// NewMarksUp is NewMarks for values that are carried upward, to earlier rows.
func NewMarksUp(s *mpc.Session, flag Vec) *Marks {
	m := NewMarks(s, turned(flag))
	m.up = true
	return m
}

// Carry returns for each row the value at the nearest mark, the row's own or one before
// it; beyond, one element a column, stands where there is none. Upward, one after it. 5
// rounds; for each column of n rows 2 moves (see Permute) and n elements. Leaks nothing.
func (m *Marks) Carry(s *mpc.Session, beyond, columns []Vec) []Vec {
	return carry(s, m, m.flag, beyond, columns)
}

// CarryWide is Carry of wide columns.
func (m *Marks) CarryWide(s *mpc.Session, beyond, columns []Vec128) []Vec128 {
	return carry(s, m, m.wide, beyond, columns)
}

// carry has the values of marked rows meet at the front. What a mark's value is more than
// that of the mark before goes back to the marked row, and prefix sums carry it on.
func carry[V ring.Vector[V]](s *mpc.Session, m *Marks, flag Share[V], beyond, columns []Share[V]) []Share[V] {
	out := make([]Share[V], len(columns))
	for j := range out {
		out[j] = zero[V](flag.Len())
	}
	if len(columns) == 0 || !length(s, len(beyond), len(columns)) || !ready(s, append([]Share[V]{flag}, columns...)...) {
		return out
	}
	if m.up {
		for j, x := range columns {
			out[j] = turned(x)
		}
		columns = out
	}
	steps := Permute(s.Step("front"), m.front, columns...)
	flags := make([]Share[V], len(columns))
	for j, x := range steps {
		steps[j], flags[j] = Sub(s, x, shifted(x, beyond[j])), flag
	}
	steps = Unpermute(s.Step("back"), m.front, steps...)
	// Behind the marked rows stand those of no mark.
	steps = mulEach(s.Step("marked"), steps, flags)
	for j, x := range steps {
		x = Add(s, PrefixSum(s, x), Repeat(s, beyond[j], x.Len()))
		if m.up {
			x = turned(x)
		}
		out[j] = x
	}
	return out
}

// turned returns the rows in the other order. Local.
func turned[V ring.Vector[V]](x Share[V]) Share[V] {
	n := x.Len()
	z := zero[V](n)
	spread(z.A, x.A, 0, 1, n-1, -1, n)
	spread(z.B, x.B, 0, 1, n-1, -1, n)
	return z
}

// shifted returns first and then all of x but the last element. Local.
func shifted[V ring.Vector[V]](x, first Share[V]) Share[V] {
	n := x.Len()
	return Share[V]{first.A.Join(x.A.Slice(0, n-1)), first.B.Join(x.B.Slice(0, n-1))}
}
