package match

import (
	"math/bits"
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Duplicates finds candidates whose id stands in more than one row, which makes a
// match of no use: at each site in one list, as sites see to, but perhaps at two
// sites. It returns for each site, by List.Sites, which of its rows are such: 1 or 0
// for each, for that site alone to see. Count says how many there are in all; while it
// is not 0 no ranking must be revealed.
//
// Rows are sorted by id and neighbours compared, and the flags go back to where the
// rows lay. Costs of rss.SortPermutation by the bits of an id and one more, of an
// equality of as many bits, and of about 6 elements a row. Nothing is opened but the
// comparisons of shuffled rows. Leaks nothing.
func Duplicates(s *mpc.Session, l *List) (flags []rss.Vec, count rss.Vec) {
	n := l.rows()
	all, count := rss.Zero[ring.Vec64](n), rss.Zero[ring.Vec64](1)
	if l.check(s, n) {
		if found := l.duplicates(s, n); s.Err() == nil {
			all, count = found, rss.Sum(s, found)
		}
	}
	flags = make([]rss.Vec, len(l.Sites))
	at := 0
	for i, rows := range l.Sites {
		end := at + max(rows, 0)
		flags[i] = rss.Vec{A: all.A[at:end:end], B: all.B[at:end:end]}
		at = end
	}
	return flags, count
}

// duplicates returns for each row that is present whether another has the same id.
func (l *List) duplicates(s *mpc.Session, n int) rss.Vec {
	if n == 1 {
		return rss.Zero[ring.Vec64](1)
	}
	key := l.ids(s.Step("program"))
	order := rss.SortPermutation(s.Step("order"), key)
	sorted := rss.Permute(s.Step("sort"), order, key.Column)[0]
	same := rss.Equal(s.Step("same"), rss.Slice(s, sorted, 0, n-1), rss.Slice(s, sorted, 1, n), key.Bits)
	next := rss.ToArith(s.Step("number"), same)
	none := rss.Zero[ring.Vec64](1)
	before, after := rss.Concat(s, none, next), rss.Concat(s, next, none)
	either := rss.Sub(s, rss.Add(s, before, after), rss.Mul(s.Step("both"), before, after))
	back := rss.Unpermute(s.Step("back"), order, either)[0]
	present := l.Candidates[slices.IndexFunc(l.Program.Candidate, isPresence)]
	return rss.Mul(s.Step("mask"), back, present)
}

// ids returns the candidates' ids from 0, and one number beyond them for all rows that
// are not present.
func (l *List) ids(s *mpc.Session) rss.Key {
	c := newCircuit(l.Program)
	node := &l.Program.Nodes[l.Program.ID]
	width := bits.Len64(uint64(node.High) - uint64(node.Low))
	present := slices.IndexFunc(l.Program.Candidate, isPresence)
	beyond := c.constant(1 << width)
	id := c.plus(beyond, c.times(c.input(present), c.minus(c.number(l.Program.ID), c.constant(node.Low+1<<width))))
	return rss.Key{Column: c.run(s, l.rows(), l.Candidates, l.Donor, id)[0], Bits: width + 1}
}
