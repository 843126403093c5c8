package main

import (
	"cmp"
	"fmt"
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// A match compares each candidate with one patient: weighted points for each of
// some attributes in which they agree, for candidates who pass a filter, and the
// best few of them. All attributes, the filter and the patient are secret.

// weights are the points of the attributes, codes of codeBits bits.
var weights = []int64{32, 16, 8, 8, 4, 2}

const (
	codeBits  = 16
	scoreBits = 7 // the sum of the weights, and one
	bestFew   = 10
)

// patientCode is the patient's code of an attribute.
func patientCode(t int) int64 { return below(1<<codeBits, t, 100) }

// candidateCode is a candidate's: one in six agrees with the patient's.
func candidateCode(i, t int) int64 {
	if below(6, i, t) == 0 {
		return patientCode(t)
	}
	return below(1<<codeBits, i, 10+t)
}

// eligible says who passes the filter: three in four.
func eligible(i int) bool { return below(4, i, 50) != 0 }

// points is what the match computes: 0 for who does not pass, and one more than
// the weights for who does.
func points(i int) int64 {
	if !eligible(i) {
		return 0
	}
	sum := int64(1)
	for t, w := range weights {
		if candidateCode(i, t) == patientCode(t) {
			sum += w
		}
	}
	return sum
}

// candidates is the shared table: the columns of codes lie one after the other,
// each filled up to whole words of bits, so that one comparison of all yields the
// attributes as planes.
type candidates struct {
	n, padded int
	codes     rss.Vec
	eligible  rss.Bits
	row       rss.Vec
	patient   rss.Vec
}

// setupMatch ranks N candidates and returns the best ten, or the best C of R.
func setupMatch(d *dealer, n size) task {
	k := few(n)
	padded := 64 * ring.Stride(n.rows)
	c := candidates{
		n: n.rows, padded: padded,
		codes: d.vec(padded*len(weights), func(i int) int64 {
			if i%padded >= n.rows {
				return 0
			}
			return candidateCode(i%padded, i/padded)
		}),
		eligible: d.bits(padded, func(i int) bool { return i < n.rows && eligible(i) }),
		row:      d.vec(n.rows, func(i int) int64 { return int64(i) }),
		patient:  d.vec(len(weights), patientCode),
	}
	return task{
		run:   func(s *mpc.Session) output { return output{vecs: c.best(s, k)} },
		check: func(ch *checker, out output) error { return checkTop(ch, out, n.rows, k, points) },
	}
}

// few is how many rows an operation on the best takes.
func few(n size) int { return min(n.rows, cmp.Or(n.cols, bestFew)) }

// best returns the points and the rows of the best k candidates.
func (c *candidates) best(s *mpc.Session, k int) []rss.Vec {
	agree := rss.Equal(s.Step("agree"), c.codes, repeated(c.patient, c.padded), codeBits)
	terms := planesOf(agree, len(weights))
	filter := rss.ConcatPlanes(slices.Repeat([]rss.Bits{c.eligible}, len(weights))...)
	terms = rss.And(s.Step("filter"), terms, filter)
	bits := rss.ToArith(s.Step("numbers"), rss.ConcatPlanes(terms, c.eligible))
	column := func(t int) rss.Vec { return rss.Slice(s, bits, t*c.padded, t*c.padded+c.n) }
	score := column(len(weights))
	for t, w := range weights {
		score = rss.Add(s, score, rss.Scale(s, column(t), w))
	}
	top, carried := rss.TopK(s.Step("best"), rss.Key{Column: score, Bits: scoreBits, Descending: true}, k, c.row)
	return append([]rss.Vec{top}, carried...)
}

// repeated returns n copies of each element.
func repeated(x rss.Vec, n int) rss.Vec {
	z := rss.Zero[ring.Vec64](n * x.Len())
	for t := range x.Len() {
		for i := t * n; i < (t+1)*n; i++ {
			z.A[i], z.B[i] = x.A[t], x.B[t]
		}
	}
	return z
}

// planesOf cuts one plane of whole words into w planes.
func planesOf(b rss.Bits, w int) rss.Bits {
	cut := func(p ring.Planes) ring.Planes { return ring.Planes{N: p.N / w, W: w, Words: p.Words} }
	return rss.Bits{A: cut(b.A), B: cut(b.B)}
}

// setupTopK takes the ten greatest of N keys, or the C greatest of R, with the
// numbers of their rows.
func setupTopK(d *dealer, n size) task {
	k, value := few(n), keyOf(n.rows)
	key := rss.Key{Column: d.vec(n.rows, value), Bits: keyBits, Descending: true}
	row := d.vec(n.rows, func(i int) int64 { return int64(i) })
	return task{
		run: func(s *mpc.Session) output {
			top, carried := rss.TopK(s, key, k, row)
			return output{vecs: append([]rss.Vec{top}, carried...)}
		},
		check: func(c *checker, out output) error { return checkTop(c, out, n.rows, k, value) },
	}
}

// checkTop wants the k greatest values and their rows, equal ones in order.
func checkTop(c *checker, out output, n, k int, value func(i int) int64) error {
	rows := ranked(n, func(i, j int) int { return cmp.Compare(value(j), value(i)) })[:k]
	if err := c.same(out.vecs[0], func(i int) int64 { return value(rows[i]) }); err != nil {
		return fmt.Errorf("values: %w", err)
	}
	if err := c.same(out.vecs[1], func(i int) int64 { return int64(rows[i]) }); err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	return nil
}
