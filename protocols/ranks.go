package protocols

import (
	"math/bits"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// What analyses by ranks share. Ranks are those of the members of a sample alone,
// with the mean of their places for rows of equal value, and stand doubled: 2 for
// the least of all, 2 n for the greatest, an integer in any case.

// rankKey is the key by which the members of a sample come first, in the order of
// their values, and all other rows after them, as equals of each other. The values
// lie from low to high, those of rows that are no members are 0. A member's key is
// how far its value is above low; no key has more bits than high - low + 1. Local.
func rankKey(s *mpc.Session, value, member rss.Vec, low, high int64) rss.Key {
	above := high - low + 1 // the key of those that are no members
	column := rss.Sub(s, value, rss.Scale(s, member, high+1))
	return rss.Key{Column: rss.AddConst(s, column, above), Bits: keyBits(low, high)}
}

// keyBits is how many bits the rankKey of such values has.
func keyBits(low, high int64) int { return bits.Len64(uint64(high - low + 1)) }

// columnKey is the rankKey of a column's codes in a sample.
func columnKey(s *mpc.Session, c *job.Column, rows *Rows) rss.Key {
	low, high := c.Codes()
	return rankKey(s, rows.Value[c.Name], rows.Member, low, high)
}

// ranked are the rows of a sample in the order of a rankKey. A flag goes with them:
// who is of a group.
type ranked struct {
	rows           *rss.Chunked // keys and flags
	bits           int          // of the keys
	members, group rss.Vec      // how many there are
}

// newRanked sorts rows by keys of that many bits, which chunk gives together with who
// is of the group, and who a member; the group's rows are members. Like tells how
// many rows there are. Costs of rss.SortChunked for two columns.
func newRanked(s *mpc.Session, like *rss.Chunked, bits int, chunk func(s *mpc.Session, i int) (key, group, member rss.Vec)) *ranked {
	rows := like.Like(s, 2, 0)
	defer rows.Close()
	r := &ranked{bits: bits, members: rss.Zero[ring.Vec64](1), group: rss.Zero[ring.Vec64](1)}
	for i := range rows.Chunks() {
		s := s.Step("keys", i)
		key, group, member := chunk(s, i)
		rows.Put(s, i, []rss.Vec{key, group})
		r.members = rss.Add(s, r.members, rss.Sum(s, member))
		r.group = rss.Add(s, r.group, rss.Sum(s, group))
	}
	r.rows = rss.SortChunked(s.Step("sort"), rows, rss.ChunkedKey{Column: 0, Bits: bits})
	return r
}

// close ends them.
func (r *ranked) close() { r.rows.Close() }

// extent is what is counted before a run of rows, and through its last row.
type extent struct{ from, to rss.Vec }

// size returns how many the run has. Local.
func (x extent) size(s *mpc.Session) rss.Vec { return rss.Sub(s, x.to, x.from) }

// eachRun visits the runs of equal keys, each once: chunk by chunk from the last one
// on, with as many runs as the chunk has rows, of which those that do not exist are
// empty. It says how many rows there are before and through each, and how many of the
// group. The rows that are no members are the last run. For each chunk costs of Equal
// and ToArith of the key, and beyond that 6 rounds and 53 bytes a row.
func (r *ranked) eachRun(s *mpc.Session, visit func(s *mpc.Session, rows, group extent)) {
	left := r.group
	after := []rss.Vec{rss.Public(s, ring.Vec64{uint64(r.rows.Rows())}), r.group}
	for i := r.rows.Chunks() - 1; i >= 0; i-- {
		s := s.Step("chunk", i)
		lo, hi := r.rows.Bounds(i)
		flag := r.rows.Get(s, i, 1)[0]
		left = rss.Sub(s, left, rss.Sum(s, flag))
		before := rss.Add(s, rss.Sub(s, rss.PrefixSum(s, flag), flag), rss.Repeat(s, left, hi-lo))
		starts := startsIn(s.Step("starts"), r.rows, i, 0, r.bits)
		runs := newTiedRuns(s.Step("runs"), starts, after, []rss.Vec{rowNumbers(s, lo, hi), before})
		visit(s.Step("visit"), runs.extent(0), runs.extent(1))
		after = runs.first(s)
	}
}

// pairsWon returns twice the number of pairs of a row of the group and a member
// outside of it in which the former has the greater value, ties one half: the group's
// rank sum less the least that it can be. Costs of eachRun, and beyond that 2 rounds
// with one element, 1 of them for each chunk.
func (r *ranked) pairsWon(s *mpc.Session) rss.Vec {
	sum := rss.Zero[ring.Vec64](1)
	r.eachRun(s.Step("runs"), func(s *mpc.Session, rows, group extent) {
		sum = rss.Add(s, sum, rankSum(s, rows, group))
	})
	return rss.Sub(s, sum, r.leastSum(s.Step("least")))
}

// rankSum returns the sum of the group's doubled ranks in some runs. Rows a + 1 to b,
// counted from 1, have a + b + 1 each.
func rankSum(s *mpc.Session, rows, group extent) rss.Vec {
	doubled := rss.AddConst(s, rss.Add(s, rows.from, rows.to), 1)
	return rss.Dot(s, doubled, group.size(s))
}

// leastSum is the group's rank sum when its values are the least: 2 (1 + … + n).
func (r *ranked) leastSum(s *mpc.Session) rss.Vec {
	return rss.Mul(s, r.group, rss.AddConst(s, r.group, 1))
}
